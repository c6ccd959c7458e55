"""How a page is made: its template, its words, and what all pages share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from daemon.web.access.guard import asked_in, form_token_of
from daemon.web.words import LANGUAGES, Words, chosen

LANGUAGE_COOKIE = "language"
NAVIGATION = (
    ("now", "/"),
    ("history", "/history"),
    ("places", "/places"),
    ("drift", "/drift"),
    ("service", "/service"),
)
"""The pages of the bar at the top, and their addresses."""


@cache
def _environment() -> jinja2.Environment:
    folder = files("daemon.web").joinpath("templates")
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def words_of(request: Request) -> Words:
    """The words in the visitor's language."""
    asked = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    return Words(chosen(asked, request.headers.get("accept-language")))


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - its names
    """A page by a template, in the visitor's language. A language that was asked for is remembered."""
    words = words_of(request)
    asked = asked_in(request.scope)
    shown = (
        _environment()
        .get_template(template)
        .render(
            words=words,
            languages=LANGUAGES,
            navigation=NAVIGATION,
            path=request.url.path,
            here=request.url,
            visitor=None if asked is None else asked.visitor,
            form_token="" if asked is None else form_token_of(request),
            **values,
        )
    )
    answer = HTMLResponse(shown, status, {"Content-Language": words.language, "Cache-Control": "no-store"})
    if request.query_params.get("lang") == words.language:
        answer.set_cookie(LANGUAGE_COOKIE, words.language, max_age=31_536_000, samesite="strict", httponly=True)
    return answer


Endpoint = Callable[[Request], Response]
