"""Periods that tests make up, without a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from daemon.store.challenges import Challenged
from daemon.store.period import CODES, Found, Period, Plates, Product
from daemon.store.rows import Ledger
from stages.mark import Mark
from stages.plate import Verdict

ROWS, COLUMNS = 19_214, 9_777
PITCH = (0.0416, 0.052)


def plates(count: int, **given: Any) -> Plates:
    """Sheets that passed one a minute and are OK, but for what is given."""
    usual: dict[str, Any] = {
        "number": np.arange(1, count + 1),
        "at": 1.78e9 + 60.0 * np.arange(count),
        "product": np.zeros(count, np.int32),
        "sheet": np.arange(1, count + 1),
        "verdict": np.full(count, CODES[Verdict.OK], np.int8),
        "golden": np.zeros(count, bool),
        "rows": np.full(count, ROWS, np.int32),
        "columns": np.full(count, COLUMNS, np.int32),
        "windows": np.full(count, 561, np.int32),
        "scored": np.full(count, 561, np.int32),
        **{name: np.full(count, np.nan) for name in ("coverage", "brightness", "contrast", "focus", "unevenness")},
    }
    return Plates(**{**usual, **given})


def found(places: Sequence[tuple[int, int, int]], *, vetoed: Sequence[int] = (), mm: bool = True) -> Found:
    """Defects by place of the plate, x and y; those of `vetoed` are."""
    plate, x, y = np.array(places, np.int64).reshape(-1, 3).T
    order = np.argsort(plate, kind="stable")
    plate, x, y = plate[order], x[order], y[order]
    count = len(plate)
    number = np.array([1 + int((plate[:place] == plate[place]).sum()) for place in range(count)], np.int32)
    wide, high = np.full(count, 20.0), np.full(count, 100.0)
    scale = PITCH if mm else (np.nan, np.nan)
    return Found(
        plate,
        number,
        x.astype(np.int32),
        y.astype(np.int32),
        wide,
        high,
        wide * scale[0],
        high * scale[1],
        np.full(count, 600.0),
        np.full(count, 0.8),
        np.full(count, 0.9),
        np.isin(np.arange(count), vetoed),
    )


def period(
    of: Plates,
    defects: Found | None = None,
    *,
    marks: Sequence[Mark] = (),
    products: int = 1,
    challenged: Sequence[Challenged] = (),
) -> Period:
    """A period of them."""
    counts = [int((of.verdict == code).sum()) for code in (0, 1, 2, -1)]
    return Period(
        ledger=Ledger(len(of.at), *counts),
        plates=of,
        found=found([]) if defects is None else defects,
        products=tuple(Product(f"P{place}", f"P{place}") for place in range(products)),
        causes=Counter(),
        marks=tuple(marks),
        checks=(),
        optics=(),
        simulated=0,
        challenged=tuple(challenged),
    )
