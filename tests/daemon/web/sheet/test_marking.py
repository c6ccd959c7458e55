"""Marks that are sent by a form."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from daemon.web.access.audit import Note, What
from daemon.web.access.book import Book
from daemon.web.access.clients import Client
from daemon.web.access.guard import session_cookie
from daemon.web.access.sessions import new_token
from daemon.web.access.users import AT_THE_SCREEN, Role
from stages.mark import MarkKind, Place, Shape
from tests.daemon.web.conftest import Screen
from tests.daemon.web.sheet.conftest import WITH_CRACKS, Sheets


def sent(one: Screen, plate: object = WITH_CRACKS, **fields: str) -> httpx.Response:
    """As a page of the screen sends it."""
    with visiting(one) as visitor:
        csrf = token_in(visitor.get(f"/sheet/{WITH_CRACKS}").text)
        return visitor.post(f"/sheet/{plate}/marks", data={"csrf": csrf, **fields})


def visiting(one: Screen) -> httpx.Client:
    return httpx.Client(base_url=one.address, headers={"Origin": one.address}, timeout=60)


def token_in(page: str) -> str:
    """What its forms are known by."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def marks(sheets: Sheets) -> list[tuple[MarkKind, int | None, Place | None, str | None]]:
    return [(mark.kind, mark.defect, mark.place, mark.why) for mark in sheets.row().marks]


def test_a_form_without_script_marks_and_takes_back_and_the_verdict_stays(
    screen: Callable[..., Screen], sheets: Sheets
) -> None:
    one, before = screen(sheets.state), sheets.row()
    answer = sent(one, said="false alarm/dust", defect="2")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sheet/{WITH_CRACKS}#defect-2")
    assert marks(sheets) == [(MarkKind.FALSE_ALARM, 2, None, "dust")]
    sent(one, said="missed crack", shape="box", x0="10", y0="20", x1="30", y1="40")
    missed = Place(Shape.BOX, 10, 20, 30, 40)
    assert marks(sheets)[1] == (MarkKind.MISSED, None, missed, None)
    assert sheets.row().marks[0].who
    sent(one, said="withdrawn/by mistake", defect="2")
    sent(one, said="withdrawn", place="box,10,20,30,40")
    assert marks(sheets) == []
    after = sheets.row()
    assert (after.verdict, after.causes, after.reason) == (before.verdict, before.causes, before.reason)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 400),
        ({"said": "ok", "defect": "1"}, 400),
        ({"said": "confirmed/because", "defect": "1"}, 400),
        ({"said": "confirmed", "defect": "-1"}, 400),
        ({"said": "confirmed", "defect": "1; DROP TABLE marks"}, 400),
        ({"said": "confirmed", "defect": "9" * 400}, 400),
        ({"said": "confirmed", "defect": "999"}, 409),
        ({"said": "withdrawn", "defect": "1"}, 409),
        ({"said": "missed crack", "shape": "box", "x0": "0", "y0": "0", "x1": "99999", "y1": "5"}, 409),
        ({"said": "missed crack", "shape": "box", "x0": "5", "y0": "5", "x1": "5", "y1": "5"}, 409),
        ({"said": "missed crack", "shape": "circle", "x0": "0", "y0": "0", "x1": "9", "y1": "9"}, 400),
        ({"said": "missed crack", "shape": "box", "x0": "nan", "y0": "0", "x1": "9", "y1": "9"}, 400),
        ({"said": "missed crack", "place": "box,1,2,3,4,5"}, 400),
    ],
)
def test_what_is_no_mark_of_this_plate_is_refused_and_nothing_is_stored(
    screen: Callable[..., Screen], sheets: Sheets, fields: dict[str, str], status: int
) -> None:
    answer = sent(screen(sheets.state), **fields)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert marks(sheets) == []


@pytest.mark.parametrize("plate", ["0", "x", "1%2f..", "9" * 40])
def test_a_plate_that_is_no_number_is_not_found(screen: Callable[..., Screen], sheets: Sheets, plate: str) -> None:
    assert sent(screen(sheets.state), plate, said="confirmed", defect="1").status_code == 404


def test_each_mark_is_noted_with_who_made_it(screen: Callable[..., Screen], sheets: Sheets) -> None:
    one, book = screen(sheets.state), Book(sheets.state)
    before = len(book.notes(100))
    sent(one, said="confirmed/crack", defect="1")
    sent(one, said="withdrawn", defect="1")
    noted = book.notes(100)
    assert len(noted) == before + 2
    assert {(note.who, note.what) for note in noted} == {(AT_THE_SCREEN, What.MARK)}
    assert any("defect 1: confirmed (crack)" in note.about for note in noted)
    assert marks(sheets) == []


def test_a_form_that_another_page_sends_is_refused(screen: Callable[..., Screen], sheets: Sheets) -> None:
    one, fields = screen(sheets.state), {"said": "confirmed", "defect": "1"}
    address = f"{one.address}/sheet/{WITH_CRACKS}/marks"
    for origin in ("http://elsewhere.example", "null", one.address):
        assert httpx.post(address, data=fields, headers={"Origin": origin}, timeout=60).status_code == 403
    assert marks(sheets) == []


def test_a_viewer_sees_the_page_and_may_not_mark(screen: Callable[..., Screen], sheets: Sheets) -> None:
    book, token = Book(sheets.state), new_token()
    one, by = screen(sheets.state), Note("test", What.USER_ADDED, "", "here")
    cookie = session_cookie(Client("127.0.0.1", "http", one.address))
    try:
        book.add("vera", Role.VIEWER, "hash", by)
        assert book.begin("vera", "hash", token, by)
        with visiting(one) as visitor:
            assert visitor.get(f"/sheet/{WITH_CRACKS}/tiles/0/0/0.png").status_code == 401
            visitor.cookies.set(cookie, token)
            shown = visitor.get(f"/sheet/{WITH_CRACKS}")
            assert "You may look here" in shown.text
            assert "/marks" not in shown.text
            fields = {"csrf": token_in(shown.text), "said": "confirmed", "defect": "1"}
            assert visitor.post(f"/sheet/{WITH_CRACKS}/marks", data=fields).status_code == 403
    finally:
        book.path.unlink(missing_ok=True)
    assert marks(sheets) == []
