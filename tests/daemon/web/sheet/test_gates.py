"""The gates of a plate, as its page tells them."""

from __future__ import annotations

from dataclasses import replace

from config.schema import Recipe
from daemon.store.rows import PlateRow
from daemon.web.sheet.gates import Gate, Passed, gates_of
from daemon.web.sheet.stored import recipe_of
from stages.plate import Cause, Verdict
from tests.daemon.web.sheet.conftest import WITH_CRACKS, Sheets


def gate(row: PlateRow, recipe: Recipe | None, name: str) -> Gate:
    return next(one for one in gates_of(row, recipe) if one.name == name)


def test_each_gate_has_the_value_that_was_found_and_the_limits_of_the_recipe(sheets: Sheets) -> None:
    row = sheets.row()
    recipe = recipe_of(sheets.made.settings, row)
    assert recipe is not None
    brightness = gate(row, recipe, "brightness")
    assert brightness == Gate("brightness", f"{row.brightness:.1f}", "30.0", "225.0", Passed.YES, "")
    assert gate(row, recipe, "length") == Gate("length", "700", "686", "714", Passed.YES, "")
    score = gate(row, recipe, "score")
    assert (score.most, score.passed) == ("0.50", Passed.NO)
    assert score.said == row.reason


def test_limits_of_a_recipe_that_has_changed_since_are_not_made_up(sheets: Sheets) -> None:
    changed = replace(sheets.row(), recipe_sha256="0" * 64)
    assert recipe_of(sheets.made.settings, changed) is None
    brightness = gate(changed, None, "brightness")
    assert (brightness.least, brightness.most, brightness.passed) == ("", "", Passed.YES)


def test_a_gate_that_failed_says_it_in_the_words_of_the_verdict(sheets: Sheets) -> None:
    words = "focus 0.020 in 1 of 2 bands, least is 0.080"
    both = (Cause.DEFECT, Cause.FOCUS)
    failed = replace(sheets.row(), verdict=Verdict.NG, causes=both, reason=f"3 defects; {words}")
    assert gate(failed, None, "focus").passed is Passed.NO
    assert gate(failed, None, "focus").said == words
    warned = replace(sheets.row(), warnings=("saturated share 9.0% in 1 of 2 bands, most is 5.0%",))
    assert gate(warned, None, "saturation").passed is Passed.WARNED


def test_of_a_plate_that_has_no_rows_no_gate_is_passed(sheets: Sheets) -> None:
    measured = ("brightness", "contrast", "saturation", "focus", "coverage")
    nothing = dict.fromkeys(measured, None)
    empty = replace(
        sheets.row(WITH_CRACKS),
        causes=(Cause.NO_ROWS,),
        reason="the camera delivered no row of the sheet",
        rows=0,
        windows=0,
        windows_scored=0,
        defects=(),
        **nothing,  # type: ignore[arg-type]
    )
    gates = {one.name: one.passed for one in gates_of(empty, None)}
    assert gates.pop("rows") is Passed.NO
    assert set(gates.values()) == {Passed.UNKNOWN}
