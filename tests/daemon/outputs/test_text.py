"""A line for each verdict, and the number that comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from config.schema import Text
from daemon.outputs.door import OutputError
from daemon.outputs.text import TextLink
from stages.events import VerdictDue
from stages.output import Echoed, Refused, Say
from stages.plate import Cause, Verdict
from tests.listeners import Lines

NG = VerdictDue(
    7, Verdict.NG, (Cause.ROWS_MISSING, Cause.FOCUS), defects=3, part_id="a;b\nc", batch_id="B;1", latency_s=0.2404
)


@pytest.fixture
def lines() -> Iterator[Lines]:
    one = Lines()
    yield one
    one.stop()


def linked(lines: Lines) -> TextLink:
    link = TextLink(Text(name="marker", host="127.0.0.1", port=lines.port))
    link.connect()
    return link


def answered(link: TextLink) -> Echoed | Refused:
    until = time.monotonic() + 10
    while (answer := link.answer()) is None:
        assert time.monotonic() < until
    return answer


def test_a_verdict_is_one_line_and_the_number_comes_back(lines: Lines) -> None:
    link = linked(lines)
    link.beat(on=True)
    link.say(Say(NG, divert=True, times=1))
    assert answered(link) == Echoed(7, "7")
    assert lines.verdicts == [["VERDICT", "7", "NG", "1", "rows missing", "3", "240", "a_b_c", "B_1"]]
    assert lines.beats == ["1"]
    link.say(Say(VerdictDue(8, Verdict.OK), divert=False, times=1))
    assert answered(link) == Echoed(8, "8")
    assert lines.verdicts[1] == ["VERDICT", "8", "OK", "0", "", "0", "", "", ""]
    link.close()


@pytest.mark.parametrize("text", ["", "OK", "-7", "7;7", "7.0", "\x1b[31m7", "9" * 5000])
def test_what_is_no_number_acknowledges_nothing(lines: Lines, text: str) -> None:
    lines.answer = lambda _: text
    link = linked(lines)
    link.say(Say(NG, divert=True, times=1))
    found = answered(link)
    assert isinstance(found, Echoed)
    assert found.plate == -1
    assert "\x1b" not in found.text
    assert len(found.text) <= 200
    link.close()


def test_a_flood_without_an_end_of_line_is_an_error(lines: Lines) -> None:
    lines.answer = lambda _: "x" * 100_000
    link = linked(lines)
    link.say(Say(NG, divert=True, times=1))
    with pytest.raises(OutputError, match="without an end of line"):
        answered(link)
    link.close()


def test_a_listener_that_goes_away_is_noticed_by_the_next_heartbeats(lines: Lines) -> None:
    link = linked(lines)
    link.beat(on=True)
    lines.stop()

    def beat_for_ever() -> None:
        while True:
            link.beat(on=True)

    with pytest.raises(OutputError, match=rf"127.0.0.1:{lines.port} (closed|takes no line|is cut off)"):
        beat_for_ever()
    link.close()
    with pytest.raises(OutputError, match="cannot be reached"):
        link.connect()
