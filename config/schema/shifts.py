"""Shifts as they are written: `06:00-14:00`."""

from __future__ import annotations

import re
from datetime import time

PATTERN = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"


def shift_times(text: str) -> tuple[time, time]:
    """Begin and end; one that ends no later than it begins goes over midnight.

    Raises:
        ValueError: it is not written as `06:00-14:00`.
    """
    if not re.match(PATTERN, text):
        raise ValueError(f"found {text!r}; write a shift as 06:00-14:00")
    begin, end = text.split("-")
    return time.fromisoformat(begin), time.fromisoformat(end)
