"""A discrete input over Modbus TCP, of a real server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from config.schema import SwitchModbus
from daemon.switches.modbus import ModbusSwitch
from tests.daemon.switches.looks import until, until_fault
from tests.daemon.switches.remote_io import RemoteIo


@pytest.fixture
def plc() -> Iterator[RemoteIo]:
    one = RemoteIo()
    yield one
    one.stop()


@pytest.fixture
def opened() -> Iterator[Callable[[SwitchModbus], ModbusSwitch]]:
    switches: list[ModbusSwitch] = []

    def made(settings: SwitchModbus) -> ModbusSwitch:
        switches.append(ModbusSwitch(settings))
        switches[-1].open()
        return switches[-1]

    yield made
    for switch in switches:
        switch.close()


def settings(plc: RemoteIo, **values: float) -> SwitchModbus:
    return SwitchModbus.model_validate({"host": "127.0.0.1", "port": plc.port, "timeout_s": 0.2, **values})


def test_each_look_has_the_level_and_the_time_in_which_it_was_so(
    plc: RemoteIo, opened: Callable[[SwitchModbus], ModbusSwitch]
) -> None:
    plc.set(2, True)  # its neighbours say nothing
    switch = opened(settings(plc, input=3))
    until(switch, lambda found: len(found) > 3)
    assert switch.fault is None
    before = time.monotonic()
    plc.set(3, True)
    after = time.monotonic()
    readings = until(switch, lambda found: any(reading.level for reading in found))
    looks = [r for r in readings if r.came < before] + [r for r in readings if r.level][:1]
    assert [reading.level for reading in looks[:-1]] == [False] * (len(looks) - 1)
    assert looks[-1].came >= before
    assert all(reading.began <= reading.came for reading in readings)
    assert all(not r.level for r in readings if r.came < before), "never before it was so"
    assert all(r.level for r in readings if r.began > after), "and ever after"


def test_a_plc_that_goes_and_comes_again_is_asked_on_and_what_is_wrong_is_said(
    plc: RemoteIo, opened: Callable[[SwitchModbus], ModbusSwitch]
) -> None:
    switch = opened(settings(plc, poll_s=0.005))
    until(switch, lambda found: len(found) > 3)
    plc.stop()
    until_fault(switch, f"PLC 127.0.0.1:{plc.port}")
    switch.readings()
    time.sleep(0.02)
    assert switch.readings() == []
    again = RemoteIo(plc.port)
    try:
        again.set(0, True)
        until(switch, lambda found: any(reading.level for reading in found))
        assert switch.fault is None
    finally:
        again.stop()


def test_an_input_that_the_plc_does_not_have_is_said_with_the_keys_to_correct(
    plc: RemoteIo, opened: Callable[[SwitchModbus], ModbusSwitch]
) -> None:
    switch = opened(settings(plc, input=4000))
    until_fault(switch, "correct camera.switch.modbus.input or device_id")
    assert switch.readings() == []


def test_a_plc_that_takes_the_connection_and_answers_nothing_does_not_hold_up_the_end(
    opened: Callable[[SwitchModbus], ModbusSwitch],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        switch = opened(SwitchModbus(host="127.0.0.1", port=deaf.getsockname()[1], timeout_s=0.1))
        until_fault(switch, "does not answer about input 0")
        began = time.monotonic()
        switch.close()
        assert time.monotonic() - began < 1
