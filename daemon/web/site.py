"""What every page may ask: the configuration, the state directory, the line as it is now, the plate memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from config.schema import Config
from daemon.web.live import Live
from daemon.wire.plate_memory import PlateMemory


@dataclass(frozen=True)
class Site:
    """One screen of one service."""

    config: Config
    state: Path
    """State directory of the service: store, pictures and archive lie in it, or are named there."""
    live: Live = field(default_factory=Live)
    memory: PlateMemory | None = None
    """The plates that are inspected now, to be read alone; None beside a service that does not run here."""


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    site = request.app.state.site
    assert isinstance(site, Site)
    return site
