"""What a person at a terminal reads when a run is over."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from config.load import load_recipe
from daemon.cli.plate_progress import Passing
from daemon.cli.summary import Summary, Totals, Truth
from daemon.store.pictures import plate_directory
from stages.events import VerdictCommitted
from stages.plate import Cause, Defect, PlateResult, Verdict

RESULT = PlateResult(
    run="a" * 32,
    plate=12,
    verdict=Verdict.INCONCLUSIVE,
    causes=(Cause.FOCUS,),
    reason="focus 0.020 in 3 of 33 bands, least is 0.080",
    complete=True,
    rows=19_214,
    columns=9_777,
    windows=561,
    windows_scored=561,
    coverage=0.998,
)
TOTALS = Totals(
    seen=1,
    verdicts={Verdict.OK: 0, Verdict.NG: 0, Verdict.INCONCLUSIVE: 1},
    left=(),
    cut_short=(),
    pixels=187_855_278,
    seconds=6.5,
    workers=2,
)


def decided(result: PlateResult = RESULT) -> Passing:
    """A plate that was worked on for 6.2 s."""
    return Passing(result.plate, decided=VerdictCommitted(result, 0.41, inspection_s=6.2))


def said(
    state: Path, plates: list[Passing], totals: Totals = TOTALS, truth: Truth | None = None, first_plate: int = 12
) -> str:
    """The summary on a terminal of 80 columns."""
    out = io.StringIO()
    console = Console(width=80, file=out, force_terminal=True, color_system=None)
    Summary(console, load_recipe("P10B"), state, RESULT.run).show(totals, plates, truth, first_plate)
    return out.getvalue()


def written(state: Path, plate: int) -> Path:
    """The folder of a plate's pictures, with those of three defects."""
    folder = plate_directory(state, RESULT.run, plate)
    folder.mkdir(parents=True)
    for name in ("overview.jpg", "defect-001.png", "defect-001-heat.png", "defect-002.png", "defect-1000.png"):
        (folder / name).touch()
    return folder


def columns(text: str) -> dict[str, str]:
    """The first plate's row by the names in the head."""
    head, row = text.splitlines()[:2]
    return dict(zip(head.split(), row.replace(" s ", "s ").split(), strict=True))


def test_the_table_fits_80_columns_and_names_speed_totals_and_where_the_results_are(tmp_path: Path) -> None:
    text = said(tmp_path, [decided()], truth=[[]])
    assert columns(text) == {
        "plate": "12",
        "verdict": "INCONCLUSIVE",
        "defects": "0",
        "true": "0",
        "false": "0",
        "missed": "0",
        "judged": "99.8%",
        "latency": "0.41s",
        "mm2/s": "65,645",
        "Mpx/s": "30.3",
    }
    assert "\u2026" not in text  # nothing was cut
    assert "plates    1 seen: 0 OK, 0 NG, 1 INCONCLUSIVE" in text
    assert "together  6.5 s: 62,615 mm2/s, 28.9 Mpx/s, workers: 2" in text
    assert f"results   {tmp_path}/results.sqlite" in text


def test_vetoed_defects_are_neither_found_nor_false_and_have_a_column(tmp_path: Path) -> None:
    crack = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
    result = replace(RESULT, defects=(crack, *(replace(crack, x=900 + 50 * n, vetoed=True) for n in range(2))))
    truth = {"x": 100, "y": 200, "width": 12, "height": 80, "visible": 1.0}
    row = columns(said(tmp_path, [decided(result)], truth=[[truth]]))
    assert [row[name] for name in ("defects", "vetoed", "true", "false", "missed")] == ["1", "2", "1", "0", "0"]


def test_the_sheets_of_a_simulated_line_come_round_again(tmp_path: Path) -> None:
    crack = {"x": 100, "y": 200, "width": 12, "height": 80, "visible": 1.0}
    assert columns(said(tmp_path, [decided()], truth=[[crack], []], first_plate=10))["missed"] == "1"
    assert columns(said(tmp_path, [decided()], truth=[[crack], []], first_plate=11))["missed"] == "0"


def test_pictures_of_the_classifiers_evidence_are_no_crops_of_further_defects(tmp_path: Path) -> None:
    folder = written(tmp_path, 12)
    assert f"pictures  {folder}/overview.jpg and 3 crops beside it" in said(tmp_path, [decided()])


def test_pictures_of_many_plates_take_one_line(tmp_path: Path) -> None:
    folder = written(tmp_path, 12)
    written(tmp_path, 13)
    text = said(tmp_path, [decided(), decided(replace(RESULT, plate=13)), decided(replace(RESULT, plate=14))])
    assert f"pictures  {folder.parent}, a folder a plate: 2 overviews, 6 crops" in text


def test_a_long_run_shows_its_latest_plates_and_says_how_to_list_the_others(tmp_path: Path) -> None:
    text = said(tmp_path, [decided()], replace(TOTALS, verdicts={Verdict.OK: 5000, Verdict.INCONCLUSIVE: 1}))
    assert "the latest 1 of 5001 plates; `linesentry results --limit 5001` has all" in text


@pytest.mark.parametrize(
    ("totals", "text"),
    [
        (replace(TOTALS, cut_short=(3, 4)), "3, 4 ended at once, without all their windows: INCONCLUSIVE"),
        (replace(TOTALS, left=(5,)), "5 without a verdict: the next start makes them INCONCLUSIVE"),
    ],
)
def test_plates_that_were_not_finished_are_named(tmp_path: Path, totals: Totals, text: str) -> None:
    assert text in said(tmp_path, [], totals)
