"""The columns of a plate and of a defect, for every program that reads them: one list for CSV, Parquet and JSON.

A column keeps its name, its kind and its meaning; new ones are added at the end of their list.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

from daemon.store.rows import PlateRow
from stages.challenge import Change
from stages.mark import Mark, MarkKind
from stages.plate import Defect, found_and_vetoed

Row = TypeVar("Row")


class Kind(StrEnum):
    """What a column holds; any may be empty, which is null in JSON and Parquet."""

    TEXT = "text"
    INTEGER = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    TIME = "time"
    WORDS = "list of texts"


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table."""

    name: str
    kind: Kind
    meaning: str
    """A sentence without its full stop, in Markdown."""
    value: Callable[[Row], Any]
    """Of its kind: str, int, float, bool, datetime in UTC or a tuple of str; or None."""


@dataclass(frozen=True, slots=True)
class DefectRow:
    """A defect with its plate and what people say of it."""

    plate: PlateRow
    number: int | None
    """1 being the worst; None of a missed crack."""
    defect: Defect | None
    """None of a missed crack."""
    mark: Mark | None


def defect_rows(row: PlateRow) -> list[DefectRow]:
    """The defects of a plate, worst first, then the cracks that were missed."""
    marks = {mark.defect: mark for mark in row.marks if mark.defect is not None}
    found = [DefectRow(row, number, one, marks.get(number)) for number, one in enumerate(row.defects, start=1)]
    return found + [DefectRow(row, None, None, mark) for mark in row.marks if mark.defect is None]


def _plate(name: str, kind: Kind, meaning: str, value: Callable[[PlateRow], Any] | None = None) -> Column[PlateRow]:
    return Column(name, kind, meaning, value or attrgetter(name))


def _most(values: list[float | None]) -> float | None:
    return max((value for value in values if value is not None and math.isfinite(value)), default=None)


def _marked(kind: MarkKind) -> Callable[[PlateRow], int]:
    return lambda row: sum(mark.kind is kind for mark in row.marks)


def _counted(index: int) -> Callable[[PlateRow], int | None]:
    return lambda row: None if row.verdict is None else found_and_vetoed(row.defects)[index]


def _archived(name: str) -> Callable[[PlateRow], Any]:
    return lambda row: None if row.archive is None else getattr(row.archive, name)


def _challenged(name: str) -> Callable[[PlateRow], Any]:
    return lambda row: None if row.challenge is None else getattr(row.challenge, name)


def _changed(change: Change) -> Callable[[PlateRow], int | None]:
    return lambda row: None if row.challenge is None else row.challenge.count(change)


PLATE_COLUMNS = (
    _plate("plate", Kind.INTEGER, "number of the plate"),
    _plate("run", Kind.TEXT, "run of the service, 32 hexadecimal digits"),
    _plate("seen_at", Kind.TIME, "when the switch saw its leading edge"),
    _plate("decided_at", Kind.TIME, "when its verdict was stored"),
    _plate("recipe", Kind.TEXT, "name of the recipe"),
    _plate("product", Kind.TEXT, "product of the recipe"),
    _plate("batch_id", Kind.TEXT, "batch"),
    _plate("part_id", Kind.TEXT, "part, as the PLC says"),
    _plate("part_unknown", Kind.TEXT, "why the ids that a PLC was to give are not known"),
    _plate("image", Kind.TEXT, "image file of a replay"),
    _plate("camera", Kind.TEXT, "serial number of the camera"),
    _plate("simulated", Kind.FLAG, "the sheet was simulated"),
    _plate("verdict", Kind.TEXT, "OK, NG or INCONCLUSIVE; empty while the plate is open"),
    _plate("causes", Kind.WORDS, "why, most telling first ([list](../how-to/read-results.md#what-a-verdict-means))"),
    _plate("reason", Kind.TEXT, "the same in a sentence, with the values found"),
    _plate("warnings", Kind.WORDS, "what else there is to say"),
    _plate("complete", Kind.FLAG, "every window was scored and every row delivered"),
    _plate("defect_count", Kind.INTEGER, "defects that count", _counted(0)),
    _plate("vetoed_count", Kind.INTEGER, "further defects, which the classifier vetoed", _counted(1)),
    _plate(
        "worst_score",
        Kind.NUMBER,
        "highest score of a defect that counts, 0 to 1",
        lambda row: _most([one.score for one in row.defects if not one.vetoed]),
    ),
    _plate(
        "worst_probability",
        Kind.NUMBER,
        "highest chance of a crack of a defect, 0 to 1",
        lambda row: _most([one.probability for one in row.defects]),
    ),
    _plate("confirmed_count", Kind.INTEGER, "defects that people confirmed", _marked(MarkKind.CONFIRMED)),
    _plate("false_alarm_count", Kind.INTEGER, "defects that people called false alarms", _marked(MarkKind.FALSE_ALARM)),
    _plate("missed_count", Kind.INTEGER, "cracks that people marked as missed", _marked(MarkKind.MISSED)),
    _plate("rows", Kind.INTEGER, "length along the travel, px"),
    _plate("columns", Kind.INTEGER, "width across, px"),
    _plate("windows", Kind.INTEGER, "windows of the plate"),
    _plate("windows_scored", Kind.INTEGER, "windows that were scored"),
    _plate("coverage", Kind.NUMBER, "judged share of the plate, 0 to 1"),
    _plate("brightness", Kind.NUMBER, "mean grey value, 0 to 255"),
    _plate("contrast", Kind.NUMBER, "standard deviation of the grey values"),
    _plate("saturation", Kind.NUMBER, "clipped share of the pixels, 0 to 1"),
    _plate("focus", Kind.NUMBER, "sharpness"),
    _plate("unevenness", Kind.NUMBER, "how much brighter its brightest columns are than its darkest, as a share"),
    _plate("optics", Kind.WORDS, "faults of the optics that stood then"),
    _plate("classifier", Kind.TEXT, "mode of the classifier, and what was missing"),
    _plate("latency_s", Kind.NUMBER, "seconds from its last rows to its verdict"),
    _plate("pictures", Kind.TEXT, "folder of its pictures, below the state directory"),
    _plate("recipe_sha256", Kind.TEXT, "hash of the recipe"),
    _plate("configuration_sha256", Kind.TEXT, "hash of the configuration"),
    _plate("weights_sha256", Kind.TEXT, "hash of the detector's weights"),
    _plate("classifier_sha256", Kind.TEXT, "hash of the classifier's weights"),
    _plate("code_sha256", Kind.TEXT, "hash of the program"),
    _plate("archive_path", Kind.TEXT, "file of its pixels, below the state directory or whole", _archived("path")),
    _plate("archive_bytes", Kind.INTEGER, "size of that file", _archived("bytes")),
    _plate("archive_sha256", Kind.TEXT, "SHA-256 of that file", _archived("sha256")),
    _plate("archive_missing", Kind.TEXT, "why a plate that was to be archived has no file", _archived("missing")),
    _plate("challenger", Kind.TEXT, "recipe of the candidate that judged it last", _challenged("recipe")),
    _plate("challenger_verdict", Kind.TEXT, "the candidate's verdict, which changes none", _challenged("verdict")),
    _plate("challenger_change", Kind.TEXT, "what the candidate would change of it", _challenged("kind")),
    _plate("challenger_new_count", Kind.INTEGER, "defects that the candidate alone counts", _changed(Change.NEW)),
    _plate("challenger_gone_count", Kind.INTEGER, "defects that the candidate does not count", _changed(Change.GONE)),
)
"""Of `linesentry results` and `linesentry inspect`."""


def _defect(name: str, kind: Kind, meaning: str, value: Callable[[DefectRow], Any] | None = None) -> Column[DefectRow]:
    return Column(name, kind, meaning, value or (lambda row: None if row.defect is None else getattr(row.defect, name)))


def _of_plate(name: str) -> Column[DefectRow]:
    column = next(one for one in PLATE_COLUMNS if one.name == name)
    return Column(name, column.kind, column.meaning, lambda row: column.value(row.plate))


def _of_mark(value: Callable[[Mark], Any]) -> Callable[[DefectRow], Any]:
    return lambda row: None if row.mark is None else value(row.mark)


def _of_place(name: str) -> Callable[[DefectRow], Any]:
    return lambda row: None if row.mark is None or row.mark.place is None else getattr(row.mark.place, name)


DEFECT_COLUMNS = (
    *map(_of_plate, ("plate", "seen_at", "recipe", "product", "batch_id", "part_id", "image", "camera", "verdict")),
    _defect("defect", Kind.INTEGER, "number on the plate, 1 being the worst", lambda row: row.number),
    _defect("x", Kind.INTEGER, "left edge of its box, px of the plate"),
    _defect("y", Kind.INTEGER, "upper edge of its box, px of the plate"),
    _defect("width", Kind.INTEGER, "width of its box across, px"),
    _defect("height", Kind.INTEGER, "height of its box along the travel, px"),
    _defect("x_mm", Kind.NUMBER, "left edge, mm"),
    _defect("y_mm", Kind.NUMBER, "upper edge, mm"),
    _defect("width_mm", Kind.NUMBER, "width, mm"),
    _defect("height_mm", Kind.NUMBER, "height, mm"),
    _defect("area", Kind.INTEGER, "pixels"),
    _defect("score", Kind.NUMBER, "score of the detector, 0 to 1"),
    _defect("probability", Kind.NUMBER, "chance of a crack by the classifier, 0 to 1"),
    _defect("vetoed", Kind.FLAG, "the classifier vetoed it"),
    _defect("edge", Kind.FLAG, "it reaches to the plate's edge"),
    _defect("peak_x", Kind.INTEGER, "its worst pixel, across"),
    _defect("peak_y", Kind.INTEGER, "its worst pixel, along the travel"),
    _defect("mark", Kind.TEXT, "confirmed, false alarm or missed crack", _of_mark(lambda mark: mark.kind.value)),
    _defect("mark_why", Kind.TEXT, "why it was marked so", _of_mark(lambda mark: mark.why)),
    _defect("mark_who", Kind.TEXT, "who marked it", _of_mark(lambda mark: mark.who)),
    _defect("mark_at", Kind.TIME, "when it was marked", _of_mark(lambda mark: mark.at)),
    _defect("missed_shape", Kind.TEXT, "of a missed crack: box or line", _of_place("shape")),
    _defect("missed_x0", Kind.INTEGER, "of a missed crack, px", _of_place("x0")),
    _defect("missed_y0", Kind.INTEGER, "likewise", _of_place("y0")),
    _defect("missed_x1", Kind.INTEGER, "likewise", _of_place("x1")),
    _defect("missed_y1", Kind.INTEGER, "likewise", _of_place("y1")),
)
"""Of `linesentry export csv`: a row for each defect, and for each missed crack."""
