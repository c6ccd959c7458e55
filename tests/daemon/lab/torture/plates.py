"""Plates as the store gives them."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from daemon.store.results import PlateRow
from stages.plate import Cause, Verdict


def plate_of(
    plate: int, seen_at: datetime, decided_at: datetime, verdict: Verdict, causes: tuple[Cause, ...]
) -> PlateRow:
    """A plate with nothing but these; it was judged whole where it has no cause."""
    values: dict[str, Any] = dict.fromkeys((one.name for one in fields(PlateRow)), None)
    values |= {"plate": plate, "seen_at": seen_at, "decided_at": decided_at, "verdict": verdict, "causes": causes}
    return PlateRow(**values | {"complete": not causes})
