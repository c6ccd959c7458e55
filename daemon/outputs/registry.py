"""Which module speaks which protocol, and which package it needs."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from config.outputs import by_key
from config.schema import Gpio, Modbus, Mqtt, Opcua, Output, Outputs, Text, Webhook
from daemon.outputs.door import OutputLink, RequestLink
from models.machine import packages

_LINKS: dict[type[Output], str] = {
    Gpio: "daemon.outputs.gpio:GpioLink",
    Modbus: "daemon.outputs.modbus:ModbusLink",
    Mqtt: "daemon.outputs.mqtt:MqttLink",
    Opcua: "daemon.outputs.opcua:OpcuaLink",
    Text: "daemon.outputs.text:TextLink",
    Webhook: "daemon.outputs.webhook:WebhookLink",
}
"""Of each section: module and class; a module, and what it needs, is loaded only where its output is opened."""

_EXTRAS: dict[type[Output], tuple[str, str]] = {
    Gpio: ("gpiod", "gpio"),
    Modbus: ("pymodbus", "modbus"),
    Mqtt: ("paho", "mqtt"),
    Opcua: ("asyncua", "opcua"),
}
"""Of sections that need a package of their own: what it is imported as, and the extra that has it."""


def open_link(output: Output) -> OutputLink:
    """The link of an output, not yet connected."""
    module, _, name = _LINKS[type(output)].partition(":")
    maker: Callable[[Output], OutputLink] = getattr(importlib.import_module(module), name)
    return maker(output)


def open_requests(output: Output) -> RequestLink | None:
    """The link over which the output's peer asks of us; None where it is asked for nothing."""
    if not isinstance(output, Modbus) or output.request_register is None:
        return None
    module = importlib.import_module("daemon.outputs.modbus_requests")
    link: RequestLink = module.ModbusRequests(output)
    return link


def missing_package(output: Output) -> str | None:
    """What the output needs and is not installed, with the command that installs it; None where nothing is missing."""
    needed = _EXTRAS.get(type(output))
    return None if needed is None else packages.missing(*needed)


def missing_packages(outputs: Outputs) -> list[tuple[str, str]]:
    """The same for each output of a configuration, by its key."""
    return [(key, why) for key, output in by_key(outputs) if (why := missing_package(output)) is not None]
