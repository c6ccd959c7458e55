"""NG before INCONCLUSIVE before OK, and never OK by default."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Classifier, Decision, Gates, Length, Recipe
from models.detector.findings import Quality
from stages.plate import Cause, Defect, Verdict, WindowResult
from stages.verdict import TELLING, PlateFacts, added, bands_of, blocks_of, standing, verdict_of

RECIPE = Recipe(name="test", length=Length(nominal_rows=1000, tolerance=0.02), least_rows=50)
WARN = RECIPE.model_copy(update={"gates": Gates(action="warn")})
FACTS = PlateFacts(run="r", plate=1, rows=1000, columns=800, windows=4, windows_scored=4)


def band(mean: float = 100.0, deviation: float = 10.0, lit: int = 1000, **more: float) -> Quality:
    """A band of 1,000 unmasked px."""
    base = Quality(
        unmasked=1000,
        judged=lit,
        total=mean * lit,
        squares=(mean * mean + deviation * deviation) * lit,
        lit=lit,
        fine=50.0,
        coarse=100.0,
    )
    return replace(base, **more)  # type: ignore[arg-type]  # counts are given as ints


def defect(score: float) -> Defect:
    return Defect(100, 200, 30, 9, 200, score, 110, 204, edge=False)


GOOD = (band(), band())


def test_a_plate_with_nothing_wrong_is_ok_and_says_nothing() -> None:
    result = verdict_of(FACTS, (), GOOD, RECIPE)
    assert (result.verdict, result.causes, result.reason, result.complete) == (Verdict.OK, (), "", True)
    assert result.coverage == 1.0


def test_a_defect_below_the_score_is_kept_and_the_plate_ok() -> None:
    result = verdict_of(FACTS, (defect(0.49),), GOOD, RECIPE)
    assert result.verdict is Verdict.OK
    assert len(result.defects) == 1


@pytest.mark.parametrize("score", [0.5, 0.9, float("nan")])
def test_a_defect_at_the_score_or_without_a_comparable_one_is_ng(score: float) -> None:
    result = verdict_of(FACTS, (defect(0.1), defect(score)), GOOD, RECIPE)
    assert (result.verdict, result.causes) == (Verdict.NG, (Cause.DEFECT,))
    assert result.reason.startswith("1 defect with a score of 0.50 or more")
    assert "at x 110, y 204" in result.reason


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 0.85), st.booleans())
def test_a_plate_is_ng_by_a_veto_exactly_where_what_a_defect_stands_for_reaches_the_score(
    score: float, chance: float, ng_score: float, faint: bool
) -> None:
    rules = Classifier(mode="veto", veto_below=0.1).model_copy(update={"veto_most_score": 1.0})
    recipe = RECIPE.model_copy(update={"classifier": rules, "decision": Decision(ng_score=ng_score)})
    found = replace(defect(score), probability=chance, faint=faint)
    result = verdict_of(FACTS, (found,), GOOD, recipe)
    assert (result.verdict is Verdict.NG) == (chance >= 0.1 and standing(found, recipe) >= ng_score)
    assert standing(found, recipe) >= score - 1e-12


def test_a_defect_on_an_incomplete_plate_is_ng_and_stored_as_incomplete() -> None:
    facts = replace(FACTS, rows_missing=7, windows_scored=2)
    result = verdict_of(facts, (defect(0.9),), GOOD, RECIPE)
    assert (result.verdict, result.complete) == (Verdict.NG, False)
    assert result.causes == (Cause.DEFECT, Cause.ROWS_MISSING)
    assert "7 rows of the sheet did not arrive" in result.reason


@pytest.mark.parametrize(
    ("facts", "cause", "words"),
    [
        (replace(FACTS, windows_scored=3), Cause.WINDOW_FAILED, "1 of 4 windows were not inspected"),
        (replace(FACTS, windows_scored=3, windows_quarantined=1), Cause.WINDOW_QUARANTINED, "1 of 4 windows"),
        (
            replace(FACTS, windows_scored=3, windows_unscored=1),
            Cause.WINDOW_FAILED,
            "1 of 4 windows the detector gave no",
        ),
        (replace(FACTS, windows_truncated=1), Cause.REGIONS_TRUNCATED, "more spots"),
        (replace(FACTS, rows_missing=3), Cause.ROWS_MISSING, "3 rows"),
        (replace(FACTS, causes=(Cause.ROWS_MISSING,)), Cause.ROWS_MISSING, "an unknown number of rows"),
        (replace(FACTS, rows=979), Cause.TOO_SHORT, "979 rows, a sheet has 1000 within 2.0%"),
        (replace(FACTS, rows=1021), Cause.TOO_LONG, "1021 rows"),
        (replace(FACTS, rows=1100, causes=(Cause.TOO_LONG,)), Cause.TOO_LONG, "beyond the 1100 rows"),
        (replace(FACTS, rows=49), Cause.TOO_SHORT, "49 rows, least is 50"),
        (replace(FACTS, columns=20), Cause.TOO_SMALL, "20 x 1000 px is smaller than"),
        (replace(FACTS, rows=0, windows=0, windows_scored=0), Cause.NO_ROWS, "no row"),
        (replace(FACTS, causes=(Cause.LATE,)), Cause.LATE, "deadline"),
        (replace(FACTS, causes=(Cause.ROLE_LOST,)), Cause.ROLE_LOST, "failed for good"),
        (replace(FACTS, causes=(Cause.SWITCH_DOUBTFUL,)), Cause.SWITCH_DOUBTFUL, "the switch cannot be trusted"),
        (
            replace(FACTS, causes=(Cause.SWITCH_DOUBTFUL,), doubt="two sheets"),
            Cause.SWITCH_DOUBTFUL,
            "missing: two sheets",
        ),
    ],
)
def test_each_fact_that_forbids_ok_is_a_cause_of_its_own(facts: PlateFacts, cause: Cause, words: str) -> None:
    result = verdict_of(facts, (), GOOD if facts.windows_scored else (), RECIPE)
    assert (result.verdict, result.causes) == (Verdict.INCONCLUSIVE, (cause,))
    assert words in result.reason


@pytest.mark.parametrize("rows", [980, 1020])
def test_a_length_at_the_tolerance_is_ok(rows: int) -> None:
    assert verdict_of(replace(FACTS, rows=rows), (), GOOD, RECIPE).verdict is Verdict.OK


FAILING = [
    (band(mean=20), Cause.BRIGHTNESS, "brightness 20.0 grey levels in 1 of 2 bands, least is 30.0"),
    (band(mean=240), Cause.BRIGHTNESS, "most is 225.0"),
    (band(deviation=1), Cause.CONTRAST, "contrast 1.00 grey levels in 1 of 2 bands, least is 2.00"),
    (band(clipped=60), Cause.SATURATION, "saturated share 6.0% in 1 of 2 bands, most is 5.0%"),
    (band(fine=1.0), Cause.FOCUS, "focus 0.010 in 1 of 2 bands, least is 0.080"),
    (band(fine=float("nan")), Cause.FOCUS, "focus nan"),
    (band(coarse=0.0), Cause.FOCUS, "focus 0.000"),
]


@pytest.mark.parametrize(("bad", "cause", "words"), FAILING)
def test_one_band_that_fails_a_gate_makes_the_plate_inconclusive(bad: Quality, cause: Cause, words: str) -> None:
    result = verdict_of(FACTS, (), (band(), bad), RECIPE)
    assert (result.verdict, result.causes) == (Verdict.INCONCLUSIVE, (cause,))
    assert words in result.reason


@pytest.mark.parametrize(("bad", "cause", "words"), FAILING)
def test_where_the_recipe_only_warns_a_failed_gate_is_a_warning(bad: Quality, cause: Cause, words: str) -> None:
    result = verdict_of(FACTS, (), (band(), bad), WARN)
    assert result.verdict is Verdict.OK
    assert cause not in result.causes
    assert words in result.warnings[0]


@pytest.mark.parametrize(("bad", "cause", "words"), FAILING)
def test_one_block_of_columns_that_fails_a_gate_makes_the_plate_inconclusive(
    bad: Quality, cause: Cause, words: str
) -> None:
    result = verdict_of(FACTS, (), GOOD, RECIPE, blocks=(band(), bad))
    assert (result.verdict, result.causes) == (Verdict.INCONCLUSIVE, (cause,))
    assert words.replace("bands", "blocks of columns") in result.reason


def test_a_gate_that_bands_and_blocks_fail_is_said_once() -> None:
    result = verdict_of(FACTS, (), (band(), band(mean=20)), WARN, blocks=(band(mean=25), band()))
    assert result.warnings == ("brightness 20.0 grey levels in 1 of 2 bands, least is 30.0 grey levels",)


def test_a_narrow_rest_of_a_plate_is_judged_with_what_lies_beside_it() -> None:
    def window(index: int, quality: Quality) -> WindowResult:
        return WindowResult("", 0, index, (), truncated=False, quality=quality, threshold=0.0, seconds=0.0)

    rest = band(mean=12, unmasked=100, lit=100, judged=100)
    grid = [window(0, band()), window(1, rest), window(2, rest), window(3, Quality(unmasked=10))]
    assert [part.unmasked for part in blocks_of(grid, 1200, RECIPE)] == [1210]
    assert [part.unmasked for part in bands_of(grid, 1200, RECIPE)] == [1210]


DARK = Quality(unmasked=1000)


def test_a_dark_band_inside_the_plate_fails_the_gate_of_brightness_however_small_its_share() -> None:
    result = verdict_of(FACTS, (), (*GOOD * 10, DARK, *GOOD * 10), RECIPE)
    assert (result.verdict, result.causes) == (Verdict.INCONCLUSIVE, (Cause.BRIGHTNESS,))
    assert "brightness 0.0 grey levels in 1 of 41 bands" in result.reason


@pytest.mark.parametrize("bands", [(DARK, *GOOD * 10), (*GOOD * 10, DARK)])
def test_a_dark_band_at_an_end_of_the_plate_is_only_not_judged(bands: tuple[Quality, ...]) -> None:
    result = verdict_of(FACTS, (), bands, RECIPE)
    assert result.verdict is Verdict.OK
    assert result.coverage == pytest.approx(20 / 21)


@pytest.mark.parametrize("recipe", [RECIPE, WARN])
def test_the_judged_share_binds_in_any_action(recipe: Recipe) -> None:
    result = verdict_of(FACTS, (), (band(), band(lit=500)), recipe)
    assert (result.verdict, result.causes) == (Verdict.INCONCLUSIVE, (Cause.COVERAGE,))
    assert result.reason == "only 75.0% of the sheet could be judged, least is 80.0%"


@pytest.mark.parametrize("recipe", [RECIPE, WARN])
@pytest.mark.parametrize("dark", [Quality(unmasked=1000), Quality(unmasked=1000, clipped=1000), Quality()])
def test_a_black_a_white_and_a_wholly_masked_sheet_are_not_ok(dark: Quality, recipe: Recipe) -> None:
    result = verdict_of(FACTS, (), (dark, dark), recipe)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert Cause.COVERAGE in result.causes
    assert result.coverage == 0.0


def test_a_band_with_hardly_a_lit_pixel_says_nothing_of_its_brightness() -> None:
    result = verdict_of(FACTS, (), (*[band()] * 9, band(mean=5, lit=90)), RECIPE)
    assert result.verdict is Verdict.OK


def test_the_most_telling_cause_comes_first_and_the_reason_follows() -> None:
    facts = replace(FACTS, rows=900, windows_scored=1, causes=(Cause.ROWS_MISSING, Cause.ACQUISITION_DIED))
    result = verdict_of(facts, (), (band(mean=5),), RECIPE)
    assert result.causes == (Cause.ACQUISITION_DIED, Cause.TOO_SHORT, Cause.ROWS_MISSING, Cause.BRIGHTNESS)
    assert result.reason.startswith("acquisition stopped while the sheet was passing; 900 rows")


def test_every_cause_has_its_rank() -> None:
    assert set(TELLING) == set(Cause)


@given(st.lists(st.sampled_from([c for c in Cause if c is not Cause.DEFECT]), min_size=1))
def test_no_cause_that_the_line_reports_is_ever_ok(causes: list[Cause]) -> None:
    result = verdict_of(replace(FACTS, causes=tuple(causes)), (), GOOD, RECIPE)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert set(result.causes) == set(causes)
    assert not result.complete or set(causes) == {Cause.LATE}


@given(st.lists(st.floats(0, 1e12), max_size=20), st.randoms(use_true_random=False))
def test_the_sum_of_qualities_does_not_depend_on_their_order(values: list[float], rng: object) -> None:
    parts = [Quality(total=v, squares=v * v, fine=v) for v in values]
    shuffled = parts.copy()
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert added(shuffled) == added(parts)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((300, 20, 12, 960), ("a line along the whole sheet at x 305: look at lens, die and grippers",)),
        ((10, 300, 585, 9), ("a line across the whole sheet at y 304: look at lens, die and grippers",)),
        ((300, 20, 12, 500), ()),
        ((0, 0, 600, 1000), ()),
    ],
)
def test_a_line_through_the_whole_sheet_is_named(box: tuple[int, int, int, int], words: tuple[str, ...]) -> None:
    x, y, width, height = box
    found = replace(defect(0.9), x=x, y=y, width=width, height=height, peak_x=x + 5, peak_y=y + 4)
    result = verdict_of(replace(FACTS, columns=600), (found,), GOOD, RECIPE)
    assert (result.verdict, result.warnings) == (Verdict.NG, words)


def test_an_image_with_more_rows_than_a_plate_may_have_is_too_long_as_on_the_line() -> None:
    recipe = RECIPE.model_copy(update={"length": None, "most_rows": 900})
    assert verdict_of(FACTS, (), GOOD, recipe).causes == (Cause.TOO_LONG,)
    assert verdict_of(replace(FACTS, rows=900), (), GOOD, recipe).verdict is Verdict.OK
