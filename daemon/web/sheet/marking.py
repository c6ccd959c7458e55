"""What people say of a plate on its page: marks, as `linesentry mark` makes them. No verdict is ever rewritten."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from daemon.store.marks import MarkError, add_mark, said
from daemon.store.results import StoreError
from daemon.store.shared import use_shared
from daemon.web.access.guard import form_of, need, note_mark
from daemon.web.access.users import Role
from daemon.web.pages import page, words_of
from daemon.web.sheet.defects import told_marks
from daemon.web.sheet.stored import number_in, number_of, read_row
from daemon.web.site import site_of
from stages.mark import WHYS, Mark, MarkKind, Place, Shape

_PLACE = re.compile(r"(box|line),([0-9]{1,7}),([0-9]{1,7}),([0-9]{1,7}),([0-9]{1,7})")
_CORNERS = ("x0", "y0", "x1", "y1")


async def mark(request: Request) -> Response:
    """Store what was said of a defect or a place of the plate; a script gets the marks that hold, a form its page."""
    visitor, number = need(request, Role.OPERATOR), number_of(request)
    if number is None:
        return page(request, "not_found.html.j2", status=404)
    new = mark_in(form_of(request), number, visitor.name)
    if new is None:
        return _failed(request, number, 400, words_of(request)("sheet.no_mark"))
    try:
        return await _stored(request, new)
    except MarkError as error:
        return _failed(request, number, 409, str(error))
    except StoreError as error:
        return _failed(request, number, 503, str(error))


async def _stored(request: Request, new: Mark) -> Response:
    """The answer to a mark that is stored. Raises MarkError and StoreError."""
    site = site_of(request)
    stored = await run_in_threadpool(use_shared, site.state, lambda store: add_mark(store, new))
    await note_mark(request, said(stored))
    if _is_script(request):
        row = await run_in_threadpool(read_row, site, new.plate)
        marks = {} if row is None else told_marks(row, words_of(request))
        return JSONResponse(marks, headers={"Cache-Control": "no-store"})
    there = "" if new.defect is None else f"#defect-{new.defect}"
    return RedirectResponse(f"/sheet/{new.plate}{there}", 303)


def mark_in(form: Mapping[str, str], plate: int, who: str) -> Mark | None:
    """The mark that a form says; None where it says none.

    `said` is a kind and, after a slash, a reason of its list: `false alarm/dust`. What it is of is the `defect` of
    that number, or a `place`: `box,X0,Y0,X1,Y1` px of the plate; a missed crack has its `shape` and four corners.
    """
    kind, _, why = form.get("said", "").partition("/")
    if kind not in set(MarkKind) or (why and why not in WHYS[MarkKind(kind)]):
        return None
    new = Mark(plate, MarkKind(kind), who, datetime.now(UTC), why=why or None)
    if "place" in form:
        found = _PLACE.fullmatch(form["place"])
    elif new.kind is MarkKind.MISSED:
        corners = [form.get(name, "").strip() for name in _CORNERS]
        found = _PLACE.fullmatch(",".join([form.get("shape", ""), *corners]))
    else:
        defect = number_in(form.get("defect", "").strip())
        return None if defect is None else replace(new, defect=defect)
    if found is None:
        return None
    x0, y0, x1, y1 = map(int, found.groups()[1:])
    return replace(new, place=Place(Shape(found[1]), x0, y0, x1, y1))


def _is_script(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def _failed(request: Request, number: int, status: int, why: str) -> Response:
    if _is_script(request):
        return JSONResponse({"trouble": why}, status, headers={"Cache-Control": "no-store"})
    return page(request, "no_sheet.html.j2", status=status, number=number, trouble=why)


ROUTES = [Route("/sheet/{plate}/marks", mark, methods=["POST"])]
