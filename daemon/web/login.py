"""The pages of users: login, logout, and for engineers who the users are and what was done."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import cast

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from daemon.web.access.access import Access, LoggedIn, TooMany
from daemon.web.access.guard import LOGIN, LOGOUT, asked_of, end_header, form_of, need, session_header
from daemon.web.access.users import Role
from daemon.web.pages import page

_MOST_NOTES = 500


def access_of(request: Request) -> Access:
    """The users of the screen that a request is for."""
    return cast("Access", request.app.state.access)


async def login_page(request: Request) -> Response:
    """The form; nobody who is in already needs it."""
    then = _ours(request.query_params.get("next", ""))
    if asked_of(request).visitor is not None:
        return RedirectResponse(then, 303)
    return page(request, "login.html.j2", then=then, name="", failed=None, wait_s=0)


async def login(request: Request) -> Response:
    """Begin a session, and go on to what was asked for before."""
    form, asked = form_of(request), asked_of(request)
    name, then = form.get("name", ""), _ours(form.get("next", ""))
    outcome = await access_of(request).login(name, form.get("password", ""), asked.client.address, asked.token)
    if isinstance(outcome, LoggedIn):
        answer: Response = RedirectResponse(then, 303, {"Cache-Control": "no-store"})
        answer.headers.append("set-cookie", session_header(asked.client, outcome.token, outcome.role))
        return answer
    if isinstance(outcome, TooMany):
        wait_s = math.ceil(outcome.wait_s)
        answer = page(request, "login.html.j2", status=429, then=then, name=name, failed="too_many", wait_s=wait_s)
        answer.headers["Retry-After"] = str(wait_s)
        return answer
    return page(request, "login.html.j2", status=403, then=then, name=name, failed="wrong", wait_s=0)


async def logout(request: Request) -> Response:
    """End the session."""
    asked = asked_of(request)
    if asked.token is not None and asked.visitor is not None:
        await access_of(request).logout(asked.token, asked.visitor.name, asked.client.address)
    answer = RedirectResponse(LOGIN, 303, {"Cache-Control": "no-store"})
    answer.headers.append("set-cookie", end_header(asked.client))
    return answer


async def users_page(request: Request) -> Response:
    """Who the users are, and what was done."""
    need(request, Role.ENGINEER)
    book = access_of(request).book
    users = await to_thread.run_sync(book.users)
    notes = await to_thread.run_sync(book.notes, _MOST_NOTES)
    return page(request, "users.html.j2", users=users, notes=notes, most=_MOST_NOTES, time=_time)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _ours(path: str) -> str:
    """The page to go on to after a login: one of this screen, whatever a link says."""
    odd = not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable()
    return "/" if odd or path.partition("?")[0] in (LOGIN, LOGOUT) else path


ROUTES = [
    Route(LOGIN, login_page),
    Route(LOGIN, login, methods=["POST"]),
    Route(LOGOUT, logout, methods=["POST"]),
    Route("/users", users_page),
]
