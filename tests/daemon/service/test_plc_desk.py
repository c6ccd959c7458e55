"""The supervisor's answers to a PLC, over a real link."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from config.load import load_config
from config.schema import Outputs
from daemon.service.health import Condition
from daemon.service.plc_desk import PlcDesk
from daemon.service.sightings import Sighting
from daemon.wire.channel import Client, Server
from daemon.wire.messages import Sender
from daemon.wire.plate_memory import PlateMemory
from stages.events import Noted
from stages.plc import Answers, Asked, IdsAnswer, Part, PlcAnswers, PlcAsks, ResetAnswer, Trouble
from tests.daemon.conftest import KEY, RUN, SHAPE

WELL = Condition(ready=True)


def desk_of(**modbus: Any) -> PlcDesk:
    outputs = Outputs.model_validate({"modbus": [{"name": "gate", "host": "plc", **modbus}]})
    return PlcDesk(load_config(None).model_copy(update={"outputs": outputs, "overload": "skip"}))


class Line:
    """The desk of a run whose next plate is 7, with the output that asks, and record."""

    def __init__(self, directory: Path) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.link = Server(self.context, Sender(RUN, "supervisor", 0, 1), directory / "supervisor", KEY)
        self.ends = {
            role: Client(self.context, Sender(RUN, role, 0, 1), directory / "supervisor", KEY)
            for role in ("output", "record")
        }
        self.memory = PlateMemory.create(SHAPE)
        self.desk = desk_of(request_register=100)
        self.desk.begin(self.link, 7)
        self.now = time.monotonic()
        # What is said to an end that has not said hello is lost.
        joined: set[str] = set()
        while joined != set(self.ends) and time.monotonic() < self.now + 10:
            for end in self.ends.values():
                end.tick(time.monotonic())
            joined |= {sender.role for sender, _ in self.link.receive(time.monotonic())}
            time.sleep(0.001)

    def asks(self, **asked: Any) -> None:
        self.desk.hear("output-0", PlcAsks(Asked(self.now, **asked)), self.now)

    def heard(self, role: str, kind: type) -> Any:
        """The next message of that kind."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            now = time.monotonic()
            self.link.receive(now)
            self.link.tick(now)
            found = [body for _, body in self.ends[role].receive(now) if isinstance(body, kind)]
            self.ends[role].tick(now)
            if found:
                return found[-1]
            time.sleep(0.005)
        pytest.fail(f"{role} heard no {kind.__name__}")

    def answers(self, condition: Condition = WELL) -> Answers:
        self.now += 1.0  # so that they are said, changed or not
        self.desk.pulse(lambda: condition, self.memory, self.now)
        answers: Answers = self.heard("output", PlcAnswers).answers
        return answers

    def close(self) -> None:
        for end in (self.link, *self.ends.values()):
            end.close()
        self.context.destroy(linger=0)
        self.memory.close()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    one = Line(tmp_path)
    one.answers()  # everybody is there
    yield one
    one.close()


def test_where_no_plc_asks_nobody_is_told_anything_and_no_plate_has_a_part() -> None:
    desk = desk_of()
    assert desk.process is None
    desk.hear("output-0", PlcAsks(Asked(1.0, plate=7, part_id="A1")), 1.0)
    assert desk.saw(Sighting(7, None, 2.0)) is None


def test_an_output_that_shows_how_things_stand_hears_it_though_no_plc_asks(tmp_path: Path) -> None:
    line = Line(tmp_path)
    outputs = Outputs.model_validate({"opcua": [{"name": "gate"}]})
    line.desk = PlcDesk(load_config(None).model_copy(update={"outputs": outputs}))
    line.desk.begin(line.link, 7)
    assert line.answers().ready
    assert line.answers(Condition(ready=True, down=["merge-0"])).troubles == (Trouble.PROCESS_DOWN,)
    assert line.desk.saw(Sighting(7, None, line.now)) is None
    line.close()


def test_the_next_plate_gets_the_ids_and_the_plc_hears_of_it(line: Line) -> None:
    line.asks(plate=7, part_id="A1", batch_id="B1")
    assert line.answers() == Answers(7, plate=7, ids=IdsAnswer.TAKEN)
    assert line.desk.saw(Sighting(7, None, line.now + 1)) == Part("A1", "B1")
    assert line.answers() == Answers(8, plate=7, ids=IdsAnswer.USED)
    line.desk.hear("output-1", PlcAsks(Asked(line.now, plate=8, part_id="A2")), line.now)
    assert line.desk.saw(Sighting(8, None, line.now + 2)) == Part(unknown="the PLC gave none before the sheet came")


def test_ids_do_not_outlive_the_process_that_read_them(line: Line) -> None:
    line.asks(plate=7, part_id="A1")
    line.desk.gone("output-0")
    assert line.desk.saw(Sighting(7, None, line.now + 1)) == Part(unknown="the PLC could not be read")


def test_that_the_plc_cannot_be_read_stands_until_it_can(line: Line) -> None:
    line.desk.hear("output-0", PlcAsks(None, "cut off"), line.now)
    assert line.desk.fault == "cut off"
    line.asks()
    assert line.desk.fault is None


def test_troubles_and_a_full_memory_keep_the_line_from_being_ready(line: Line) -> None:
    assert line.answers().ready
    assert line.answers(Condition(ready=True, store_failing="full")).troubles == (Trouble.STORE_FAILS,)
    for plate in (1, 2):
        line.memory.open(line.memory.free_places()[0], plate)
    full = line.answers()
    assert (full.troubles, full.alarms, full.ready) == ((Trouble.NO_SLOT,), (Trouble.STORE_FAILS,), False)


def test_a_reset_is_answered_noted_once_and_clears_what_is_gone(line: Line) -> None:
    ill = Condition(ready=True, store_failing="full", down=["merge-0"])
    assert line.answers(ill).alarms == (Trouble.PROCESS_DOWN, Trouble.STORE_FAILS)
    line.answers(Condition(ready=True, store_failing="full"))
    line.asks(reset=3)
    assert line.heard("record", Noted) == Noted("alarms reset", "reset: process down; standing: store fails")
    answers = line.answers(Condition(ready=True, store_failing="full"))
    assert (answers.alarms, answers.reset, answers.done) == ((Trouble.STORE_FAILS,), 3, ResetAnswer.STANDS)
    line.answers()
    line.asks(reset=4)
    assert line.heard("record", Noted) == Noted("alarms reset", "reset: store fails")
    for number in (5, 6, 7):
        line.asks(reset=number)
    line.asks(reset=4)
    answers = line.answers()
    assert (answers.alarms, answers.reset, answers.done) == ((), 4, ResetAnswer.DONE)
