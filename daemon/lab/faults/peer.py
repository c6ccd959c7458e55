"""The peer of an output: a gate that reads verdicts, gives their numbers back and opens for an OK."""

from __future__ import annotations

from daemon.lab.faults.plant import Plant
from daemon.lab.faults.world import World
from daemon.outputs.door import OutputError, OutputLink
from stages.output import Echoed, Refused, Say


class PeerLink(OutputLink):
    """A connection to the gate, which may be away, slow, or answer wrongly."""

    says_late = False
    pause_s = 0.5

    def __init__(self) -> None:
        self._echo: int | None = None
        self._echo_at = 0.0

    def connect(self) -> int | None:
        """Connect. Raises OutputError while the gate is away."""
        self._there()
        return self._echo

    def say(self, order: Say) -> None:
        """Say a verdict; the gate reads it."""
        self._there()
        history, world = Plant.current.history, World.current
        verdict = order.due.verdict.value
        history.told.append((order.due.plate, verdict))
        self._echo, self._echo_at = order.due.plate, world.now + world.some(0.001, 0.05)

    def answer(self) -> Echoed | Refused | None:
        """What came back."""
        self._there()
        plant = Plant.current
        if self._echo is None or World.current.now < self._echo_at:
            return None
        if plant.wrong_echoes:
            plant.wrong_echoes -= 1
            return Echoed(self._echo - 1)
        return Echoed(self._echo)

    def release(self, plate: int | None) -> None:
        """The gate opens for that plate."""
        self._there()
        if plate is not None:
            Plant.current.history.released.append(plate)

    def clear(self) -> None:
        """What stands there changes."""
        self._there()
        self._echo = None

    def close(self) -> None:
        """Let go."""

    def _there(self) -> None:
        if World.current.now < Plant.current.peer_away_until:
            raise OutputError("the gate is away")


class BookLink(PeerLink):
    """The same for a peer that wants to hear what is late, too."""

    says_late = True


def peer() -> PeerLink:
    """The peer of the line that is at work."""
    return BookLink() if Plant.current.setting.says_late else PeerLink()
