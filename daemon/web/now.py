"""The page of the sheet on the line, the stream of events that keeps it up to date, and the sheet's picture."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from daemon.web.line.board import Board
from daemon.web.pages import page, words_of
from daemon.web.site import site_of

_LOOK_S = 0.2
_BEAT_S = 0.5
"""At least so often an event is sent, so that a browser notices a lost connection."""
_SECTIONS = ("now", "verdict", "cause", "todo", "trouble")
"""Words that the page's script puts together."""


def now_page(request: Request) -> Response:
    """The page."""
    return page(request, "now.html.j2", site=site_of(request), script_words=words_of(request).sections(*_SECTIONS))


async def events(request: Request) -> Response:
    """Server-sent events: `line`, the state of the line whenever it changes and twice a second; `recent` sheets."""
    return StreamingResponse(
        _stream(request, _board(request)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, board: Board) -> AsyncIterator[str]:
    sent, recent, due_at = "", -1, 0.0
    while not await request.is_disconnected():
        board.look()
        now = time.monotonic()
        if board.recent_version != recent:
            recent = board.recent_version
            yield f"event: recent\ndata: {board.recent()}\n\n"
        if (line := board.line()) != sent or now >= due_at:
            sent, due_at = line, now + _BEAT_S
            yield f"event: line\ndata: {line}\n\n"
        await asyncio.sleep(_LOOK_S)


def picture(request: Request) -> Response:
    """The small picture of a sheet that is on the line, or was a moment ago: JPEG, grey."""
    found = _board(request).pictures.jpeg(request.path_params["plate"])
    if found is None:
        return Response("there is no picture of that sheet here\n", 404, media_type="text/plain")
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})


def _board(request: Request) -> Board:
    board = request.app.state.board
    assert isinstance(board, Board)
    return board


ROUTES = [Route("/", now_page), Route("/events", events), Route("/now/picture/{plate:int}.jpg", picture)]
