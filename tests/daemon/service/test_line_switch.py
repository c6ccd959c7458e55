"""The line's switch over real connections: edges for strips without any, and what is told when it fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from structlog.testing import capture_logs

from config.load import load_config, with_overrides
from config.schema import Columns, Config, Length, Recipe
from daemon.cameras.gentl import GentlCamera
from daemon.cameras.registry import CameraOrder
from daemon.service.line_switch import LineSwitch
from daemon.service.unusable import UnusableError
from daemon.switches.http import HttpSwitch
from daemon.telemetry.counters import Tally
from stages.camera import Edge, Loss, NoStrip, Strip
from stages.switch_faults import SwitchFault
from stages.switched_strips import Waiting
from tests.daemon.cameras import viky
from tests.daemon.switches.opcua_variable import NODE, OpcuaVariable
from tests.daemon.switches.remote_io import RemoteIo

ROWS, WIDTH = 50, 64
RECIPE = Recipe(name="r", length=Length(nominal_rows=400), columns=Columns(last=WIDTH))
PIXELS = np.zeros((ROWS, WIDTH), np.uint8)
PACED = {"source": "simulator", "line_rate_hz": 10_000}
Make = Callable[..., LineSwitch]


@pytest.fixture
def line_switch() -> Iterator[Make]:
    opened: list[LineSwitch] = []

    def made(switch: dict[str, Any], moved: Callable[[], None] = lambda: None, **camera: Any) -> LineSwitch:
        config = with_overrides(load_config(None), {"camera": {"width": WIDTH, "switch": switch, **camera}})
        opened.append(LineSwitch(config, RECIPE, log=structlog.get_logger(), tally=Tally(), moved=moved))
        opened[-1].open()
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def http(line_switch: LineSwitch) -> HttpSwitch:
    assert isinstance(line_switch._input, HttpSwitch)
    return line_switch._input


def put(switch: HttpSwitch, level: bool) -> None:
    connection = HTTPConnection("127.0.0.1", switch.port, timeout=20)
    connection.request("PUT", "/switch", b"1" if level else b"0")
    assert connection.getresponse().status == 200
    connection.close()


def alarms(logs: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [line for line in logs if line["log_level"] in ("error", "warning")]


def edges(waiting: list[Waiting]) -> list[Edge]:
    return [edge for one in waiting for edge in one.strip.edges]


def test_requests_are_edges_of_the_strips_that_passed_meanwhile(line_switch: Make) -> None:
    moves: list[None] = []
    one = line_switch({"source": "http", "http": {"port": 0}, "latency_s": 0}, lambda: moves.append(None), **PACED)
    ready: list[Waiting] = []
    began = time.monotonic()
    for number in range(30):
        if number in (8, 20):
            put(http(one), number == 8)
        time.sleep(0.005)
        one.take(Strip(number, number * ROWS, ROWS, (), False), PIXELS, 0, time.monotonic())
        ready += one.ready(time.monotonic())
    ready += one.ready(time.monotonic(), last=True)
    assert [waiting.strip.block for waiting in ready] == list(range(30))
    assert all(began < waiting.at for waiting in ready)
    rises, falls = edges(ready)
    assert (rises.count, rises.rising, falls.count, falls.rising) == (1, True, 2, False)
    assert 7 * ROWS <= rises.row <= 9 * ROWS
    assert 20 * ROWS <= falls.row <= 22 * ROWS
    assert len(moves) == 3, "the first level, and two moves"


def test_a_plc_that_does_not_answer_is_one_alarm_until_it_does(line_switch: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with capture_logs() as logs:
        one = line_switch({"source": "modbus", "modbus": {"host": "127.0.0.1", "port": port}}, **PACED)
        most = time.monotonic() + 10
        while one._input is not None and "cannot be reached" not in (one._input.fault or ""):
            assert time.monotonic() < most
            time.sleep(0.005)
        assert one.ready(time.monotonic()) == []
        assert one.words == []
        for later in (1.1, 2.0, 3.0):
            one.ready(time.monotonic() + later)
        assert one.words == ["switch silent"]
        plc = RemoteIo(port)
        while one.words:
            assert time.monotonic() < most
            one.ready(time.monotonic())
            time.sleep(0.005)
        plc.stop()
    alarm, over = alarms(logs)
    assert alarm["event"] == "the switch cannot be trusted"
    assert (alarm["fault"], alarm["found"]) == (SwitchFault.SILENT, f"PLC 127.0.0.1:{port} cannot be reached")
    assert (over["event"], over["fault"]) == ("the switch is well again", SwitchFault.SILENT)


class Belt:
    """Feeds strips at a steady pace, as far as the machine keeps it."""

    def __init__(self, line_switch: LineSwitch) -> None:
        self.switch = line_switch
        self.ready: list[Waiting] = []
        self.row = 0
        """That came last."""

    def until(self, there: Callable[[], bool]) -> int:
        """Feed until that is so; the row that came last."""
        most = time.monotonic() + 60
        while not there():
            assert time.monotonic() < most
            time.sleep(0.005)
            self.switch.take(Strip(self.row // ROWS, self.row, ROWS, (), False), PIXELS, 0, time.monotonic())
            self.row += ROWS
            self.ready += self.switch.ready(time.monotonic())
        return self.row

    def edges(self, count: int) -> Callable[[], bool]:
        """There are so many."""
        return lambda: len(edges(self.ready)) == count


def test_a_plc_over_opc_ua_that_dies_or_hangs_in_mid_run_costs_only_the_sheets_that_it_did_not_tell(
    line_switch: Make,
) -> None:
    plc = OpcuaVariable()
    truth: list[tuple[int, int]] = []
    with capture_logs() as logs:
        switch = {"source": "opcua", "opcua": {"url": plc.url, "node": NODE, "timeout_s": 5}, "latency_s": 0.01}
        belt = Belt(line_switch(switch, **PACED))
        belt.until(lambda: bool(belt.ready))
        for cut in (True, False):
            for level in (True, False):
                before = belt.row
                plc.set(level)
                truth.append((before, belt.until(belt.edges(len(truth) + 1))))
            if cut:
                plc.stop()
                belt.until(lambda: "switch silent" in belt.switch.words)
                plc.start()
                belt.until(lambda: "switch silent" not in belt.switch.words)
        goes_on = threading.Event()
        plc.hang(goes_on, True)
        # The sheet comes now, and the next strip is passed on without it.
        came = belt.row
        belt.until(lambda: belt.ready[-1].strip.first_row >= came + ROWS)
        goes_on.set()
        truth.append((came, belt.until(belt.edges(5))))
        plc.end()
    found = edges(belt.ready)
    assert [edge.rising for edge in found] == [True, False, True, False, True]
    for edge, (before, after) in zip(found, truth, strict=True):
        assert edge.row <= before + ROWS if edge.rising else before <= edge.row <= after, "a sheet is never too short"
    carrier = next(waiting.strip for waiting in belt.ready if found[-1] in waiting.strip.edges)
    assert found[-1].row < carrier.first_row, "the rows before it have passed, and its plate lacks them"
    alarm, over, *_ = (line for line in alarms(logs) if line["fault"] is SwitchFault.SILENT)
    assert f"PLC {plc.url} cannot be reached" in alarm["found"]
    assert (alarm["event"], over["event"]) == ("the switch cannot be trusted", "the switch is well again")


def test_what_another_product_may_be_is_no_fault_of_the_switch(line_switch: Make) -> None:
    short = [row for number in range(6) for row in (100 + 100 * number, 150 + 100 * number)]
    strip = Strip(0, 0, 700, tuple(Edge(n, row, n % 2 == 1) for n, row in enumerate(short, 1)), False)
    for others, faults in (([], ["switch bounces"]), ([Recipe(name="s", length=Length(nominal_rows=50))], [])):
        one = line_switch({})
        one.expect([RECIPE, *others])
        one.take(strip, PIXELS, 0, 0.0)
        assert len(edges(one.ready(0.0))) == (len(short) if not faults else 6)
        assert one.words == faults


def test_an_address_that_cannot_be_had_ends_the_start(line_switch: Make) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(UnusableError, match=r"camera\.switch\.http: cannot listen on"),
    ):
        line_switch({"source": "http", "http": {"port": taken.getsockname()[1]}}, **PACED)


@viky.needs_genicam
def test_a_camera_that_delivers_nothing_while_a_switch_of_its_own_wire_moves_is_frozen(
    line_switch: Make, tmp_path: Path
) -> None:
    config: Config = viky.configured(switch_feature=None, switch_bit=None)
    camera = GentlCamera(CameraOrder(config, RECIPE, tmp_path))
    camera.open(lambda _: None)
    one = line_switch({"source": "http", "http": {"port": 0}}, camera.line_moves, **PACED)
    into, most = np.zeros((viky.STRIP, viky.WIDTH), np.uint8), time.monotonic() + 20
    with capture_logs() as logs:
        try:
            camera.start()
            while not isinstance(camera.next_strip(into, 0.1), Strip):
                assert time.monotonic() < most
            assert camera._device is not None
            camera._device.features.write("AcquisitionStop", "true")
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                camera.next_strip(into, 0.05)
                one.ready(time.monotonic())
            assert not alarms(logs), "a belt that stands is no fault"
            put(http(one), True)
            while not alarms(logs) and time.monotonic() < most:
                one.ready(time.monotonic())
                assert camera.next_strip(into, 0.05) is NoStrip.WAITING
        finally:
            camera.close()
    (alarm,) = alarms(logs)
    assert alarm["event"] == "the camera is frozen: no strip, although the line moves"
    assert alarm["moved"] == ["camera.switch"]
    assert camera.status().losses[Loss.FROZEN] == 1
