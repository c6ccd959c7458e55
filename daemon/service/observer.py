"""Someone who watches a run of the service, such as the terminal."""

from __future__ import annotations

from typing import Protocol, TypeVar

from stages.events import VerdictCommitted

Watched_contra = TypeVar("Watched_contra", contravariant=True)


class Observer(Protocol[Watched_contra]):
    """Told of what happens, from the loop of the supervisor that it watches."""

    def seen(self, plate: int) -> None:
        """The switch saw a plate begin."""

    def final(self, committed: VerdictCommitted) -> None:
        """A plate's verdict is committed."""

    def pulse(self, supervisor: Watched_contra) -> None:
        """Called many times a second; `status_of(supervisor)` says how things are."""
