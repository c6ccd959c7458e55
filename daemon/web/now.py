"""The page of the sheet on the line, and the stream of events that keeps it up to date."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from daemon.web.live import OLD_S
from daemon.web.pages import page
from daemon.web.site import Site, site_of

_LOOK_S = 0.1
_BEAT_S = 0.5
"""At least so often an event is sent, so that a browser notices a lost connection."""


def now_page(request: Request) -> Response:
    """The page."""
    return page(request, "now.html.j2", site=site_of(request))


async def events(request: Request) -> Response:
    """Server-sent events `line`: the state of the line as JSON, whenever it changes and twice a second."""
    return StreamingResponse(
        _stream(request, site_of(request)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, site: Site) -> AsyncIterator[str]:
    sent, due_at = -1, 0.0
    while not await request.is_disconnected():
        now = time.monotonic()
        if site.live.version != sent or now >= due_at:
            sent, due_at = site.live.version, now + _BEAT_S
            yield f"event: line\ndata: {json.dumps(line_state(site))}\n\n"
        await asyncio.sleep(_LOOK_S)


def line_state(site: Site) -> dict[str, object]:
    """What the browser is told of the line; `old` says that it must not be shown as the present."""
    _, state = site.live.get()
    age_s = site.live.age_s()
    return {
        "old": age_s is None or age_s > OLD_S,
        "age_s": age_s,
        "line": None if state is None else msgspec.to_builtins(state),
    }


ROUTES = [Route("/", now_page), Route("/events", events)]
