"""Pictures that are named but not judged: each is counted with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

UNUSABLE = "cannot be used: see what is said of the first, then write it again or take it out"
"""Of pictures, masks and classes, each with its own words."""


@dataclass(slots=True)
class PassedOver:
    """Counts, by where the pictures lie and by the reason."""

    _counted: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, where: str, reason: str, picture: str) -> None:
        """Count a picture, or another thing that is no picture of its own."""
        self._counted.setdefault((where, reason), []).append(picture)

    def values(self) -> list[dict[str, Any]]:
        """What was counted, as values that JSON knows: the most first."""
        found = [
            {"where": where, "reason": reason, "pictures": len(named), "first": named[0]}
            for (where, reason), named in self._counted.items()
        ]
        return sorted(found, key=lambda one: -int(one["pictures"]))

    def words(self) -> str:
        """All of it in one line; empty where nothing was counted."""
        return "; ".join(f"{one['pictures']} {one['reason']} ({one['first']})" for one in self.values())

    def __len__(self) -> int:
        return sum(len(named) for named in self._counted.values())


def table_of(passed: Sequence[dict[str, Any]]) -> Table:
    """The same for a terminal."""
    table = Table(title="not judged", title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for words in ("where", "pictures", "why", "the first"):
        table.add_column(words, justify="right" if words == "pictures" else "left", overflow="fold")
    for one in passed:
        table.add_row(one["where"], str(one["pictures"]), one["reason"], one["first"])
    return table
