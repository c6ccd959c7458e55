"""Record and output processes with a real PLC's server: nothing is lost, nothing told twice as new, nothing passes."""

from __future__ import annotations

import random
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from daemon.outputs.codes import VERDICTS
from daemon.store.results import store_path
from daemon.store.view import results_table
from stages.events import ChangeRecipe, Noted, OutputFailing, OutputWorks, RecipeChangeAnswered
from stages.plate import Verdict
from stages.plc import Answers, IdsAnswer, Part, PlcAnswers, PlcAsks, Trouble
from tests.daemon.record_and_outputs import RecordAndOutputs, config_of
from tests.listeners import Lines, Requests
from tests.plc import REQUESTS, WATCHDOG_S, Plc, SilentAbout


@pytest.fixture
def plc() -> Iterator[Plc]:
    one = Plc()
    yield one
    one.stop()


def gate(plc: Plc, **settings: object) -> dict[str, object]:
    return {"name": "gate", "host": "127.0.0.1", "port": plc.port, "again_s": 0.1, "timeout_s": 0.5, **settings}


def test_each_verdict_reaches_the_plc_and_what_came_back_is_with_the_plate(plc: Plc, tmp_path: Path) -> None:
    verdicts = {1: Verdict.OK, 2: Verdict.NG, 3: Verdict.INCONCLUSIVE}
    with RecordAndOutputs(tmp_path, config_of(modbus=[gate(plc)])) as house:
        for plate, verdict in verdicts.items():
            house.decide(plate, verdict)
            house.wait_told(plate)
        rows = house.wait_told(3)
        house.wait(lambda: house.counters["record-0"].get("verdicts_told_total/acknowledged") == 3)
        house.wait(lambda: plc.seen == 3)
    assert [(one.number, one.verdict, one.divert) for one in plc.new] == [(1, 1, False), (2, 2, True), (3, 3, True)]
    assert list(plc.released) == [1]
    for plate, verdict in verdicts.items():
        (told,) = rows[plate].told
        assert (told.output, told.outcome, told.divert) == ("gate", "acknowledged", verdict is not Verdict.OK)
        assert (told.times, told.answer) == (1, f"echo {plate}")
        decided_at = rows[plate].decided_at
        assert decided_at is not None
        assert told.said_at is not None
        assert told.answered_at is not None
        assert decided_at <= told.said_at <= told.answered_at


def test_over_deaths_of_record_output_and_plc_nothing_is_lost_and_no_plate_passes_that_was_not_ok(
    plc: Plc, tmp_path: Path
) -> None:
    chance = random.Random(7)
    verdicts = {plate: chance.choice(list(Verdict)) for plate in range(1, 41)}
    deaths = iter(chance.sample(["record-0"] * 3 + ["output-0"] * 3 + ["plc"] * 3, 9))
    plcs = [plc]
    with RecordAndOutputs(tmp_path, config_of(modbus=[gate(plc)])) as house:
        for plate, verdict in verdicts.items():
            house.decide(plate, verdict)
            house.pause(chance.uniform(0.0, 0.05))
            if plate % 4 == 0 and (victim := next(deaths, None)) is not None:
                if victim == "plc":
                    plcs[-1].stop()
                    plcs.append(Plc(plc.port))
                else:
                    house.kill(victim)
                    house.start(victim)
                house.say_again({one: verdicts[one] for one in range(1, plate + 1)})
        house.wait(lambda: len(house.final) == len(verdicts))
        rows = house.wait_told(len(verdicts))
    plcs[-1].stop()
    for one in plcs:
        heard = [telling.number for telling in one.new]
        assert len(heard) == len(set(heard)), "told twice as new"
        assert all(telling.verdict == VERDICTS[verdicts[telling.number]] for telling in one.new)
        assert all(verdicts[number] is Verdict.OK for number in one.released)
    for plate, row in rows.items():
        (told,) = row.told
        assert row.verdict is verdicts[plate]
        assert told.divert or (row.verdict is Verdict.OK and told.outcome == "acknowledged")


def test_a_plc_that_echoes_wrongly_or_not_at_all_gets_nothing_released_and_it_is_said(tmp_path: Path) -> None:
    plc = Plc(echo=lambda number: number and number + 1)
    try:
        with RecordAndOutputs(tmp_path, config_of(modbus=[gate(plc, deadline_s=0.5)])) as house:
            house.decide(1, Verdict.OK)
            wrong = house.wait_told(1)[1].told[0]
            plc.echo = lambda _: None
            house.decide(2, Verdict.OK)
            none = house.wait_told(2)[2].told[0]
            assert {told.outcome for told in (wrong, none)} == {"unacknowledged"}
            assert wrong.divert
            assert wrong.times > 1
            assert (wrong.answered_at, wrong.answer) == (None, "echo 2")
            assert not plc.released
            house.wait(lambda: house.heard)
            assert isinstance(house.heard[0][1], OutputFailing)
            plc.echo = lambda number: number
            house.decide(3, Verdict.OK)
            house.wait(lambda: isinstance(house.heard[-1][1], OutputWorks))
            assert house.wait_told(3)[3].told[0].outcome == "acknowledged"
    finally:
        plc.stop()


def test_a_plate_that_was_released_passes_no_more_once_the_process_is_dead_or_hangs(plc: Plc, tmp_path: Path) -> None:
    with RecordAndOutputs(tmp_path, config_of(modbus=[gate(plc)])) as house:
        for plate, number in enumerate((signal.SIGSTOP, signal.SIGKILL), start=1):
            house.decide(plate, Verdict.OK)
            house.wait(lambda plate=plate: plc.passes(plate))  # type: ignore[misc] # mypy takes no default
            house.kill("output-0", number)
            house.wait(lambda plate=plate: not plc.passes(plate), 10 * WATCHDOG_S)  # type: ignore[misc]
            if number is signal.SIGSTOP:
                house.kill("output-0")
                house.start("output-0")


def test_what_is_late_is_not_said_a_dead_plc_delays_no_other_output_and_at_a_stop_what_is_left_is_told(
    plc: Plc, tmp_path: Path
) -> None:
    """The dead one takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        dead = gate(plc, name="dead", port=hole.getsockname()[1], deadline_s=30.0)
        with RecordAndOutputs(tmp_path, config_of(modbus=[dead, gate(plc)])) as house:
            house.wait(lambda: plc.beats)
            house.decide(1, Verdict.OK, time.monotonic() - 60.0)
            for plate in range(2, 8):
                house.decide(plate, Verdict.OK)
            house.wait(lambda: len(house.final) == 7)
            assert house.ask_to_stop("output-1") == 0
            rows = house.wait_told(7)
            assert not plc.passes(7)
            house.wait(lambda: house.heard)
    assert {name for name, _ in house.heard} == {"output-0"}
    told = {plate: next(one for one in row.told if one.output == "gate") for plate, row in rows.items()}
    late = told.pop(1)
    assert (late.outcome, late.times, late.divert) == ("late", 0, True)
    assert [heard.number for heard in plc.new] == [2, 3, 4, 5, 6, 7]
    assert {one.outcome for one in told.values()} == {"acknowledged"}


def test_what_the_plc_asks_reaches_the_supervisor_and_the_answers_the_plc(plc: Plc, tmp_path: Path) -> None:
    with RecordAndOutputs(tmp_path, config_of(modbus=[gate(plc, request_register=REQUESTS)])) as house:

        def asked() -> object:
            found = house.asked[-1] if house.asked else None
            return found.asked if isinstance(found, PlcAsks) else found

        plc.give(7, "A7", "B7")
        house.wait(lambda: (found := asked()) and found.plate == 7)  # type: ignore[attr-defined]
        house.tell("output-0", PlcAnswers(Answers(7, plate=7, ids=IdsAnswer.TAKEN)))
        house.wait(lambda: plc.next_plate == 7 and plc.ready)
        assert list(plc.answers[4:7]) == [0, 7, 1]
        house.tell("output-0", PlcAnswers(Answers(7, (Trouble.STORE_FAILS,))))
        house.wait(lambda: not plc.ready and plc.answers[2] == 8)
        house.tell("output-0", PlcAnswers(Answers(7)))
        house.wait(lambda: plc.ready)
        house.wait(lambda: not plc.ready and not plc.next_plate)  # the supervisor says nothing any more

        plc.ask(change=5, recipe="U20B")
        house.wait(lambda: ChangeRecipe("U20B", 5) in house.asked)
        house.tell("output-0", RecipeChangeAnswered("U20B", 5, "recipe U20B is not loaded"))
        house.wait(lambda: list(plc.answers[9:11]) == [5, 2])
        plc.ask(change=6, recipe="U20B")
        house.wait(lambda: ChangeRecipe("U20B", 6) in house.asked)
        house.tell("output-0", RecipeChangeAnswered("U20B", 6, first_plate=12))
        house.wait(lambda: list(plc.answers[9:14]) == [6, 1, 0, 12, 0])
        assert house.asked.count(ChangeRecipe("U20B", 6)) == 1

        plc.stop()
        house.wait(lambda: asked() is None)


def test_the_ids_of_a_plate_go_with_it_to_every_output(plc: Plc, tmp_path: Path) -> None:
    requests = Requests()
    outputs: dict[str, list[dict[str, object]]] = {
        "modbus": [gate(plc, request_register=REQUESTS)],
        "webhook": [{"name": "mes", "url": requests.url}],
    }
    try:
        with RecordAndOutputs(tmp_path, config_of(**outputs)) as house:
            house.decide(1, Verdict.OK, part=Part("A1", "B1"))
            house.decide(2, Verdict.OK, part=Part(unknown="the PLC gave none"))
            house.tell("record-0", Noted("alarms reset", "reset: camera"))
            rows = house.wait_told(2, outputs=2)
    finally:
        requests.stop()
    assert requests.ids == {1: ("A1", "B1"), 2: (None, None)}
    assert {plate: (row.part_id, row.batch_id) for plate, row in rows.items()} == requests.ids
    assert rows[2].part_unknown == "the PLC gave none"
    with closing(sqlite3.connect(store_path(tmp_path))) as store:
        assert store.execute("SELECT kind, plate, text FROM events").fetchall() == [
            ("alarms reset", None, "reset: camera")
        ]
    console = Console(width=200)
    with console.capture() as said:
        console.print(results_table(list(rows.values())))
    assert "A1" in said.get()
    assert "id unknown: the PLC gave none" in said.get()


def test_a_plc_that_is_slow_to_be_asked_delays_no_verdict(plc: Plc, tmp_path: Path) -> None:
    """The connection over which it is asked gets no answer at all."""
    with SilentAbout(plc.port, REQUESTS) as between:
        slow = gate(plc, port=between.port, request_register=REQUESTS, timeout_s=2.0)
        with RecordAndOutputs(tmp_path, config_of(modbus=[slow])) as house:
            house.wait(lambda: between.silent)
            for plate in range(1, 6):
                house.decide(plate, Verdict.OK)
                rows = house.wait_told(plate)
            assert between.silent
    told = [row.told[0] for row in rows.values()]
    assert {(one.outcome, one.times) for one in told} == {("acknowledged", 1)}


def test_over_deaths_of_outputs_and_listeners_each_verdict_is_told_or_refused(tmp_path: Path) -> None:
    lines, requests = [Lines()], [Requests(answer=lambda said: 404 if said["plate"] == 3 else 200)]
    text: dict[str, object] = {"name": "marker", "host": "127.0.0.1", "port": lines[0].port, "again_s": 0.1}
    webhook: dict[str, object] = {"name": "mes", "url": requests[0].url, "deadline_s": 0.5, "again_s": 0.1}
    verdicts = {plate: Verdict.OK if plate % 2 else Verdict.NG for plate in range(1, 21)}
    with RecordAndOutputs(tmp_path, config_of(text=[text], webhook=[webhook])) as house:
        for plate, verdict in verdicts.items():
            house.decide(plate, verdict)
            if plate == 3:
                house.wait(lambda: 3 in requests[0].plates)
            elif plate == 5:
                house.kill("output-0")
                house.start("output-0")
            elif plate == 8:
                lines[-1].stop()
                requests[-1].stop()
                house.wait(lambda: len(house.heard) >= 2)
            elif plate == 12:
                house.kill("output-1")
                house.start("output-1")
            elif plate == 16:
                lines.append(Lines(lines[0].port))
                requests.append(Requests(requests[0].port))
        rows = house.wait_told(len(verdicts), outputs=2)
    for listener in (lines[-1], requests[-1]):
        listener.stop()
    told = {
        name: {plate: row.told[index] for plate, row in rows.items()} for index, name in enumerate(("marker", "mes"))
    }
    assert {one.output for one in told["marker"].values()} == {"marker"}
    assert {int(fields[1]) for one in lines for fields in one.verdicts} == verdicts.keys()
    assert {plate for one in requests for plate in one.plates} == verdicts.keys()
    for plate, one in told["mes"].items():
        assert one.outcome in ({"refused"} if plate == 3 else {"acknowledged", "late"})
        assert one.divert == (one.outcome != "acknowledged" or verdicts[plate] is Verdict.NG)
    assert told["mes"][3].answer == "404 Not Found"
    assert requests[0].plates.count(3) == 1
