"""The web process: serves the screen (daemon/web). It only reads, and nothing waits for it."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.service.child import Child, Plan
from daemon.web.app import application
from daemon.web.server import AddressError, WebServer
from daemon.web.site import Site
from daemon.wire.channel import Event
from daemon.wire.messages import LineState

_NICENESS = 10
"""The line comes first."""
_AGAIN_S = 2.0
"""Before an address that could not be had is tried again."""


class WebProcess(Child):
    """Hears how the line is, and has it served from a thread."""

    role = "web"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._site = Site(self.config, Path(plan.state), memory=self.plate_memory())
        self._server: WebServer | None = None
        self._next_at = 0.0
        self._failed = ""

    def start(self) -> None:
        """Give way to the line."""
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)

    def on_supervisor(self, event: Event, now: float) -> None:
        """How the line is."""
        match event[1]:
            case LineState() as state:
                self._site.live.put(state)
            case _:
                super().on_supervisor(event, now)

    def tick(self, now: float) -> None:
        """Serve as soon as the address can be had; an inspection does not wait for that."""
        if self._server is None and now >= self._next_at:
            self._serve(now)

    def _serve(self, now: float) -> None:
        web = self.config.web
        try:
            self._server = WebServer(application(self._site), web.host, web.port)
        except AddressError as error:
            self._next_at = now + _AGAIN_S
            if str(error) != self._failed:
                self._failed = str(error)
                self.log.error("the screen is not served", error=self._failed)  # noqa: TRY400 - the message says it all
            self.note = "has no address"
            return
        self._server.start()
        self.note = "serves"
        host = f"[{web.host}]" if ":" in web.host else web.host
        self.log.info("the screen is served", address=f"http://{host}:{self._server.port}/")

    def stop(self) -> None:
        """Cut what connections there are."""
        if self._server is not None:
            self._server.close()


ROLE = WebProcess
