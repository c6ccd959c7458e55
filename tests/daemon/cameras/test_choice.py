"""Which device is taken, by what it is called; and what is said where that is none, or several."""

from __future__ import annotations

import pytest

from daemon.cameras.choice import chosen
from stages.camera import CameraError, CameraSetupError


def device(id_: str, serial: str, name: str = "") -> dict[str, str]:
    return {"id": id_, "vendor": "Maker", "model": "Line 8k", "serial": serial, "name": name}


LEFT, RIGHT = device("dev-1", "4711", "belt"), device("Line 8k (4712)", "4712", "belt")


def test_the_only_device_needs_no_name() -> None:
    assert chosen([LEFT], None) == 0


@pytest.mark.parametrize("name", ["4712", "Line 8k (4712)"])
def test_a_device_is_named_by_serial_number_or_id(name: str) -> None:
    assert chosen([LEFT, RIGHT], name) == 1


def test_one_of_several_has_to_be_named() -> None:
    with pytest.raises(CameraSetupError, match=r"there are 2 cameras: 4711 \(dev-1\), Line 8k \(4712\)$"):
        chosen([LEFT, RIGHT], None)


def test_a_name_that_several_have_is_not_said_to_be_missing() -> None:
    with pytest.raises(CameraError, match=r"camera\.device: belt is the name of several cameras; there are: 4711"):
        chosen([LEFT, RIGHT], "belt")


def test_a_device_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(CameraError, match=r"camera.device: 4713 is not there; there are: 4711 \(dev-1\)$"):
        chosen([LEFT], "4713")
    with pytest.raises(CameraError, match="no camera is there"):
        chosen([], "4713")
