"""What a PLC asks for in its registers, and what it reads there as an answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.schema import Modbus
from daemon.outputs.modbus_requests import CHANGES, IDS, RESETS, TROUBLES, ModbusRequests, registers_of, text_of
from daemon.outputs.registry import open_requests
from stages.plc import Answers, Asked, ChangeAnswer, IdsAnswer, PlcAsks, RecipeAsked, ResetAnswer, Trouble
from tests.plc import REQUESTS, Plc, as_registers

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "wire-the-plc.md"
ANSWERS = Answers(0x1_0002, (Trouble.CAMERA,), (Trouble.CAMERA, Trouble.ATTENTION), 7, IdsAnswer.USED, 3)


@pytest.fixture
def plc() -> Iterator[Plc]:
    one = Plc()
    yield one
    one.stop()


class Asking:
    """The link, and all that it heard."""

    def __init__(self, plc: Plc, **settings: int) -> None:
        given = {"request_register": REQUESTS, **settings}
        self.link = ModbusRequests(Modbus(name="gate", host="127.0.0.1", port=plc.port, timeout_s=0.5, **given))
        self.heard: list[PlcAsks] = []

    def wait(self, what: Callable[[], object]) -> None:
        until = time.monotonic() + 10
        while not what():
            assert time.monotonic() < until, self.heard
            self.heard += self.link.news()
            time.sleep(0.005)

    @property
    def last(self) -> Asked | None:
        return self.heard[-1].asked if self.heard else None


@pytest.fixture
def asking(plc: Plc) -> Iterator[Asking]:
    one = Asking(plc)
    yield one
    one.link.close()


def test_what_stands_in_the_registers_is_read_with_the_time_and_said_once(plc: Plc, asking: Asking) -> None:
    asking.wait(lambda: asking.heard)
    plc.give(0x1_0002, "A-17 ", "B/1" + 29 * "x")
    plc.ask(reset=3, change=4, recipe="U20B")
    before = time.monotonic()
    asking.wait(lambda: asking.last and asking.last.plate)
    found = asking.last
    assert found is not None
    assert before < found.at < time.monotonic()
    assert found == Asked(found.at, 0x1_0002, "A-17", "B/1" + 29 * "x", 3, 4, "U20B")
    assert [one.asked.plate for one in asking.heard if one.asked] == [0, 0x1_0002]


def test_the_answers_stand_in_registers_and_come_back_after_the_plc_was_away(plc: Plc, asking: Asking) -> None:
    recipe = RecipeAsked()
    recipe.asked(Asked(0.0, change=9, recipe="U20B"), 1.0)
    recipe.answered(9, "U20B", None, "recipe U20B is not loaded; ü")
    asking.link.answer(ANSWERS, recipe)
    asking.wait(lambda: plc.next_plate)
    assert list(plc.answers[:13]) == [1, 2, 64, 0x8040, 0, 7, 2, 3, 0, 9, 2, 0, 0]
    assert b"".join(one.to_bytes(2) for one in plc.answers[13:]).rstrip(b"\0") == b"recipe U20B is not loaded; ?"
    plc.stop()
    asking.wait(lambda: asking.last is None)
    successor = Plc(plc.port)
    asking.wait(lambda: asking.last is not None)
    asking.wait(lambda: successor.next_plate == 0x1_0002)
    successor.stop()


def test_a_long_reason_is_cut_at_the_last_register() -> None:
    recipe = RecipeAsked()
    recipe.asked(Asked(0.0, change=9, recipe="U20B"), 1.0)
    recipe.answered(9, "U20B", None, 1000 * "x")
    assert len(registers_of(ANSWERS, recipe)) == 45


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"A1\0left over", "A1"),
        (b"  A 1  ", "A 1"),
        (bytes(32), ""),
        (32 * b"x", 32 * "x"),
        (b"A\n1", None),
        (b"A\x7f", None),
        (b"\x1b[31m", None),
        ("ü".encode(), None),
        (bytes(range(255, 223, -1)), None),
    ],
)
def test_a_text_is_printable_ascii_up_to_the_first_zero_or_none(raw: bytes, text: str | None) -> None:
    assert text_of(raw) == text


def test_garbage_in_all_registers_is_heard_as_no_text(plc: Plc, asking: Asking) -> None:
    plc.requests = [0xFFFF] * 52
    asking.wait(lambda: asking.last and asking.last.plate)
    assert asking.last is not None
    assert (asking.last.plate, asking.last.part_id, asking.last.recipe) == (0xFFFF_FFFF, None, None)


def test_addresses_that_a_plc_lacks_are_named_with_what_to_do(plc: Plc) -> None:
    one = Asking(plc, request_register=150)
    one.wait(lambda: one.heard)
    one.link.close()
    (found,) = {asks.fault for asks in one.heard}
    assert re.search(r"refuses registers 150 to 201 \(exception code 2\): .* or correct request_register", found)


def test_a_plc_that_is_not_asked_has_no_link(plc: Plc) -> None:
    assert open_requests(Modbus(name="gate", host="127.0.0.1", port=plc.port)) is None


def test_each_answer_has_its_number_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for kind, numbers in ((Trouble, TROUBLES), (IdsAnswer, IDS), (ResetAnswer, RESETS), (ChangeAnswer, CHANGES)):
        assert set(numbers) == set(kind)
        assert len(set(numbers.values())) == len(numbers)
        for word, number in numbers.items():
            assert f"| {number} | {word} |" in text, (number, word)
    assert as_registers(b"A1")[0] == 0x4131
