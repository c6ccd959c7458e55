"""The protocols at which a camera and a switch meet the line: strips of rows, and edges in camera rows.

Names follow GenICam SFNC where it has one (docs/reference/glossary.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of the photoelectric switch."""

    count: int
    """Edges since the counter started, this one included; a gap says that edges were not heard."""
    row: int
    """Camera row at which it came: the first row of the new level."""
    rising: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """A block of consecutive rows as a camera delivers it."""

    block: int
    """The camera's block id: grows by one with each strip; a repeated one is a stale strip."""
    first_row: int
    """The camera's own count of the strip's first row; a jump says that rows were lost."""
    rows: int
    """Valid rows; a camera that times out delivers a short strip."""
    edges: tuple[Edge, ...]
    """Edges of the switch since the strip before; their rows lie before this strip's end."""
    level: bool
    """Level of the switch before those edges."""


class LineSource(Protocol):
    """A line seen by its camera and switch."""

    def next_strip(self, into: NDArray[np.uint8]) -> Strip | None:
        """Write the next strip's pixels into `into` (strip_rows x width, uint8) and say what it is.

        Rows of `into` beyond the strip's valid ones are left as they are. None when the line has ended.
        """
        ...
