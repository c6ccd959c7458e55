from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from config.load import load_recipe
from config.schema import Classifier, Pitch, Recipe, Rectangle, Template, Threshold, Zone
from config.weights import SHIPPED
from models.detector.detector import Detector, DetectorError, WindowView
from models.detector.findings import Region
from models.detector.known_window import known_window
from models.detector.strong_lines import CELL
from models.detector.swaths import cut
from models.detector.threshold import threshold_levels

torch.set_num_threads(1)
FULL = (0, 0, 650, 650)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load(Recipe(name="test"), device="cpu")


def view(pixels: NDArray[np.uint8], x: int = 0, y: int = 0) -> WindowView:
    return WindowView(pixels, x, y, (0, 0, pixels.shape[1], pixels.shape[0]))


def of_plate(plate: NDArray[np.uint8], x: int, y: int = 0) -> WindowView:
    """A window of 650 px of a plate, with what lies around it."""
    pixels = plate[y : y + 650, x : x + 650]
    rows, columns = pixels.shape
    return WindowView(pixels, x, y, (0, 0, columns, rows), cut(plate, x, y, columns, rows, size=650))


def noise(rows: int = 650, columns: int = 650, sigma: float = 6, seed: int = 1) -> NDArray[np.uint8]:
    return np.clip(np.random.default_rng(seed).normal(110, sigma, (rows, columns)), 0, 255).astype(np.uint8)


def test_a_lower_floor_is_never_less() -> None:
    """All that a higher floor reports is there with a lower one, with the same score; so what is NG stays NG."""
    pictures = [known_window(650), faint_cracks(), seam_plate()[:, :650]]
    found: list[set[tuple[int, Region]]] = []
    for floor in (6.5, 5.0, None, 1.0, -1.0, -5.0, -20.0):
        one = Detector.load(Recipe(name="any", threshold=Threshold(floor=floor)), "cpu")
        found.append(
            {(at, region) for at, picture in enumerate(pictures) for region in one.detect([view(picture)])[0].regions}
        )
    assert found[0]
    for higher, lower in pairwise(found):
        assert higher <= lower
    assert len(found[-1]) > len(found[0])


def test_weights_that_ship_give_their_known_answer(detector: Detector) -> None:
    detector.known_answer()


def test_the_crack_of_the_known_window_is_found_and_nothing_else(detector: Detector) -> None:
    (finding,) = detector.detect([view(known_window(650))])
    assert finding.regions
    for region in finding.regions:  # the network's, and that of the rule for strong lines
        assert region.score >= 0.5
        assert region.x < 325 < region.x + region.width
        assert region.y < 325 < region.y + region.height


def test_the_bank_is_that_of_the_training_whatever_the_pitch_of_a_recipe(detector: Detector) -> None:
    pitch = Pitch(row_mm=0.08, column_mm=0.04)
    bent = Detector.load(detector.recipe.model_copy(update={"pitch": pitch}), device="cpu")
    assert np.array_equal(bent.features(view(noise())), detector.features(view(noise())))


def swath_of_two(plate: NDArray[np.uint8]) -> list[WindowView]:
    """Both windows of a plate of 650 x 1,250 px."""
    swath = cut(plate, 0, 0, 1250, 650, size=650)
    return [view(plate[:, x : x + 650], x)._replace(swath=swath) for x in (0, 600)]


def test_result_is_equal_to_the_bit_whichever_windows_of_its_swath_are_asked_for(detector: Detector) -> None:
    both = swath_of_two(seam_plate())
    found = detector.detect(both)
    assert [region for one in found for region in one.regions]
    detector.detect([view(noise(30, 40))])
    assert [detector.detect([one])[0] for one in both] == found
    assert detector.detect(both[::-1]) == found[::-1]
    first, second = detector.features_of(both)
    assert np.array_equal(first[:, 300:], second[:, :25])  # what both hold is one and the same


def test_each_window_is_told_of_when_it_alone_is_worked_on(detector: Detector) -> None:
    told: list[int] = []
    detector.detect(swath_of_two(seam_plate()), told.append)
    assert told == [0, 1]


def test_windows_are_read_in_place_and_never_written(detector: Detector) -> None:
    plate = np.full((900, 1200), 77, np.uint8)
    plate[100:750, 200:850] = known_window(650)
    before = plate.copy()
    plate.flags.writeable = False
    assert detector.detect([view(plate[100:750, 200:850])]) == detector.detect([view(known_window(650))])
    assert np.array_equal(plate, before)


def seam_plate() -> NDArray[np.uint8]:
    """A plate of two windows with a crack of 11 px across their seam."""
    y, x = np.mgrid[0:650, 0:1250]
    away, fade = np.abs(5 * (x - 625) - 2 * (y - 325)), np.clip(90 - np.abs(y - 325), 0, 45)
    grey = 110 + (x * 7 + y * 13 + x * y) % 5 + np.where(away < 30, (32 - away * away // 29) * fade // 45, 0)
    return np.asarray(grey, np.uint8)


def test_a_crack_on_a_seam_is_found_by_a_window_that_sees_beyond_its_border(detector: Detector) -> None:
    plate = seam_plate()
    (found,) = detector.detect([of_plate(plate, 0)])
    assert found.regions
    for region in found.regions:  # the network's, and that of the rule for strong lines
        assert region.score >= 0.5
        assert region.x < 620
        assert region.x + region.width == 650  # to the window's own border, and not beyond


def test_values_of_a_window_are_those_of_the_plate_around_it(detector: Detector) -> None:
    plate = np.tile(known_window(650), (2, 2))
    beside = detector.features(of_plate(plate, 600, 600))
    alone = detector.features(view(plate[600:1250, 600:1250], 600, 600))
    assert beside.shape == alone.shape == (325, 325)
    assert np.abs(beside - alone)[:16].mean() > np.abs(beside - alone)[150:180].mean()  # a border's effect fades


def test_values_hardly_depend_on_where_a_piece_of_the_plate_is_cut(detector: Detector) -> None:
    """Pieces begin at whole cells of the network's coarsest level."""
    plate = np.tile(known_window(650), (2, 3))
    alone = detector.features(of_plate(plate, 600, 600))
    swath = cut(plate, 0, 600, 1950, 650, size=650)
    wide = detector.features(of_plate(plate, 600, 600)._replace(swath=swath))
    assert np.abs(alone - wide).mean() < 0.1


def test_borders_beyond_which_nothing_is_seen_are_left_to_the_neighbour(detector: Detector) -> None:
    plate = seam_plate()
    (left,) = detector.detect([view(plate[:, :650])])
    assert max(region.x + region.width for region in left.regions) <= 630 + CELL
    (last,) = detector.detect([view(plate[:, :640])])
    assert max(region.x + region.width for region in last.regions) > 630


HOSTILE = {
    "one pixel": np.full((1, 1), 200, np.uint8),
    "five rows": noise(5, 650),
    "five columns": noise(650, 5),
    "one row": noise(1, 649),
    "odd": noise(333, 77),
    "constant": np.full((650, 650), 128, np.uint8),
    "saturated": np.full((650, 650), 255, np.uint8),
    "all zero": np.zeros((650, 650), np.uint8),
    "noise": noise(sigma=3),
    "strong noise": noise(sigma=20),
    "checkers": (np.indices((650, 650)).sum(axis=0) % 2 * 255).astype(np.uint8),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_window_has_a_finite_answer_inside_its_borders(detector: Detector, name: str) -> None:
    pixels = HOSTILE[name]
    (finding,) = detector.detect([view(pixels)])
    values = detector.features(view(pixels))
    assert values.shape == (-(-pixels.shape[0] // 2), -(-pixels.shape[1] // 2))
    assert np.isfinite(values).all()
    for region in finding.regions:
        assert 0 <= region.x < region.x + region.width <= pixels.shape[1]
        assert 0 <= region.y < region.y + region.height <= pixels.shape[0]


@pytest.mark.parametrize("name", ["one pixel", "constant", "saturated", "all zero", "noise", "strong noise"])
def test_nothing_is_found_where_nothing_is(detector: Detector, name: str) -> None:
    assert detector.detect([view(HOSTILE[name])])[0].regions == ()


@pytest.mark.parametrize("mode", ["mu_3sigma", "top_fraction", "top_fraction_foreground"])
@pytest.mark.parametrize("name", ["constant", "saturated", "all zero", "noise", "five rows"])
def test_published_modes_survive_degenerate_windows(mode: str, name: str) -> None:
    recipe = Recipe(name="published", threshold=Threshold.model_validate({"mode": mode}))
    (finding,) = Detector.load(recipe, device="cpu").detect([view(HOSTILE[name])])
    assert len(finding.regions) <= 200


@pytest.mark.parametrize("grey", [0, 1, 60, 200, 254, 255])
@pytest.mark.parametrize("shape", [(650, 650), (650, 20), (9, 650), (31, 33)])
def test_flat_window_of_any_grey_and_size_has_no_regions(detector: Detector, grey: int, shape: tuple[int, int]) -> None:
    assert detector.detect([view(np.full(shape, grey, np.uint8))])[0].regions == ()


@pytest.mark.parametrize("mode", ["adaptive", "mu_3sigma", "top_fraction", "top_fraction_foreground"])
def test_threshold_of_a_cut_window_is_that_of_its_valid_pixels(mode: str) -> None:
    recipe = Recipe(name="modes", threshold=Threshold.model_validate({"mode": mode}))
    one = Detector.load(recipe, device="cpu")
    cut = view(noise(333, 77, 15))
    (finding,) = one.detect([cut])
    assert finding.threshold == threshold_levels(one.features(cut), recipe.threshold, one._learnt).seed


def test_published_fraction_flags_windows_that_hold_no_crack() -> None:
    recipe = Recipe(name="published", threshold=Threshold(mode="top_fraction"))
    (finding,) = Detector.load(recipe, device="cpu").detect([view(noise(sigma=3))])
    assert finding.regions


def test_masked_crack_is_not_found() -> None:
    recipe = Recipe(name="masked", masks=(Rectangle(x=1000, y=2000, width=650, height=650),))
    masked = Detector.load(recipe, device="cpu")
    assert masked.detect([view(known_window(650), 1000, 2000)])[0].regions == ()
    assert masked.detect([view(known_window(650), 5000, 2000)])[0].regions != ()


def test_polarity_says_what_a_defect_is() -> None:
    bright, dark = known_window(650), 255 - known_window(650)
    for polarity, finds in (("bright", (1, 0)), ("dark", (0, 1)), ("both", (1, 1))):
        one = Detector.load(Recipe.model_validate({"name": "p", "polarity": polarity}), device="cpu")
        assert tuple(bool(one.detect([view(pixels)])[0].regions) for pixels in (bright, dark)) == finds, polarity


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dark_is_bright_on_the_negative_to_the_bit(dtype: str) -> None:
    bright, dark = (
        Detector.load(Recipe.model_validate({"name": "p", "polarity": p}), "cpu", dtype)  # type: ignore[arg-type]
        for p in ("bright", "dark")
    )
    for pixels in (known_window(650), noise(333, 77, 20), noise(5, 650)):
        assert np.array_equal(bright.features(view(pixels)), dark.features(view(255 - pixels)))
        assert bright.detect([view(pixels)])[0].regions == dark.detect([view(255 - pixels)])[0].regions


@pytest.mark.parametrize("polarity", ["bright", "dark", "both"])
def test_the_known_answer_holds_in_every_polarity(polarity: str) -> None:
    for dtype in ("float32", "bfloat16"):
        recipe = Recipe.model_validate({"name": "p", "polarity": polarity})
        Detector.load(recipe, "cpu", dtype).known_answer()


@pytest.mark.parametrize(("x", "y", "width", "height"), [(325, 301, 50, 61), (0, 0, 326, 650), (324, 0, 1, 650)])
def test_no_pixel_of_a_mask_is_ever_reported(x: int, y: int, width: int, height: int) -> None:
    """Odd borders too: at half resolution a value sees 2 x 2 px."""
    recipe = Recipe(name="masked", masks=(Rectangle(x=1000 + x, y=2000 + y, width=width, height=height),))
    (finding,) = Detector.load(recipe, "cpu").detect([view(known_window(650), 1000, 2000)])
    assert finding.regions
    for region in finding.regions:
        for row, first, last in np.frombuffer(region.runs, "<i4").reshape(-1, 3).tolist():
            assert not (y <= row < y + height and first < x + width and last > x)


def test_without_zones_that_touch_a_window_nothing_changes(detector: Detector) -> None:
    far = Zone(rectangle=Rectangle(x=3000, y=0, width=100, height=100), weight=20)
    zoned = Detector.load(Recipe(name="zones", zones=(far,)), device="cpu")
    for window in (view(known_window(650)), view(noise(), 600)):
        assert zoned.detect([window]) == detector.detect([window])


@pytest.mark.parametrize("mode", ["adaptive", "top_fraction"])
@pytest.mark.parametrize("weight", [-20.0, -1.0, 20.0])
def test_zone_moves_the_evidence_in_any_mode(mode: str, weight: float) -> None:
    zone = Zone(polygon=((1000, 2000), (1650, 2000), (1650, 2650), (1000, 2650)), weight=weight)
    plain, zoned = (
        Detector.load(
            Recipe(name="zones", threshold=Threshold.model_validate({"mode": mode}), zones=zones), "cpu"
        ).detect([view(known_window(650), 1000, 2000)])[0]
        for zones in ((), (zone,))
    )
    best = [max((region.score for region in finding.regions), default=0.0) for finding in (plain, zoned)]
    assert plain.regions
    assert best[1] > best[0] if weight > 0 else best[1] < best[0]
    assert zoned.threshold == plain.threshold


def faint_cracks() -> NDArray[np.uint8]:
    """Nine times the known crack, each fainter than the one before."""
    crack = known_window(200).astype(np.float64)
    shares = np.linspace(0.2, 0.04, 9).reshape(3, 3)
    picture = np.full((650, 650), 110.0)
    picture[:600, :600] += np.vstack([np.hstack([(crack - 110) * share for share in row]) for row in shares])
    return np.clip(picture + np.random.default_rng(2).normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("floor", [None, 5.5, 6.5])
def test_where_a_classifier_vetoes_fainter_regions_are_reported_and_nothing_of_the_others_changes(
    floor: float | None,
) -> None:
    threshold = Threshold(floor=floor)
    plain, veto = (
        Detector.load(Recipe(name="any", threshold=threshold, classifier=classifier), "cpu")
        for classifier in (Classifier(), Classifier(mode="veto"))
    )
    faint = []
    for picture in (known_window(650), faint_cracks()):
        (expected,), (found,) = plain.detect([view(picture)]), veto.detect([view(picture)])
        faint += [region for region in found.regions if region.faint]
        without = tuple(region for region in found.regions if not region.faint)
        assert replace(found, regions=without) == expected
    assert faint


@pytest.mark.parametrize("mode", ["mu_3sigma", "top_fraction", "top_fraction_foreground"])
def test_in_a_mode_without_a_floor_nothing_is_faint(mode: str) -> None:
    threshold = Threshold.model_validate({"mode": mode})
    found = [
        Detector.load(Recipe(name="veto", threshold=threshold, classifier=classifier), "cpu").detect([view(noise())])
        for classifier in (Classifier(), Classifier(mode="veto"))
    ]
    assert found[0] == found[1]


def test_windows_of_several_swaths_and_too_large_ones_are_refused(detector: Detector) -> None:
    with pytest.raises(ValueError, match="several swaths"):
        detector.detect([view(noise(20, 20)), view(noise(20, 20))])
    with pytest.raises(ValueError, match="651 x 10"):
        detector.detect([view(noise(651, 10))])


def test_full_resolution_has_no_weights_yet_and_says_so() -> None:
    with pytest.raises(DetectorError, match="train"):
        Detector.load(Recipe(name="test", resolution="full"), device="cpu")


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    for name in ("detector-half.pt", "detector-half.json"):
        shutil.copy(SHIPPED / name, tmp_path / name)
    content = bytearray((tmp_path / "detector-half.pt").read_bytes())
    content[5000] ^= 1
    (tmp_path / "detector-half.pt").write_bytes(content)
    with pytest.raises(DetectorError, match="sha256"):
        Detector.load(Recipe(name="test", weights=str(tmp_path / "detector-half.pt")), device="cpu")


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff\xfe"])
def test_weights_without_a_readable_card_are_refused(content: bytes | None, tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "detector-half.pt", tmp_path)
    if content is not None:
        (tmp_path / "detector-half.json").write_bytes(content)
    with pytest.raises(DetectorError, match="weights and card go together"):
        Detector.load(Recipe(name="test", weights=str(tmp_path / "detector-half.pt")), device="cpu")


@pytest.mark.parametrize("content", [b"nothing", b"", b"PK\x03\x04"])
def test_garbage_with_its_true_hash_is_refused(content: bytes, tmp_path: Path) -> None:
    card = json.loads((SHIPPED / "detector-half.json").read_text())
    (tmp_path / "own.json").write_text(json.dumps({**card, "sha256": hashlib.sha256(content).hexdigest()}))
    (tmp_path / "own.pt").write_bytes(content)
    with pytest.raises(DetectorError, match="does not fit the recipe's network"):
        Detector.load(Recipe(name="test", weights=str(tmp_path / "own.pt")), device="cpu")


def test_recipe_with_another_number_of_templates_is_refused() -> None:
    with pytest.raises(DetectorError, match="templates"):
        Detector.load(Recipe(name="test", templates=(Template(width=9, height=20, step=5),)), device="cpu")


def test_wrong_answer_is_told(tmp_path: Path) -> None:
    for name in ("detector-half.pt", "detector-half.json"):
        shutil.copy(SHIPPED / name, tmp_path / name)
    card = json.loads((tmp_path / "detector-half.json").read_text())
    card["known_answer"]["crack"] += 5
    (tmp_path / "detector-half.json").write_text(json.dumps(card))
    with pytest.raises(DetectorError, match=r"crack: .* instead of"):
        Detector.load(Recipe(name="test", weights=str(tmp_path / "detector-half.pt")), device="cpu")


def spoilt(folder: Path, value: float, **card: object) -> Recipe:
    """A recipe of weights that are all that value, with their true hash and a card that says so."""
    state = torch.load(SHIPPED / "detector-half.pt", weights_only=True)
    filled = {name: torch.full_like(one, value) if one.is_floating_point() else one for name, one in state.items()}
    torch.save(filled, folder / "own.pt")
    said = json.loads((SHIPPED / "detector-half.json").read_text())
    said["sha256"] = hashlib.sha256((folder / "own.pt").read_bytes()).hexdigest()
    (folder / "own.json").write_text(json.dumps({**said, **card}))
    return Recipe(name="spoilt", weights=str(folder / "own.pt"))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 1.0])
def test_weights_of_any_one_value_are_no_detector_whatever_their_hash(tmp_path: Path, value: float) -> None:
    with pytest.raises(DetectorError, match="known-answer window"):
        Detector.load(spoilt(tmp_path, value), "cpu")


@pytest.mark.parametrize(
    "known",
    [
        {"crack": np.nan, "median": np.nan},
        {"crack": 0.0, "median": 0.0},
        {"crack": np.inf, "median": 0.0},
        {},
        [1],
        "a",
    ],
)
def test_a_known_answer_in_which_no_crack_stands_out_proves_nothing(tmp_path: Path, known: object) -> None:
    with pytest.raises(DetectorError, match="train the weights again"):
        Detector.load(spoilt(tmp_path, 0.0, known_answer=known), "cpu")


@pytest.mark.parametrize(
    "threshold",
    [
        {"floor": np.nan, "grow": 3.5, "spread": 0.4},
        {"floor": np.inf, "grow": 3.5, "spread": 0.4},
        {"floor": 3.0, "grow": -1.0, "spread": 0.4},
        {"floor": 3.0, "grow": 3.5, "spread": -0.1},
        {"floor": "3", "grow": 3.5, "spread": 0.4},
        {"floor": 3.0},
        None,
    ],
)
def test_a_learnt_threshold_that_is_none_is_refused(tmp_path: Path, threshold: object) -> None:
    with pytest.raises(DetectorError, match="threshold"):
        Detector.load(spoilt(tmp_path, 0.0, threshold=threshold), "cpu")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("polarity", ["bright", "both"])
def test_a_window_whose_values_are_no_numbers_is_not_scored(value: float, polarity: str) -> None:
    """A bit that flips in memory after the proof."""
    one = Detector.load(Recipe.model_validate({"name": "test", "polarity": polarity}), "cpu")
    assert one.detect([view(known_window(650))])[0].scored
    with torch.no_grad():
        list(one._network.parameters())[-1].fill_(value)
    (finding,) = one.detect([view(known_window(650))])
    assert (finding.scored, finding.regions) == (False, ())
    with pytest.raises(DetectorError, match="restart, check memory"):
        one.known_answer()


def test_number_formats_agree() -> None:
    single = Detector.load(Recipe(name="test"), device="cpu", dtype="float32")
    short = Detector.load(Recipe(name="test"), device="cpu", dtype="bfloat16")
    difference = np.abs(single.features(view(known_window(650))) - short.features(view(known_window(650))))
    assert float(np.quantile(difference, 0.99)) < 0.5
    assert single.facts["dtype"] == "float32"


@pytest.mark.parametrize("name", ["general", "P10B", "02CG", "EA10B", "U20B"])
def test_the_known_answer_holds_under_every_recipe_that_ships(name: str) -> None:
    for dtype in ("float32", "bfloat16"):
        Detector.load(load_recipe(name), device="cpu", dtype=dtype).known_answer()
