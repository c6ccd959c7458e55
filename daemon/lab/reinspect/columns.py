"""The columns of a re-inspection: a row for each plate of the selection, and one for each defect that would change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from daemon.lab.reinspect.held import Held, mark_of, pairs_of
from daemon.store.columns import PLATE_COLUMNS, Column, Kind
from daemon.store.tables import as_json
from stages.comparison import Counterparts
from stages.plate import Defect


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A plate, or one defect of it that would change."""

    plate: Held
    change: Counterparts | None = None
    """None of the plate itself."""


def change_rows(plate: Held) -> list[ChangeRow]:
    """The plate's row, then those of its defects that would change."""
    changed = () if plate.difference is None else plate.difference.changed
    return [ChangeRow(plate), *(ChangeRow(plate, one) for one in changed)]


def to_json(plate: Held) -> dict[str, Any]:
    """The plate as values that JSON knows, with its defects that would change."""
    first, *rest = change_rows(plate)
    return as_json(first, OF_PLATE) | {"changes": [as_json(row, OF_CHANGE) for row in rest]}


def _of_plate(name: str) -> Column[ChangeRow]:
    column = next(one for one in PLATE_COLUMNS if one.name == name)
    return Column(name, column.kind, column.meaning, lambda row: column.value(row.plate.row))


def _difference(name: str, kind: Kind, meaning: str, value: Callable[[Any], Any]) -> Column[ChangeRow]:
    return Column(
        name,
        kind,
        meaning,
        lambda row: None if row.plate.difference is None else value(row.plate.difference),
    )


def _changed(name: str, kind: Kind, meaning: str, value: Callable[[Counterparts], Any]) -> Column[ChangeRow]:
    return Column(name, kind, meaning, lambda row: None if row.change is None else value(row.change))


def _place(row: ChangeRow, name: str) -> int | None:
    """Of the stored defect's box, else of the candidate's."""
    before, after = _pair(row)
    one = after if before is None else before
    return None if one is None else getattr(one, name)


def _pair(row: ChangeRow) -> tuple[Defect | None, Defect | None]:
    return (None, None) if row.change is None else pairs_of(row.plate, row.change)


def _stored(name: str) -> Callable[[ChangeRow], Any]:
    return lambda row: None if _pair(row)[0] is None else getattr(_pair(row)[0], name)


def _candidates(name: str) -> Callable[[ChangeRow], Any]:
    return lambda row: None if _pair(row)[1] is None else getattr(_pair(row)[1], name)


def _mark(name: str) -> Callable[[ChangeRow], Any]:
    def value(row: ChangeRow) -> str | None:
        mark = None if row.change is None else mark_of(row.plate, row.change)
        found = None if mark is None else getattr(mark, name)
        return None if found is None else str(found)

    return value


OF_PLATE: tuple[Column[ChangeRow], ...] = (
    *map(_of_plate, ("plate", "seen_at", "recipe", "product", "batch_id", "part_id", "image", "camera")),
    _of_plate("verdict"),
    _of_plate("causes"),
    _difference("candidate_verdict", Kind.TEXT, "verdict by the candidate", lambda one: one.verdict.value),
    _difference(
        "candidate_causes", Kind.WORDS, "causes of that verdict", lambda one: tuple(cause.value for cause in one.causes)
    ),
    _difference(
        "standing_causes",
        Kind.WORDS,
        "those of them that no recipe takes away",
        lambda one: tuple(cause.value for cause in one.standing),
    ),
    Column(
        "outcome",
        Kind.TEXT,
        "what would change, or why that is not known ([list](../how-to/reinspect.md#what-comes-of-each-plate))",
        lambda row: str(row.plate.outcome_words),
    ),
    Column("detail", Kind.TEXT, "more of the outcome, where there is more", lambda row: row.plate.detail or None),
)
OF_CHANGE: tuple[Column[ChangeRow], ...] = (
    _changed(
        "change", Kind.TEXT, "of a defect: gone or new; empty in the row of a plate", lambda one: one.change.value
    ),
    _changed("defect", Kind.INTEGER, "number of the stored defect there, 1 being the worst", lambda one: one.stored),
    _changed("candidate_defect", Kind.INTEGER, "number of the candidate's defect there", lambda one: one.candidate),
    *(
        Column(name, Kind.INTEGER, meaning, lambda row, name=name: _place(row, name))  # type: ignore[misc]
        for name, meaning in (
            ("x", "left edge of the stored defect's box, else of the candidate's, px of the plate"),
            ("y", "upper edge of it, px"),
            ("width", "its width across, px"),
            ("height", "its height along the travel, px"),
        )
    ),
    Column("score", Kind.NUMBER, "stored score, 0 to 1", _stored("score")),
    Column("candidate_score", Kind.NUMBER, "score by the candidate, 0 to 1", _candidates("score")),
    Column("probability", Kind.NUMBER, "stored chance of a crack, 0 to 1", _stored("probability")),
    Column("candidate_probability", Kind.NUMBER, "chance of a crack by the candidate", _candidates("probability")),
    Column("vetoed", Kind.FLAG, "the classifier had vetoed the stored defect", _stored("vetoed")),
    Column("candidate_vetoed", Kind.FLAG, "the candidate's classifier vetoes it", _candidates("vetoed")),
    Column("mark", Kind.TEXT, "what somebody said of the stored defect, or of the missed crack there", _mark("kind")),
    Column("mark_why", Kind.TEXT, "why", _mark("why")),
)
REINSPECT_COLUMNS = (*OF_PLATE, *OF_CHANGE)
"""Of `linesentry reinspect --csv`."""
