"""A variable over OPC UA, of a real server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from asyncua import ua

from config.schema import SwitchOpcua
from daemon.switches.opcua import OpcuaSwitch
from tests.daemon.switches.looks import until, until_fault
from tests.daemon.switches.opcua_variable import NODE, TEXT, OpcuaVariable

Opened = Callable[..., OpcuaSwitch]


@pytest.fixture(scope="module")
def served() -> Iterator[OpcuaVariable]:
    one = OpcuaVariable()
    yield one
    one.end()


@pytest.fixture
def plc(served: OpcuaVariable) -> OpcuaVariable:
    served.set(False)
    return served


@pytest.fixture
def opened() -> Iterator[Opened]:
    switches: list[OpcuaSwitch] = []

    def made(url: str, node: str = NODE, timeout_s: float = 2.0) -> OpcuaSwitch:
        switches.append(OpcuaSwitch(SwitchOpcua(url=url, node=node, timeout_s=timeout_s)))
        switches[-1].open()
        return switches[-1]

    yield made
    for switch in switches:
        switch.close()
        assert not switch._thread.is_alive()


def test_each_look_has_the_level_and_the_time_in_which_it_was_so(plc: OpcuaVariable, opened: Opened) -> None:
    switch = opened(plc.url)
    looks = until(switch, lambda found: len(found) > 3)
    assert switch.fault is None
    before = time.monotonic()
    plc.set(True)
    after = time.monotonic()
    looks += until(switch, lambda found: any(look.level for look in found))
    assert all(look.began <= look.came for look in looks)
    assert all(not look.level for look in looks if look.came < before), "never before it was so"
    assert all(look.level for look in looks if look.began > after), "and ever after"


def test_a_plc_that_goes_and_comes_again_is_asked_on(plc: OpcuaVariable, opened: Opened) -> None:
    switch = opened(plc.url)
    until(switch, lambda found: len(found) > 3)
    plc.stop()
    until_fault(switch, f"PLC {plc.url} ")
    switch.readings()
    time.sleep(0.02)
    assert switch.readings() == []
    plc.set(True)
    plc.start()
    assert until(switch, lambda found: len(found) > 3)[0].level
    assert switch.fault is None


def test_what_is_no_level_is_none_and_the_key_to_correct_is_said(plc: OpcuaVariable, opened: Opened) -> None:
    for node, words in (
        ("ns=1;s=Nothing", "about ns=1;s=Nothing: its quality is BadNodeIdUnknown: correct camera.switch.opcua.node"),
        (TEXT, "it is 'on', and no Boolean: correct camera.switch.opcua.node"),
        ("ns=1;i=x", "has no ns=1;i=x: correct camera.switch.opcua.node"),
    ):
        switch = opened(plc.url, node)
        until_fault(switch, words)
        assert switch.readings() == []
        switch.close()
    switch = opened(plc.url)
    until(switch, lambda found: len(found) > 1)
    bad = ua.StatusCode(ua.StatusCodes.BadSensorFailure)
    plc.set(ua.DataValue(ua.Variant(True, ua.VariantType.Boolean), StatusCode=bad))
    until_fault(switch, f"does not answer about {NODE}: its quality is BadSensorFailure")
    assert not any(look.level for look in switch.readings())


@pytest.mark.parametrize(
    "answer", [b"", b"\0" * 100, b"ACKF\x1c\0\0\0" + b"\xff" * 20, b"HTTP/1.0 400 Bad Request\r\n\r\n"]
)
def test_a_server_that_answers_nothing_or_nonsense_does_not_hold_up_the_end(answer: bytes, opened: Opened) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def talk() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                    held[-1].sendall(answer)
                except OSError:
                    return

        threading.Thread(target=talk, daemon=True).start()
        switch = opened(f"opc.tcp://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.1)
        until_fault(switch, "cannot be reached: ")
        began = time.monotonic()
        switch.close()
        assert time.monotonic() - began < 1
        assert switch.readings() == []
        for one in held:
            one.close()
