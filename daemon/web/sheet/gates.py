"""The gates that a plate had to pass, each with the value that was found and what its recipe allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from config.schema import Limits, Recipe
from daemon.store.rows import PlateRow
from stages.plate import Cause

_OF_BANDS = {
    Cause.BRIGHTNESS: ("brightness", "{:.1f}"),
    Cause.CONTRAST: ("contrast", "{:.2f}"),
    Cause.SATURATION: ("saturation", "{:.1%}"),
    Cause.FOCUS: ("focus", "{:.3f}"),
}
"""Name in recipe and store, and form of the value."""
_WARNING = {Cause.SATURATION: "saturated share"}
"""How a warning begins, where that is not the cause's own word (stages/gates.py)."""
_INTEGRITY = (
    Cause.NOISE,
    Cause.FAULTY_BIT,
    Cause.NEGATIVE,
    Cause.ROWS_MISPLACED,
    Cause.COLUMNS_MISPLACED,
    Cause.GAIN_JUMPS,
    Cause.ROWS_REPEATED,
    Cause.COLUMNS_REPEATED,
    Cause.COLUMNS_DEAD,
)


class Passed(StrEnum):
    """How a plate stands to a gate."""

    YES = "passed"
    NO = "failed"
    WARNED = "warned"
    """It failed, and the recipe only warns."""
    UNKNOWN = "unknown"
    """Nothing was measured."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate of one plate."""

    name: str
    """Its word in the tables of words."""
    value: str
    """What was found; of brightness, contrast, saturation and focus the mean over the plate. Empty: nothing."""
    least: str
    """What is allowed; empty where there is no limit, or the recipe is not known any more."""
    most: str
    passed: Passed
    said: str
    """In the words of the verdict; empty where it passed."""


def gates_of(row: PlateRow, recipe: Recipe | None) -> list[Gate]:
    """The gates of a plate with a verdict; of one without rows only the first says something."""
    said = _said(row)
    gates = [_score(row, recipe, said), _length(row, recipe, said), _rows(row, said), _windows(row, said)]
    gates.append(_coverage(row, recipe, said))
    gates += [_of_bands(row, recipe, said, cause) for cause in _OF_BANDS]
    found = [cause for cause in _INTEGRITY if cause in said]
    words = "; ".join(said[cause] for cause in found)
    measured = bool(row.windows_scored)
    integrity = Passed.NO if found else Passed.YES if measured else Passed.UNKNOWN
    gates.append(Gate("picture_check", "", "", "", integrity, words))
    return gates


def _said(row: PlateRow) -> dict[Cause, str]:
    """The words of each cause: they stand in the reason in the order of the causes."""
    parts = (row.reason or "").split("; ")
    if len(parts) != len(row.causes):
        return dict.fromkeys(row.causes, row.reason or "")
    return dict(zip(row.causes, parts, strict=True))


def _gate(name: str, value: str, limits: tuple[str, str], words: Sequence[str], *, measured: bool) -> Gate:
    """Failed where there are words for it."""
    passed = Passed.NO if words else Passed.YES if measured else Passed.UNKNOWN
    return Gate(name, value, *limits, passed, "; ".join(dict.fromkeys(words)))


def _words(said: dict[Cause, str], *causes: Cause) -> list[str]:
    return [said[cause] for cause in causes if cause in said]


def _score(row: PlateRow, recipe: Recipe | None, said: dict[Cause, str]) -> Gate:
    scores = [defect.score for defect in row.defects if not defect.vetoed]
    value = f"{max(scores):.2f}" if scores else ""
    most = "" if recipe is None else f"{recipe.decision.ng_score:.2f}"
    words = _words(said, Cause.DEFECT, Cause.CLASSIFIER_LATE)
    return _gate("score", value, ("", most), words, measured=bool(row.windows_scored))


def _length(row: PlateRow, recipe: Recipe | None, said: dict[Cause, str]) -> Gate:
    least = most = ""
    if recipe is not None and recipe.length is not None:
        nominal, tolerance = recipe.length.nominal_rows, recipe.length.tolerance
        least, most = f"{nominal * (1 - tolerance):,.0f}", f"{nominal * (1 + tolerance):,.0f}"
    value = "" if row.rows is None else f"{row.rows:,}"
    words = _words(said, Cause.TOO_LONG, Cause.TOO_SHORT, Cause.TOO_SMALL)
    return _gate("length", value, (least, most), words, measured=bool(row.rows))


def _rows(row: PlateRow, said: dict[Cause, str]) -> Gate:
    value = ", ".join(f"{why} {times}" for why, times in row.losses.items())
    words = _words(said, Cause.ROWS_MISSING, Cause.NO_ROWS, Cause.ACQUISITION_DIED, Cause.STARTED_MID_SHEET)
    return _gate("rows", value, ("", ""), words, measured=bool(row.rows))


def _windows(row: PlateRow, said: dict[Cause, str]) -> Gate:
    value = "" if row.windows is None else f"{row.windows_scored or 0:,}"
    least = f"{row.windows:,}" if row.windows else ""
    words = _words(said, Cause.WINDOW_FAILED, Cause.WINDOW_QUARANTINED, Cause.REGIONS_TRUNCATED)
    return _gate("windows", value, (least, ""), words, measured=bool(row.windows) and row.windows == row.windows_scored)


def _coverage(row: PlateRow, recipe: Recipe | None, said: dict[Cause, str]) -> Gate:
    value = "" if row.coverage is None else f"{row.coverage:.1%}"
    least = "" if recipe is None else f"{recipe.gates.judged:.1%}"
    return _gate("coverage", value, (least, ""), _words(said, Cause.COVERAGE), measured=row.coverage is not None)


def _of_bands(row: PlateRow, recipe: Recipe | None, said: dict[Cause, str], cause: Cause) -> Gate:
    name, form = _OF_BANDS[cause]
    value: float | None = getattr(row, name)
    limits: Limits = Limits() if recipe is None else getattr(recipe.gates, name)
    bounds = tuple("" if limit is None else form.format(limit) for limit in (limits.least, limits.most))
    gate = _gate(
        name,
        "" if value is None else form.format(value),
        (bounds[0], bounds[1]),
        _words(said, cause),
        measured=value is not None,
    )
    begins = _WARNING.get(cause, cause.value) + " "
    warnings = [warning for warning in row.warnings if warning.startswith(begins)]
    if gate.passed is Passed.NO or not warnings:
        return gate
    return Gate(name, gate.value, gate.least, gate.most, Passed.WARNED, "; ".join(warnings))
