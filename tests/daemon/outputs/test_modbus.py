"""What stands in a PLC's registers and coils, and what is said of a PLC that is not as it should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pymodbus.client import ModbusTcpClient

from config.schema import Modbus, Outputs
from daemon.outputs.codes import CAUSES, OTHER_CAUSE
from daemon.outputs.door import OutputError
from daemon.outputs.modbus import ModbusLink
from stages.events import VerdictDue
from stages.output import Echoed, Say
from stages.plate import Cause, Verdict
from stages.plc import Answers
from tests.plc import Plc

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "wire-the-plc.md"
NUMBER = 0x0001_0002
NG = VerdictDue(NUMBER, Verdict.NG, (Cause.DEFECT, Cause.FOCUS), defects=70_000, latency_s=0.25)


@pytest.fixture
def plc() -> Iterator[Plc]:
    one = Plc()
    yield one
    one.stop()


def settings(plc: Plc, **values: Any) -> Modbus:
    return Modbus(name="gate", host="127.0.0.1", port=plc.port, **values)


def registers(plc: Plc) -> list[int]:
    client = ModbusTcpClient("127.0.0.1", port=plc.port)
    with client:
        return list(client.read_holding_registers(0, count=10, device_id=1).registers)


def test_a_verdict_stands_in_ten_registers_as_the_page_says(plc: Plc) -> None:
    link = ModbusLink(settings(plc))
    assert link.connect() == 0
    link.seen(NUMBER + 1)
    link.beat(on=True)
    link.say(Say(NG, divert=True, times=1))
    assert registers(plc) == [1, 1, 2, 2, 1, CAUSES[Cause.DEFECT], 65535, 250, 1, 3]
    while link.answer() != Echoed(NUMBER, f"echo {NUMBER}"):
        pass
    link.release(NUMBER)
    assert registers(plc)[0] == 3
    link.release(None)
    assert registers(plc)[0] == 1
    link.stands(Answers(next_plate=1))
    link.beat(on=True)
    assert registers(plc)[0] == 5
    link.stands(Answers())
    link.say(Say(VerdictDue(NUMBER + 1, Verdict.OK), divert=False, times=1))
    assert registers(plc) == [1, 1, 3, 1, 0, 0, 0, 65535, 1, 3]
    link.close()


def test_whoever_connects_clears_what_a_predecessor_released(plc: Plc) -> None:
    dead = ModbusLink(settings(plc))
    dead.connect()
    dead.say(Say(VerdictDue(7, Verdict.OK), divert=False, times=1))
    dead.release(7)
    link = ModbusLink(settings(plc))
    assert link.connect() in (0, 7)
    assert registers(plc)[0] == 0
    for one in (dead, link):
        one.close()


def test_a_plc_that_is_not_there_is_named(plc: Plc) -> None:
    plc.stop()
    with pytest.raises(OutputError, match=f"PLC 127.0.0.1:{plc.port} cannot be reached"):
        ModbusLink(settings(plc)).connect()


def test_a_plc_that_dies_at_work_is_an_error_of_the_next_call(plc: Plc) -> None:
    link = ModbusLink(settings(plc))
    link.connect()
    plc.stop()
    with pytest.raises(OutputError, match="does not answer about registers"):
        link.beat(on=True)
    link.close()


def test_addresses_that_a_plc_lacks_are_named_with_what_to_do(plc: Plc) -> None:
    link = ModbusLink(settings(plc, first_register=200))
    with pytest.raises(OutputError, match=r"refuses registers 200 to 200 \(exception code 2\): give the PLC's server"):
        link.connect()
    link.close()


def test_a_plc_without_coils_gets_registers_alone(plc: Plc) -> None:
    link = ModbusLink(settings(plc, first_coil=None))
    link.connect()
    link.beat(on=True)
    assert registers(plc)[0] == 1
    link.close()


def test_each_cause_has_its_number_on_the_page_and_none_has_that_of_another() -> None:
    table = PAGE.read_text("utf-8").partition("## Numbers of the causes")[2]
    pairs = re.findall(r"\| (\d+) \| ([a-z -]+?) (?=\|)", table)
    assert {Cause(name): int(number) for number, name in pairs} == CAUSES
    assert set(CAUSES) == set(Cause)
    assert len({*CAUSES.values(), OTHER_CAUSE}) == len(CAUSES) + 1


@pytest.mark.parametrize(("register", "echo"), [(0, 0), (0, 9), (1, 0), (10, 15)])
def test_an_echo_among_the_registers_that_are_written_is_refused(register: int, echo: int) -> None:
    with pytest.raises(ValidationError, match="lies among the registers that are written"):
        Modbus(name="gate", host="plc", first_register=register, echo_register=echo)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"request_register": 8}, "first_register and request_register overlap: registers 0 to 9, and 8 to 59"),
        ({"request_register": 60}, "answer_register and request_register overlap: registers 32 to 76, and 60 to 111"),
        ({"request_register": 100, "answer_register": 17}, "echo_register and answer_register overlap"),
    ],
)
def test_blocks_of_registers_that_overlap_are_refused(given: dict[str, Any], found: str) -> None:
    with pytest.raises(ValidationError, match=found):
        Modbus(name="gate", host="plc", **given)
    assert Modbus(name="gate", host="plc", request_register=77).request_register == 77


def test_one_plc_alone_gives_ids() -> None:
    both = [{"name": name, "host": "plc", "request_register": 100} for name in ("a", "b")]
    with pytest.raises(ValidationError, match="a and b both have request_register: one PLC alone gives the ids"):
        Outputs.model_validate({"modbus": both})


def test_two_outputs_of_one_name_are_refused() -> None:
    one = {"name": "gate", "host": "plc"}
    with pytest.raises(ValidationError, match="two outputs have the name gate"):
        Outputs.model_validate({"modbus": [one, one]})
