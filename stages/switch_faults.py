"""What can be wrong with the switch: each is one alarm for as long as it lasts, and counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class SwitchFault(StrEnum):
    """They are values of the label `kind` of linesentry_line_faults_total."""

    SILENT = "switch silent"
    """It does not answer."""
    BOUNCES = "switch bounces"
    """It says that sheets come which are far too short; they are left out from the fourth on."""
    STUCK_ON = "switch stuck on"
    """It sees a sheet that is longer than any."""
    STUCK_OFF = "switch stuck off"
    """The picture shows a sheet that it does not see."""
    DISAGREES = "switch disagrees"
    """The picture shows a sheet elsewhere, or none, or several."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fault begins, or is over."""

    fault: SwitchFault
    standing: bool
    words: str = ""


class SwitchFaults:
    """Those that stand, and what is to be told of them."""

    def __init__(self) -> None:
        self.counts: Counter[SwitchFault] = Counter()
        self._standing: dict[SwitchFault, str] = {}
        self._news: list[Told] = []

    @property
    def standing(self) -> tuple[SwitchFault, ...]:
        """Those that stand now."""
        return tuple(self._standing)

    def found(self, fault: SwitchFault, words: str) -> None:
        """It was found, perhaps again; the words say what was found."""
        self.counts[fault] += 1
        if fault not in self._standing:
            self._news.append(Told(fault, True, words))
        self._standing[fault] = words

    def over(self, fault: SwitchFault) -> None:
        """It is not so, or no more."""
        if self._standing.pop(fault, None) is not None:
            self._news.append(Told(fault, False))

    def news(self) -> list[Told]:
        """What began and ended since it was asked last."""
        news, self._news = self._news, []
        return news
