"""A line of a GPIO chip, with the kernel's simulator where there is one; no machine of ours has a chip."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.schema import SwitchGpio
from daemon.switches.door import SwitchError
from daemon.switches.gpio import GpioSwitch
from tests.gpio_sim import SimulatedChip, needs_gpio_sim

LINE = 2


@pytest.fixture
def chip() -> Iterator[SimulatedChip]:
    one = SimulatedChip()
    yield one
    one.remove()


@pytest.fixture
def switch(chip: SimulatedChip) -> Iterator[GpioSwitch]:
    one = GpioSwitch(SwitchGpio(chip=chip.device, line=LINE))
    one.open()
    yield one
    one.close()


def test_a_chip_that_is_not_there_or_is_none_ends_the_start() -> None:
    for chip, why in (
        ("/dev/gpiochip99", r"line 7 cannot be read: \[Errno 2\] No such file or directory; `gpiodetect`"),
        ("/dev/null", "line 7 cannot be read: it is no GPIO chip; `gpiodetect` and `gpioinfo` list"),
    ):
        switch = GpioSwitch(SwitchGpio(chip=chip, line=7))
        with pytest.raises(SwitchError, match=f"camera.switch.gpio: GPIO chip {chip}, {why}"):
            switch.open()
        switch.close()


@pytest.mark.parametrize("given", [{}, {"line": -1}, {"line": 7, "chip": "gpiochip0"}])
def test_a_line_that_cannot_be_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SwitchGpio.model_validate(given)


@needs_gpio_sim
def test_each_edge_has_the_time_at_which_it_came_however_late_it_is_asked_for(
    chip: SimulatedChip, switch: GpioSwitch
) -> None:
    (first,) = switch.readings()
    assert not first.level
    times = []
    for level in (True, False, True):
        before = time.monotonic()
        chip.set(LINE, level)
        times.append((before, time.monotonic()))
        time.sleep(0.05)
    chip.set(LINE - 1, True)  # its neighbours say nothing
    *edges, now = switch.readings()
    assert [edge.level for edge in edges] == [True, False, True]
    for edge, (before, after) in zip(edges, times, strict=True):
        assert before <= edge.began == edge.came <= after
    assert (now.level, now.began == now.came) == (True, True)
    assert now.came > edges[-1].came
    assert switch.fault is None
    (later,) = switch.readings()
    assert (later.level, later.came >= now.came) == (True, True)


@needs_gpio_sim
def test_a_line_that_is_active_low_and_was_so_before_is_a_sheet(chip: SimulatedChip) -> None:
    one = GpioSwitch(SwitchGpio(chip=chip.device, line=LINE, active_low=True))
    one.open()
    try:
        assert [reading.level for reading in one.readings()] == [True]
        chip.set(LINE, True)
        assert [reading.level for reading in one.readings()] == [False, False]
    finally:
        one.close()


@needs_gpio_sim
def test_more_edges_than_the_kernel_keeps_end_at_the_level_that_stands(chip: SimulatedChip, switch: GpioSwitch) -> None:
    for number in range(3001):
        chip.set(LINE, number % 2 == 0)
    readings = switch.readings()
    assert 100 < len(readings) <= 1025
    assert readings[-1].level
    assert switch.readings()[-1].level


@needs_gpio_sim
def test_a_line_that_another_program_holds_is_named(chip: SimulatedChip, switch: GpioSwitch) -> None:
    other = GpioSwitch(SwitchGpio(chip=chip.device, line=LINE))
    with pytest.raises(SwitchError, match=r"line 2 cannot be read: .*busy; `gpiodetect` and `gpioinfo`"):
        other.open()
    assert switch.readings()


@needs_gpio_sim
def test_a_chip_that_goes_and_comes_again_is_read_on(chip: SimulatedChip) -> None:
    name = Path("/dev/shm/linesentry-gpio-test")
    name.symlink_to(chip.device)
    switch = GpioSwitch(SwitchGpio(chip=str(name), line=LINE))
    try:
        switch.open()
        chip.remove()
        assert switch.readings() == []
        assert f"GPIO chip {name}, line 2 cannot be read: " in (switch.fault or "")
        again = SimulatedChip("linesentry-test-again")
        again.set(LINE, True)
        name.unlink()
        name.symlink_to(again.device)
        most = time.monotonic() + 20
        while not (readings := switch.readings()):
            assert time.monotonic() < most, switch.fault
            time.sleep(0.01)
        assert readings[-1].level
        assert switch.fault is None
        switch.close()
        again.remove()
    finally:
        switch.close()
        name.unlink()
