"""`linesentry report`: one page that needs nothing else, whatever parts and products are called."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from daemon.cli.app import app
from daemon.lab import progress
from daemon.store.golden import add_check
from daemon.store.marks import add_mark
from daemon.store.results import RunFacts, Store, store_path
from daemon.store.where import note_url
from models.detector.findings import Quality
from stages.golden import Check
from stages.mark import Mark, MarkKind
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part
from tests.postgres_server import needs_postgres, postgres_server

RUN = "a" * 32
HOSTILE = '</td><script>alert(1)</script><img src=x onerror="x">$a_{1}$\n=1+1\x1b[2J'
FACTS = RunFacts(RUN, "P10B", simulated=False, product="P10B")
BEGAN = datetime(2026, 11, 29, 6, 0).astimezone()
COUNT = 40


def fill(state: Path) -> None:
    """A day of two products, one called by somebody with bad intentions; a place of P10B repeats."""
    (state / "line.yaml").write_text('shifts: {early: "06:00-14:00", "<i>late</i>": "14:00-22:00"}\n')
    with Store.open(store_path(state)) as store:
        store.begin_run(FACTS)
        for plate in range(1, COUNT + 1):
            at = BEGAN + timedelta(minutes=12 * plate)
            odd = plate % 4 == 0
            facts = replace(FACTS, product=HOSTILE, recipe=HOSTILE) if odd else FACTS
            store.seen(RUN, plate, at, HOSTILE + str(plate), facts=facts, part=Part(HOSTILE + str(plate), HOSTILE))
            x, y = (2_000 + plate % 5, 3_000) if plate % 2 else (50 + 137 * plate, 5_000 + 211 * plate)
            crack = Defect(x, y, 12, 60, 200, 0.9, x, y, edge=False, x_mm=1.0, y_mm=1.0, width_mm=0.5, height_mm=3.1)
            found = (crack,) if plate % 3 else ()
            verdict = Verdict.NG if found else Verdict.INCONCLUSIVE if plate % 2 else Verdict.OK
            why = {Verdict.NG: (Cause.DEFECT,), Verdict.INCONCLUSIVE: (Cause.ROWS_MISSING,), Verdict.OK: ()}[verdict]
            quality = Quality(lit=10, total=1200.0 - 8 * plate, squares=150_000.0, unmasked=10)
            done = PlateResult(RUN, plate, verdict, why, HOSTILE, True, 19_214, 9_777, 561, 550, 0.97)
            store.commit_verdict(replace(done, defects=found, quality=quality), decided_at=at, facts=facts, named=True)
            if found and plate % 5 == 0:
                add_mark(store, Mark(plate, MarkKind.FALSE_ALARM, HOSTILE, at, 1, why="dust"))
        add_check(store, "P10B", 7, BEGAN + timedelta(hours=1), Check({}, (HOSTILE,)))
        store.end_run()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("state")
    fill(state)
    return state


def report(state: Path, out: Path, *words: str) -> Result:
    where = ["--config", str(state / "line.yaml"), "--state", str(state), "--out", str(out)]
    return CliRunner().invoke(app, ["report", *where, *words])


class Page(HTMLParser):
    """What of a page a browser would take for elements, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "onerror", "data")]

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "


@pytest.fixture(scope="module")
def whole(state: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, str]:
    out = tmp_path_factory.mktemp("out") / "report.html"
    answer = report(state, out)
    assert answer.exit_code == 0, answer.output
    return answer, out.read_text("utf-8")


def test_the_answer_stands_on_top_and_at_the_terminal(whole: tuple[Result, str]) -> None:
    answer, text = whole
    *lines, last = answer.stdout.splitlines()
    assert last.startswith("report: ")
    assert len(lines) == 3
    assert lines[0].startswith("40 sheets: 6 OK, 27 NG, 7 INCONCLUSIVE.")
    assert "A place repeats: " in lines[1]
    assert "(2,002, 3,000 px) of P10B, on 13 of 30 sheets" in lines[1]
    assert "Look at the optics: brightness of P10B -" in lines[2]
    assert "1 (" in lines[2]
    for line in lines:
        assert line in Page(text).text


def test_it_is_one_page_that_needs_nothing_else_and_no_name_is_taken_for_markup(whole: tuple[Result, str]) -> None:
    page = Page(whole[1])
    assert "script" not in page.tags
    assert "i" not in page.tags
    assert page.sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in whole[1]
    assert "@page { size: A4;" in whole[1]
    for title in ("Sheets and verdicts", "Why sheets", "Where defects lie", "How large", "marked", "not checked"):
        assert title in page.text
    assert {"early", "<i>late</i>"} <= set(page.text.split())


def test_only_the_plates_that_are_asked_for_are_in_it_and_a_long_reading_says_how_far_it_is(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LONG_S", -1.0)
    out = tmp_path / "one.html"
    answer = report(state, out, "--part", HOSTILE + "1", "--shift", "early")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("1 sheet: 0 OK, 1 NG, 0 INCONCLUSIVE.")
    assert "linesentry report: reading, " in answer.stderr
    assert "linesentry report: drawing: counted, 10%" in answer.stderr
    assert "shift early" in Page(out.read_text("utf-8")).text


def test_where_there_is_nothing_or_no_place_to_write_a_line_says_so(state: Path, tmp_path: Path) -> None:
    answer = report(state, tmp_path / "r.html", "--since", "2020-01-01", "--until", "2020-01-02")
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr == (
        "linesentry: there are no plates, since 2020-01-01, until 2020-01-02: nothing to report; `linesentry results` "
        "lists those that there are\n"
    )
    assert list(tmp_path.iterdir()) == []
    answer = report(state, tmp_path / "none" / "r.html")
    assert answer.exit_code == 2
    assert (
        answer.stderr == f"linesentry: {tmp_path}/none/r.html cannot be written: there is no folder {tmp_path}/none\n"
    )
    answer = report(state, tmp_path / "r.html", "--shift", "nigth")
    assert answer.exit_code == 2
    assert "--shift 'nigth' is not known" in answer.stderr
    answer = report(tmp_path, tmp_path / "r.html")
    assert answer.exit_code == 2


@pytest.mark.debian
@needs_postgres
def test_a_server_of_postgresql_gives_the_page_that_a_file_gives(
    state: Path, whole: tuple[Result, str], tmp_path: Path
) -> None:
    out = tmp_path / "report.html"

    def text(page: str) -> str:
        return re.sub(r"Made .* by linesentry report", "", Page(page).text)

    with postgres_server() as server:
        note_url(store_path(tmp_path), server.url())
        fill(tmp_path)
        answer = report(tmp_path, out)
        assert answer.exit_code == 0, answer.output
        assert answer.stdout.splitlines()[:-1] == whole[0].stdout.splitlines()[:-1]
        assert text(out.read_text("utf-8")) == text(whole[1])
        words = "--product", HOSTILE, "--shift", "early"
        told = [report(one, tmp_path / "some.html", *words).stdout for one in (state, tmp_path)]
        assert told[0] == told[1] != ""
