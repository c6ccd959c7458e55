"""The application: all routes, and the headers that every answer carries."""

from __future__ import annotations

from importlib.resources import as_file, files

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from daemon.web import drift, history, login, now, places, service
from daemon.web.access.access import Access
from daemon.web.access.book import Book
from daemon.web.access.clients import Served
from daemon.web.access.guard import Guard
from daemon.web.headers import SecurityHeaders
from daemon.web.line.board import Board
from daemon.web.pages import page
from daemon.web.sheet import routes as sheet
from daemon.web.site import Site


def application(site: Site, access: Access | None = None) -> Starlette:
    """The application of one site; with users of its own where some are given."""
    access = access or Access(Book(site.state), Served.by(site.config.web))
    with as_file(files("daemon.web").joinpath("static")) as static:
        app = Starlette(
            routes=[
                *now.ROUTES,
                *history.ROUTES,
                *places.ROUTES,
                *drift.ROUTES,
                *sheet.ROUTES,
                *login.ROUTES,
                *service.ROUTES,
                Mount("/static", StaticFiles(directory=static), name="static"),
            ],
            middleware=[Middleware(SecurityHeaders), Middleware(Guard, access)],
            exception_handlers={404: _not_found},
        )
    app.state.site, app.state.access = site, access
    app.state.board = Board(site.config, site.state, site.live, site.memory)
    return app


def _not_found(request: Request, _error: Exception) -> Response:
    return page(request, "not_found.html.j2", status=404)
