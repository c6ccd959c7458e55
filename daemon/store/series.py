"""What each of a product's latest sheets says of light, focus, dust, length and defects: what control charts show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from daemon.store.history import Selection, as_text, conditions_of
from daemon.store.reading import Reader
from daemon.store.schema import plates
from stages.plate import Cause, Verdict

Floats = NDArray[np.float64]

_QUANTITIES = ("brightness", "focus", "unevenness", "rows")


@dataclass(frozen=True, slots=True)
class Series:
    """Sheets that were judged, oldest first; each field has one value a sheet, NaN where it is not known."""

    at: tuple[datetime, ...]
    brightness: Floats
    focus: Floats
    unevenness: Floats
    rows: Floats
    """Length, px."""
    ng: NDArray[np.bool_]
    dust: NDArray[np.bool_]
    """The watch over the optics said dust."""
    faults: str
    """Of the optics, that stood at the latest sheet: JSON as the store has it."""


def read_series(reader: Reader, selection: Selection, most: int) -> Series:
    """The selection's latest sheets, at most so many, without the golden sheet. Raises StoreError."""
    known = {str(getattr(column, "name", None)): column for column in reader.store.told}
    asked = [known[name] for name in ("seen_at", "verdict", *_QUANTITIES)]
    asked += [as_text(known["optics"]), as_text(plates.c.causes)]
    with reader.store.transaction(write=False) as connection:
        conditions = conditions_of(connection, selection)
        conditions += [plates.c.verdict.is_not(None), plates.c.windows_scored > 0]
        query: sa.Select[Any] = sa.select(*asked)
        found = connection.execute(query.where(*conditions).order_by(plates.c.seen_at.desc()).limit(most)).all()
    rows = [row for row in reversed(found) if f'"{Cause.GOLDEN_SHEET}"' not in (row[-1] or "")]
    values = {
        name: np.array([_number(row[2 + place]) for row in rows], np.float64) for place, name in enumerate(_QUANTITIES)
    }
    return Series(
        at=tuple(row[0] for row in rows),
        **values,
        ng=np.array([row[1] == Verdict.NG for row in rows], bool),
        dust=np.array(['"dust"' in (row[-2] or "") for row in rows], bool),
        faults=(rows[-1][-2] or "") if rows else "",
    )


def _number(value: object) -> float:
    """NaN for what is none, as somebody may have changed a row."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else math.nan
