"""The door that a protocol fits: its few verbs. What is said when is decided elsewhere (stages/output.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from stages.output import Echoed, Refused, Say
from stages.plc import Answers, PlcAsks, RecipeAsked


class OutputError(Exception):
    """The peer cannot be reached, or did not do its part; the message says what was tried and what was found.

    The connection is made anew, and what was not acknowledged is said again.
    """


class OutputLink(ABC):
    """One peer. Each call waits for the network no longer than the output's `timeout_s`, and raises OutputError."""

    says_late: ClassVar[bool]
    """A verdict that comes too late is worth saying, as to a book; a gate has no use for it."""

    hold_s: float = 0.0
    """For so long a release stands before the next verdict is said, for peers that look at it now and then."""

    pause_s: float = 2.0
    """Longest pause between two tries to connect."""

    @abstractmethod
    def connect(self) -> int | None:
        """Connect; gives the number that stands in the peer's echo, None where there is none."""

    @abstractmethod
    def say(self, order: Say) -> None:
        """Say a verdict."""

    @abstractmethod
    def answer(self) -> Echoed | Refused | None:
        """What has come back to what was said last; None where nothing has yet. Asked every few milliseconds."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection; raises nothing. `connect` may follow."""

    def end(self) -> None:
        """The process ends; raises nothing. For what stays there without a peer."""
        self.close()

    def clear(self) -> None:  # noqa: B027 - most peers have none
        """There is no verdict: what stands in the echo is to change. For peers that have one which stands."""

    def release(self, plate: int | None) -> None:  # noqa: B027 - most peers have none
        """An OK stands for this plate; None: nothing is released. For peers that have a bit for it."""

    def beat(self, *, on: bool) -> None:  # noqa: B027 - most peers have none
        """The heartbeat bit is so. For peers that have one."""

    def seen(self, plate: int) -> None:  # noqa: B027 - most peers have none
        """The switch saw this plate last. For peers that follow the sheets."""

    def stands(self, answers: Answers) -> None:  # noqa: B027 - most peers have none
        """How the service stands; raises nothing, for it is said with the next heartbeat. For peers that show it."""


class RequestLink(ABC):
    """What a peer asks of us, over a connection of its own: no call waits for the network, and none raises."""

    @abstractmethod
    def news(self) -> list[PlcAsks]:
        """What the peer asks for, each time that it has changed since the last call."""

    @abstractmethod
    def answer(self, answers: Answers, recipe: RecipeAsked) -> None:
        """The peer is to read this from now on."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""
