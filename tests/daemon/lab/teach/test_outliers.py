"""Which sheets are not like the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from daemon.lab.teach.look import Looked
from daemon.lab.teach.outliers import Odd, odd_sheets
from daemon.lab.teach.places import Offset, Place
from daemon.lab.teach.sheets import Sheet
from models.detector.findings import Quality, score_of
from stages.plate import Cause, Defect, PlateResult, Verdict

SHARP = Quality(unmasked=100, judged=100, fine=30.0, coarse=100.0)
BLURRED = Quality(unmasked=100, judged=100, fine=9.0, coarse=100.0)


def looked(name: str, alarms: list[tuple[float, int]], quality: Quality = SHARP, *causes: Cause) -> Looked:
    """A sheet with alarms of so much evidence, each at its x."""
    defects = tuple(
        Defect(x, 500, 10, 50, 300, score_of(evidence, 0.0), x + 5, 525, edge=False) for evidence, x in alarms
    )
    verdict = Verdict.NG if defects else Verdict.OK
    plate = PlateResult("", 0, verdict, causes, "", True, 900, 900, 4, 4, 1.0, defects=defects, quality=quality)
    sheet = Sheet(Path(name), name, 900, 900, 0)
    return Looked(sheet, plate, defects, np.zeros((9, 9), np.float32), 1.0)


def odd_of(sheets: list[Looked], places: list[Place] | None = None) -> list[Odd]:
    return odd_sheets(sheets, [Offset(0, 0)] * len(sheets), places or [])


def names(found: list[Odd]) -> list[str]:
    return [one.looked.sheet.name for one in found]


def test_sheets_that_are_alike_are_all_used() -> None:
    assert odd_of([looked(str(number), [(0.3 * number, 100 * number)]) for number in range(9)]) == []


def test_a_sheet_out_of_focus_is_left_out() -> None:
    (found,) = odd_of([looked("blur", [], BLURRED), *(looked(str(number), []) for number in range(9))])
    assert found.looked.sheet.name == "blur"
    assert found.left_out
    assert "out of focus: 0.090, the others 0.300" in found.why


def test_an_alarm_on_one_sheet_of_a_silent_product_is_an_overlooked_crack() -> None:
    sheets = [looked(str(number), []) for number in range(8)] + [looked("crack", [(2.5, 300)])]
    (found,) = odd_of(sheets)
    assert names([found]) == ["crack"]
    assert found.left_out
    assert found.alarm is not None
    assert found.alarm.x == 300


def test_on_a_product_that_alarms_everywhere_only_what_is_far_stronger_is_odd() -> None:
    sheets = [looked(str(number), [(2 + 0.2 * number, 90 * number), (1.0, 9)]) for number in range(9)]
    assert odd_of(sheets) == []
    assert names(odd_of([*sheets, looked("crack", [(6.5, 300)])])) == ["crack"]


def test_what_stands_at_a_place_of_the_die_makes_no_sheet_odd() -> None:
    sheets = [looked(str(number), []) for number in range(8)] + [looked("mark", [(2.5, 300)])]
    mark = Place((302, 505, 10, 50), (8,), 9, 2.5)
    assert odd_of(sheets, [mark]) == []


def test_one_in_five_is_left_out_for_its_alarms_the_strongest_first_and_the_others_are_told() -> None:
    sheets = [looked(str(number), []) for number in range(7)]
    sheets += [looked(f"crack {evidence}", [(evidence, 300)]) for evidence in (3.0, 5.0, 4.0)]
    found = odd_of(sheets)
    assert names(found) == ["crack 5.0", "crack 4.0", "crack 3.0"]
    assert [one.left_out for one in found] == [True, True, False]


def test_a_picture_that_the_line_would_not_judge_is_left_out_with_its_cause() -> None:
    sheets = [looked(str(number), []) for number in range(8)]
    (found,) = odd_of([*sheets, looked("dark", [], SHARP, Cause.BRIGHTNESS)])
    assert found.why == "the picture itself is in doubt: brightness"
    # A defect alone is no doubt of the picture.
    one = looked("ng", [(0.1, 5)])
    assert odd_of([*sheets, replace(one, plate=replace(one.plate, causes=(Cause.DEFECT,)))]) == []
