"""The page of all sheets: what it counts, how it is filtered, what it exports."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Page, expect

from daemon.store.columns import PLATE_COLUMNS
from daemon.store.results import store_path
from daemon.web import export
from models.measure.assessment import Share
from tests.command import linesentry
from tests.daemon.web.conftest import Screen, needs_chromium
from tests.daemon.web.served import asking
from tests.daemon.web.stores import FORMULA, HOSTILE, add_hostile, fill
from tests.daemon.web.watch import harmless, serious

FORMER = Path(__file__).parents[1] / "store" / "former"
_LONG_S = 60.0


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 sheets, and one of hostile names."""
    folder = tmp_path_factory.mktemp("state")
    with fill(folder) as store:
        add_hostile(store, 61)
    return folder


@pytest.fixture(scope="module")
def ask(state: Path) -> Iterator[Callable[[str], httpx.Response]]:
    with asking(state) as ask_it:
        yield ask_it


def cells(text: str) -> list[list[str]]:
    """The rows of all tables, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    return [
        [" ".join(unescape(re.sub(r"<[^>]*>", " ", cell)).split()) for cell in re.split(r"</t[hd]>", row)[:-1]]
        for row in rows
    ]


def sheets(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<th scope="row"><a href="/sheet/(\d+)"', text)]


def test_sheets_are_counted_by_verdict_with_shares_and_their_intervals(ask: Callable[[str], httpx.Response]) -> None:
    answer = ask("/history")
    assert answer.status_code == 200
    share = Share(19, 61)
    row = next(row for row in cells(answer.text) if row[:2] == ["✖ NG", "19"])
    assert row[2:] == ["31.1 %", f"{100 * share.lower:.3g} - {100 * share.upper:.3g} %"]
    causes = {row[0]: row[1:] for row in cells(answer.text) if row[0] in ("Crack found", "Focus")}
    assert causes["Crack found"] == ["19", "", "76 %", "76 %"]
    assert causes["Focus"] == ["6", "", "24 %", "100 %"]


def test_the_latest_come_first_and_older_ones_follow_without_a_gap(ask: Callable[[str], httpx.Response]) -> None:
    first = ask("/history")
    (older,) = re.findall(r'rel="next" href="([^"#]+)', first.text)
    second = ask(unescape(older))
    assert sheets(first.text) + sheets(second.text) == list(range(61, 0, -1))
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("verdict=NG", 19),
        ("cause=focus", 6),
        ("batch=B1&verdict=OK", 36),
        ("part=S007", 1),
        ("verdict=INCONCLUSIVE&since=1d", 6),
        ("verdict=INCONCLUSIVE&until=1d", 0),
        ("since=today&until=2000-01-01T00:00", None),
        ("place=4000,12000,50", 19),
        ("marked=1", 0),
        (f"product={quote(HOSTILE)}", 1),
        (f"batch={quote(FORMULA)}", 1),
        ("batch=%25", 0),
        ("part=S___", 0),
        ("shift=00:00-00:00&verdict=INCONCLUSIVE", 6),
    ],
)
def test_each_filter_chooses_the_sheets_that_it_names(
    ask: Callable[[str], httpx.Response], query: str, count: int | None
) -> None:
    answer = ask(f"/history?{query}")
    assert answer.status_code == (400 if count is None else 200)
    if count:
        assert len(sheets(answer.text)) == count
    elif count == 0:
        assert "No sheet is like that" in answer.text


@pytest.mark.parametrize(
    ("query", "name", "found"),
    [
        ("since=soon", "since", "soon"),
        ("since=2026-13-40", "since", "2026-13-40"),
        ("until=99999999999999d", "until", "99999999999999d"),
        ("shift=tea", "shift", "tea"),
        ("cause=bad+luck", "cause", "bad luck"),
        ("verdict=MAYBE", "verdict", "MAYBE"),
        ("place=1,2", "place", "1,2"),
        ("place=0,0,9000,9000", "place", "0,0,9000,9000"),
        (f"batch={'%E2%82%AC' * 501}", "batch", "€" * 60),
        ("part=%00", "part", "\0"),
        (f"since={quote(HOSTILE)}", "since", HOSTILE[:60]),
    ],
)
@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_what_cannot_be_understood_is_said_and_the_form_stays_filled(
    ask: Callable[[str], httpx.Response], query: str, name: str, found: str, language: str
) -> None:
    answer = ask(f"/history?{query}&product=P10B&lang={language}")
    assert answer.status_code == 400
    said = unescape(re.sub(r"<[^>]*>", "", re.findall(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)[0]))
    assert found in said
    assert re.search(r'<option value="P10B" selected>', answer.text)
    if name not in ("shift", "verdict", "cause"):
        (kept,) = re.findall(rf'<input name="{name}" type="text" value="([^"]*)"', answer.text)
        assert unescape(kept).startswith(found)
    assert ask(f"/history/sheets.csv?{query}").status_code == 400


def test_a_shift_of_many_days_is_that_of_the_latest_and_the_page_says_so(ask: Callable[[str], httpx.Response]) -> None:
    for begin in ("", "2000-01-01"):
        assert "looks at 31 days" in ask(f"/history?shift=00:00-00:00&since={begin}").text
    assert "looks at 31 days" not in ask("/history?shift=00:00-00:00&since=1d").text
    assert ask("/history?shift=00:00-00:00&until=0001-01-02").status_code in (200, 400)


@pytest.mark.parametrize("before", ["9-9", "", "x", "99999999999999999-999999999999999999", "-1", "1" * 400, "'--"])
def test_a_page_that_is_asked_for_in_another_way_is_the_first_or_an_empty_one(
    ask: Callable[[str], httpx.Response], before: str
) -> None:
    answer = ask(f"/history?before={quote(before)}")
    assert answer.status_code == 200
    assert sheets(answer.text) in ([], list(range(61, 11, -1)))


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_has_what_the_command_writes(ask: Callable[[str], httpx.Response], state: Path) -> None:
    for form, option in (("csv", "--csv"), ("jsonl", "--json")):
        answer = ask(f"/history/sheets.{form}?verdict=NG")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].startswith('attachment; filename="sheets-')
        assert answer.text == linesentry("results", "--state", state, "--verdict", "NG", option).stdout
    assert len(answer.text.splitlines()) == 19
    assert json.loads(answer.text.splitlines()[0])["part_id"] == HOSTILE


def test_a_file_for_a_spreadsheet_holds_no_formula(ask: Callable[[str], httpx.Response]) -> None:
    latest = next(csv.DictReader(io.StringIO(ask("/history/sheets.csv").text)))
    assert list(latest) == [column.name for column in PLATE_COLUMNS]
    assert latest["batch_id"] == f"'{FORMULA}"


def test_a_parquet_file_has_the_same_sheets(ask: Callable[[str], httpx.Response]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(ask("/history/sheets.parquet?verdict=NG").content))
    assert table.column("plate").to_pylist()[:2] == [61, 57]
    assert table.column_names == [column.name for column in PLATE_COLUMNS]


def test_no_more_files_are_written_at_once_than_the_machine_should_bear(ask: Callable[[str], httpx.Response]) -> None:
    for _ in range(4):  # each lets go of its place
        assert ask("/history/sheets.csv?part=S001").status_code == 200
    held = [export.free.acquire(blocking=False) for _ in range(2)]
    try:
        assert held == [True, True]
        answer = ask("/history/sheets.csv")
        assert (answer.status_code, "files are being written already" in answer.text) == (503, True)
    finally:
        for _ in held:
            export.free.release()
    assert ask("/history/sheets.exe").status_code == 404


# --- stores ----------------------------------------------------------------------------------------------------------


def test_a_store_that_is_absent_empty_or_gone_is_said_with_what_to_do(
    screen: Callable[..., Screen], tmp_path: Path
) -> None:
    address = screen(tmp_path).address
    assert "start the line" in httpx.get(f"{address}/history").text
    fill(tmp_path, 0).close()
    assert "There are no sheets yet" in httpx.get(f"{address}/history").text
    store_path(tmp_path).write_bytes(b"no database" * 1000)
    answer = httpx.get(f"{address}/history")
    assert (answer.status_code, "is no SQLite database" in answer.text) == (503, True)


def test_a_store_that_somebody_holds_is_said_with_what_to_do(screen: Callable[..., Screen], tmp_path: Path) -> None:
    fill(tmp_path, 3).close()
    with closing(sqlite3.connect(store_path(tmp_path), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        answer = httpx.get(f"{screen(tmp_path).address}/history", timeout=_LONG_S)
    assert (answer.status_code, "Another program holds the results" in answer.text) == (503, True)


@pytest.mark.parametrize("version", [1, 2, 9])
def test_a_store_of_a_former_version_is_read_or_it_is_said_what_brings_it_up_to_date(
    screen: Callable[..., Screen], tmp_path: Path, version: int
) -> None:
    text = (FORMER / f"version-{version}.sql").read_text("utf-8")
    with closing(sqlite3.connect(store_path(tmp_path))) as connection:
        connection.executescript(text)
    answer = httpx.get(f"{screen(tmp_path).address}/history", timeout=_LONG_S)
    if version == 1:
        assert (answer.status_code, "start the service once" in answer.text) == (503, True)
    else:
        assert (answer.status_code, sheets(answer.text) != []) == (200, True)


# --- in a browser ----------------------------------------------------------------------------------------------------


@needs_chromium
def test_hostile_names_are_shown_as_they_are_and_do_nothing(
    screen: Callable[..., Screen], state: Path, page: Page
) -> None:
    page.goto(f"{screen(state).address}/history")
    harmless(page, HOSTILE)
    assert serious(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []


@needs_chromium
def test_sheets_are_filtered_by_the_keyboard_alone(screen: Callable[..., Screen], state: Path, page: Page) -> None:
    page.goto(f"{screen(state).address}/history")
    page.get_by_label("From").focus()
    page.keyboard.type("1d")
    page.get_by_label("Batch").focus()
    page.keyboard.type("B1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("since=1d.*batch=B1"))
    expect(page.get_by_label("From")).to_have_value("1d")
    expect(page.locator(".sheets tbody tr")).to_have_count(50)
    page.get_by_role("link", name="7 days").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    expect(page.locator(".sheets tbody tr")).to_have_count(50)
