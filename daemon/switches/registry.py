"""Which module is which switch, and which package it needs."""

from __future__ import annotations

from config.schema import CameraSwitch
from daemon.switches.door import SwitchInput
from models.machine import packages

_PACKAGES = {"modbus": "pymodbus", "opcua": "asyncua", "gpio": "gpiod"}
"""The extra that brings each has the name of its source."""


def switch_input(switch: CameraSwitch) -> SwitchInput | None:
    """The input that is configured, not yet open; None: the level comes with the camera's rows."""
    if switch.source == "modbus" and switch.modbus is not None:
        from daemon.switches.modbus import ModbusSwitch  # noqa: PLC0415 - a package that only this one needs

        return ModbusSwitch(switch.modbus)
    if switch.source == "opcua" and switch.opcua is not None:
        from daemon.switches.opcua import OpcuaSwitch  # noqa: PLC0415 - the same

        return OpcuaSwitch(switch.opcua)
    if switch.source == "gpio" and switch.gpio is not None:
        from daemon.switches.gpio import GpioSwitch  # noqa: PLC0415 - the same

        return GpioSwitch(switch.gpio)
    if switch.source == "http":
        from daemon.switches.http import HttpSwitch  # noqa: PLC0415 - a server that only this one needs

        return HttpSwitch(switch.http)
    return None


def missing_package(switch: CameraSwitch) -> str | None:
    """What it needs and is not installed, with the command that installs it; None where nothing is missing."""
    package = _PACKAGES.get(switch.source)
    return None if package is None else packages.missing(package, switch.source)
