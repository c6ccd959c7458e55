"""The web process: serves the screen (daemon/web). It only reads, but for marks and users; nothing waits for it."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.service.child import Child, Plan
from daemon.web.access.book import BookError, expect_users
from daemon.web.access.clients import Served
from daemon.web.access.tls import Certificate, TlsError
from daemon.web.app import application
from daemon.web.server import AddressError, WebServer
from daemon.web.site import Site
from daemon.wire.channel import Event
from daemon.wire.messages import LineState, ServiceState

_NICENESS = 10
"""The line comes first."""
_AGAIN_S = 2.0
"""Before an address that could not be had is tried again."""
_RENEW_S = 60.0
"""So often it is looked whether the certificate was replaced."""


class WebProcess(Child):
    """Hears how the line is, and has it served from a thread."""

    role = "web"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._site = Site(self.config, Path(plan.state), memory=self.plate_memory())
        self._server: WebServer | None = None
        self._certificate: Certificate | None = None
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
            case ServiceState() as service:
                self._site.live.put_service(service)
            case _:
                super().on_supervisor(event, now)

    def tick(self, now: float) -> None:
        """Serve as soon as the address can be had; an inspection does not wait for that."""
        if self._server is None and now >= self._next_at:
            self._serve(now)
        elif self._certificate is not None and now >= self._next_at:
            self._next_at = now + _RENEW_S
            self._renew(self._certificate)

    def _renew(self, certificate: Certificate) -> None:
        """Take a certificate that was replaced; one that cannot be used is told, and the old one goes on."""
        try:
            if certificate.renew():
                self.log.info("the screen has a new certificate")
        except TlsError as error:
            self.log.error("the screen keeps its old certificate", error=str(error))  # noqa: TRY400 - it says it all

    def _serve(self, now: float) -> None:
        web = self.config.web
        try:
            expect_users(Served.by(web), self._site.state)
            self._certificate = None if web.tls is None else Certificate(web.tls.certificate, web.tls.key)
            self._server = WebServer(application(self._site), web.host, web.port, self._certificate)
        except (AddressError, BookError, TlsError) as error:
            self._next_at = now + _AGAIN_S
            if str(error) != self._failed:
                self._failed = str(error)
                self.log.error("the screen is not served", error=self._failed)  # noqa: TRY400 - the message says it all
            self.note = "is not served"
            return
        self._server.start()
        self.note = "serves"
        host = f"[{web.host}]" if ":" in web.host else web.host
        self.log.info(
            "the screen is served", address=f"{'http' if web.tls is None else 'https'}://{host}:{self._server.port}/"
        )

    def stop(self) -> None:
        """Cut what connections there are."""
        if self._server is not None:
            self._server.close()


ROLE = WebProcess
