"""Record and an output process that is a server of OPC UA, with a real client of it that goes by the page."""

from __future__ import annotations

import signal
from pathlib import Path

from daemon.outputs.codes import VERDICTS
from stages.events import OutputFailing, OutputWorks
from stages.plate import Verdict
from stages.plc import Answers, PlcAnswers
from tests.daemon.record_and_outputs import RecordAndOutputs, config_of
from tests.opcua_plc import OpcuaPlc, free_port
from tests.plc import WATCHDOG_S

VERDICT_OF = {plate: list(Verdict)[plate % 3] for plate in range(1, 25)}


def test_over_deaths_of_record_output_and_client_nothing_is_lost_nor_new_twice_and_no_plate_passes_that_was_not_ok(
    tmp_path: Path,
) -> None:
    port = free_port()
    gate: dict[str, object] = {"name": "gate", "port": port, "again_s": 0.1, "deadline_s": 60.0}
    with RecordAndOutputs(tmp_path, config_of(opcua=[gate])) as house:
        house.wait(lambda: house.heard)
        assert isinstance(house.heard[0][1], OutputFailing)
        assert "no client is connected" in house.heard[0][1].text
        plcs = [OpcuaPlc(port)]
        for plate, verdict in VERDICT_OF.items():
            house.decide(plate, verdict)
            house.pause(0.03)
            match plate:
                case 6:
                    house.kill("output-0")
                    house.start("output-0")
                case 12:
                    plcs[-1].stop()
                    plcs.append(OpcuaPlc(port))
                case 18:
                    house.kill("record-0")
                    house.start("record-0")
                    house.say_again({one: VERDICT_OF[one] for one in range(1, plate + 1)})
        house.wait(lambda: len(house.final) == len(VERDICT_OF))
        rows = house.wait_told(len(VERDICT_OF))
        house.wait(lambda: isinstance(house.heard[-1][1], OutputWorks))
        house.decide(25, Verdict.OK)
        house.wait(lambda: plcs[-1].passes(25))
        house.kill("output-0", signal.SIGSTOP)
        house.wait(lambda: not plcs[-1].passes(25), 10 * WATCHDOG_S)
        house.kill("output-0")
        house.wait(lambda: not plcs[-1].values)
    plcs[-1].stop()
    verdicts = VERDICT_OF | {25: Verdict.OK}
    for one in plcs:
        heard = [telling.number for telling in one.new]
        assert len(heard) == len(set(heard)), "told twice as new"
        assert all(telling.verdict == VERDICTS[verdicts[telling.number]] for telling in one.new)
        assert all(telling.divert == (verdicts[telling.number] is not Verdict.OK) for telling in one.new)
        assert all(verdicts[number] is Verdict.OK for number in one.released)
    for plate, row in rows.items():
        (told,) = row.told
        assert row.verdict is verdicts[plate]
        assert told.divert or (row.verdict is Verdict.OK and told.outcome == "acknowledged")


def test_a_client_that_echoes_wrongly_gets_nothing_released_and_a_silent_supervisor_is_an_error(tmp_path: Path) -> None:
    port = free_port()
    gate: dict[str, object] = {"name": "gate", "port": port, "again_s": 0.1, "deadline_s": 1.0}
    with RecordAndOutputs(tmp_path, config_of(opcua=[gate])) as house:
        plc = OpcuaPlc(port, echo=lambda number: number and number + 1)
        house.wait(lambda: plc.beats)
        house.tell("output-0", PlcAnswers(Answers(next_plate=1)))
        house.wait(lambda: plc.values.get("CurrentState") == "Operational")
        house.decide(1, Verdict.OK)
        wrong = house.wait_told(1)[1].told[0]
        assert (wrong.outcome, wrong.answered_at, wrong.answer) == ("unacknowledged", None, "echo 2")
        assert wrong.divert
        assert wrong.times > 1
        plc.echo = lambda number: number
        # The echo that stands is that of the next plate: it acknowledges nothing that was not said.
        house.decide(2, Verdict.OK)
        assert house.wait_told(2)[2].told[0].outcome == "acknowledged"
        assert [one.number for one in plc.new] == [1, 2]
        house.wait(lambda: list(plc.released) == [2])
        house.wait(lambda: plc.values.get("CurrentState") == "Error")
        plc.stop()
