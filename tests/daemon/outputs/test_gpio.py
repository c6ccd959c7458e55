"""A line of a GPIO chip, with the kernel's simulator where there is one; no machine of ours has a chip."""

from __future__ import annotations

from pathlib import Path

import gpiod
import pytest
from pydantic import ValidationError

from config.schema import Gpio
from daemon.outputs.door import OutputError
from daemon.outputs.gpio import GpioLink
from tests.daemon.record_and_outputs import RecordAndOutputs, config_of
from tests.gpio_sim import SimulatedChip, needs_gpio_sim


def test_a_chip_that_is_not_there_or_is_none_is_named_with_its_line() -> None:
    for chip, why in (
        ("/dev/gpiochip99", r"GPIO chip /dev/gpiochip99: line 7 and 8 cannot be had: \[Errno 2\] No such file"),
        ("/dev/null", "/dev/null is no GPIO chip: `gpiodetect` lists those of this machine"),
    ):
        link = GpioLink(Gpio(name="gate", chip=chip, line=7, heartbeat_line=8))
        with pytest.raises(OutputError, match=why):
            link.connect()
        with pytest.raises(OutputError, match=f"GPIO chip {chip}: its lines are not held"):
            link.release(1)
        link.close()


def test_a_service_whose_chip_is_missing_goes_on_and_says_so(tmp_path: Path) -> None:
    gate: dict[str, object] = {"name": "gate", "chip": "/dev/gpiochip99", "line": 7}
    with RecordAndOutputs(tmp_path, config_of(gpio=[gate])) as house:
        house.wait(lambda: house.heard)
        assert "GPIO chip /dev/gpiochip99: line 7 cannot be had" in house.heard[0][1].text  # type: ignore[union-attr]


@needs_gpio_sim
def test_a_line_is_active_only_while_a_plate_is_released() -> None:
    chip = SimulatedChip()
    link = GpioLink(Gpio(name="gate", chip=chip.device, line=1, heartbeat_line=3))
    try:
        link.connect()
        assert [chip.level(line) for line in range(4)] == [False] * 4
        link.release(7)
        link.beat(on=True)
        assert [chip.level(line) for line in range(4)] == [False, True, False, True]
        link.release(None)
        assert [chip.level(line) for line in range(4)] == [False, False, False, True]
        link.release(8)
        link.close()
        assert not chip.level(1)
        link.connect()
        chip.remove()
        with pytest.raises(OutputError, match=f"GPIO chip {chip.device}: line 1 cannot be set"):
            link.release(9)
    finally:
        link.close()
        chip.remove()


def test_the_library_has_what_is_asked_of_it() -> None:
    """Its second version; the first had other names for all of it."""
    assert gpiod.api_version.split(".")[0] == "2"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"line": 7, "heartbeat_line": 7}, "line and heartbeat_line are both 7"),
        ({}, "line"),
        ({"line": 7, "chip": "gpiochip0"}, "chip"),
    ],
)
def test_a_line_that_cannot_be_is_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Gpio.model_validate({"name": "gate", **given})
