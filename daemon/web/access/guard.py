"""What stands before every page: nothing of the line is told, and nothing is done, before it is known who asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, quote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.web.access.access import Access, Visitor
from daemon.web.access.audit import Note, What
from daemon.web.access.book import BookError
from daemon.web.access.clients import Client, RefusedError, client, is_origin
from daemon.web.access.sessions import LONGEST_S, form_token, is_form_token, new_token
from daemon.web.access.users import Role

LOGIN, LOGOUT = "/login", "/logout"
_PUBLIC = "/static/"
"""What ships with linesentry, and says nothing of a line."""
_SAFE = {"GET", "HEAD", "OPTIONS"}
_MOST_HEADERS, _MOST_HEAD, _MOST_BODY = 64, 12_288, 65_536
"""Headers of a request, bytes of all of them, and bytes of what is sent along."""
_BODY_S = 10.0
"""Time for that."""
_MOST_FIELDS = 64
_LOOK_S = 5.0
"""So often it is looked whether the session of an open stream goes on."""
_FORM, _FORM_HEADER = "csrf", "x-csrf-token"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request before a page sees it."""

    client: Client
    visitor: Visitor | None
    """None where a login is needed."""
    token: str | None
    """Of the session, as the cookie has it; it may have ended."""
    form_secret: str
    """What the tokens of its forms are made of."""


class Guard:
    """ASGI middleware: refuses what is not allowed, and tells the pages who asks."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access
        self._said = ("", 0.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: Response | None
        try:
            refused = await self._answer(scope, receive, send)
        except RefusedError as error:
            refused = PlainTextResponse(f"{error.text}\n", error.status, {"Connection": "close"})
        except BookError as error:
            self._complain(str(error))
            refused = PlainTextResponse("the users cannot be read; the log of the service says why\n", 503)
        if refused is not None:
            refused.headers["Cache-Control"] = "no-store"
            await refused(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Have the request answered by the page; or the answer, where a login is needed. Raises RefusedError."""
        headers = Headers(scope=scope)
        if len(headers.raw) > _MOST_HEADERS or sum(len(name) + len(value) for name, value in headers.raw) > _MOST_HEAD:
            raise RefusedError(431, "the request's headers are too large")
        found = client(self._access.served, (scope.get("client") or ("",))[0], scope["scheme"], headers.items())
        scope["scheme"] = found.scheme
        path = scope["path"]
        if path.startswith(_PUBLIC) and scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return None
        asked, is_new = await self._asked(scope, found)
        scope.setdefault("state", {})["asked"] = asked
        if scope["method"] not in _SAFE:
            body = await self._sent(asked, headers, receive)
            scope["state"]["form"] = body.fields
            receive = body.again(receive)
        if asked.visitor is None and path != LOGIN:
            return _to_login(scope, headers)
        if scope["method"] not in _SAFE and path not in (LOGIN, LOGOUT) and not _may(asked, Role.OPERATOR):
            raise RefusedError(403, "a viewer may look, and change nothing")
        await self._pass(scope, receive, send, asked, is_new)
        return None

    async def _asked(self, scope: Scope, found: Client) -> tuple[Asked, bool]:
        """Who asks; and whether the secret of forms is a new one, which its browser does not have yet."""
        cookies = HTTPConnection(scope).cookies
        token, secret = cookies.get(session_cookie(found)), cookies.get(_form_cookie(found))
        visitor = await self._access.visitor(token, found.address)
        if visitor is not None and visitor.has_session and token is not None:
            return Asked(found, visitor, token, token), False
        is_new = not secret or len(secret) > 100
        return Asked(found, visitor, token, new_token() if is_new or secret is None else secret), is_new

    async def _sent(self, asked: Asked, headers: Headers, receive: Receive) -> _Body:
        """What is sent along, where it comes from one of our own pages."""
        if not _is_own(headers, asked.client.origin):
            raise RefusedError(403, "this was not sent by a page of the screen: open the page anew, and try again")
        body = await _read(headers, receive)
        given = headers.get(_FORM_HEADER) or body.fields.get(_FORM, "")
        if not is_form_token(given, asked.form_secret):
            raise RefusedError(403, "this page is too old: open it anew, and try again")
        return body

    async def _pass(self, scope: Scope, receive: Receive, send: Send, asked: Asked, is_new: bool) -> None:
        watched = _Watched(self._access, asked, send, is_new=is_new)
        try:
            await self._app(scope, receive, watched.send)
        except Exception:
            if not watched.ended:
                raise

    def _complain(self, error: str) -> None:
        """Once a minute, or where it is another error."""
        now = time.monotonic()
        if error != self._said[0] or now - self._said[1] > 60.0:
            self._said = (error, now)
            _log.error("the users of the screen cannot be read", error=error)


class _EndedError(Exception):
    """The session of an open stream has ended."""


class _Watched:
    """The way of an answer to its browser: it ends where its session ends."""

    def __init__(self, access: Access, asked: Asked, send: Send, *, is_new: bool) -> None:
        self._access, self._asked, self._send, self._is_new = access, asked, send, is_new
        self._looked_at = time.monotonic()
        self.ended = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._is_new:
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html"):
                name = _form_cookie(self._asked.client)
                headers.append("set-cookie", _cookie(self._asked.client, name, self._asked.form_secret))
        elif message["type"] == "http.response.body" and message.get("more_body"):
            await self._look()
        await self._send(message)

    async def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        asked = self._asked
        has_session = asked.visitor is not None and asked.visitor.has_session
        try:
            visitor = await self._access.visitor(asked.token if has_session else None, asked.client.address)
        except BookError:
            visitor = None
        if visitor is None:
            self.ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            raise _EndedError


@dataclass(frozen=True, slots=True)
class _Body:
    """What was sent along with a request."""

    content: bytes
    fields: Mapping[str, str]
    """Of a form; empty where it is none."""

    def again(self, receive: Receive) -> Receive:
        """For the page to read, too."""
        left = [self.content]

        async def received() -> Message:
            if left:
                return {"type": "http.request", "body": left.pop(), "more_body": False}
            return await receive()

        return received


# --- for pages ---


def asked_in(scope: Scope) -> Asked | None:
    """What is known of a request; None of one for a public file."""
    return cast("Asked | None", scope.get("state", {}).get("asked"))


def asked_of(request: Request) -> Asked:
    """What is known of a request."""
    return cast("Asked", request.state.asked)


def visitor_of(request: Request) -> Visitor:
    """Who asks for a page; every page but the login's has one."""
    found = asked_of(request).visitor
    assert found is not None
    return found


def form_token_of(request: Request) -> str:
    """For the field `csrf` of each form, or for the header X-CSRF-Token of a script's request."""
    return form_token(asked_of(request).form_secret)


def form_of(request: Request) -> Mapping[str, str]:
    """The fields of the form that was sent, each once."""
    return cast("Mapping[str, str]", request.state.form)


def need(request: Request, role: Role) -> Visitor:
    """Who asks for a page that only such a user may see. Raises HTTPException."""
    found = visitor_of(request)
    if not found.role.may(role):
        raise HTTPException(403, f"this is for users of the role {role}")
    return found


async def note_mark(request: Request, about: str) -> None:
    """Keep that somebody marked something: `plate 41, defect 2: false alarm`. Raises BookError."""
    who = visitor_of(request)
    access = cast("Access", request.app.state.access)
    await access.note(Note(who.name, What.MARK, about, who.address))


# --- cookies ---


def session_cookie(found: Client) -> str:
    """Name of the cookie of a session: two screens on one machine have one each."""
    return _cookie_name(found, "session")


def session_header(found: Client, token: str, role: Role) -> str:
    """What gives a browser its session."""
    return _cookie(found, session_cookie(found), token, int(LONGEST_S[role]))


def end_header(found: Client) -> str:
    """What takes it away."""
    return _cookie(found, session_cookie(found), "", 0)


def _form_cookie(found: Client) -> str:
    return _cookie_name(found, "form")


def _cookie_name(found: Client, what: str) -> str:
    port = found.origin.rpartition("]")[2].rpartition("//")[2].partition(":")[2]
    # By that prefix a browser takes it from nobody but this very host, and over TLS alone.
    return f"{'__Host-' if found.scheme == 'https' else ''}linesentry-{what}{port and '-'}{port}"


def _cookie(found: Client, name: str, value: str, most_s: int | None = None) -> str:
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Strict"]
    parts += ["Secure"] if found.scheme == "https" else []
    parts += [] if most_s is None else [f"Max-Age={most_s}"]
    return "; ".join(parts)


# --- requests ---


def _to_login(scope: Scope, headers: Headers) -> Response:
    """A page leads to the login, and back; whatever else is asked for is refused."""
    if scope["method"] not in _SAFE or "text/html" not in headers.get("accept", ""):
        return PlainTextResponse("log in first\n", 401)
    here = quote(scope["path"], safe="/") + (
        f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
    )
    return RedirectResponse(LOGIN if here == "/" else f"{LOGIN}?next={quote(here[:1000], safe='')}", 303)


def _may(asked: Asked, role: Role) -> bool:
    return asked.visitor is not None and asked.visitor.role.may(role)


def _is_own(headers: Headers, origin: str) -> bool:
    """Whether it comes from a page of ours, as a browser says it: other programs have to say so too."""
    if (given := headers.get("origin")) is not None:
        return is_origin(given, origin)
    if (site := headers.get("sec-fetch-site")) is not None:
        return site == "same-origin"
    return is_origin("/".join(headers.get("referer", "").split("/")[:3]), origin)


async def _read(headers: Headers, receive: Receive) -> _Body:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > _MOST_BODY:
        raise RefusedError(413, f"more than {_MOST_BODY} bytes are not taken")
    content = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise RefusedError(400, "the request broke off")
                content += message.get("body", b"")
                if len(content) > _MOST_BODY:
                    raise RefusedError(413, f"more than {_MOST_BODY} bytes are not taken")
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise RefusedError(408, "the request takes too long") from None
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return _Body(bytes(content), {})
    try:
        fields = parse_qsl(content.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise RefusedError(400, "the form cannot be read") from None
    return _Body(bytes(content), dict(fields))
