"""Who is told each verdict: one section for each protocol, and in it a list, for there may be several."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from pydantic import Field, model_validator

from config.schema.section import Strict

REQUEST_REGISTERS, ANSWER_REGISTERS = 52, 45
"""How many registers a PLC asks in, and how many are answered in (daemon/outputs/modbus_requests.py)."""


class Output(Strict):
    """What every output has, whatever it speaks."""

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_-]{0,31}$",
        description="its name in log, store and health; another name is another output, which has been told nothing",
    )
    deadline_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="seconds from a plate's last row until its OK is of no use: what is acknowledged later, or not at "
        "all, counts as divert",
    )
    again_s: float = Field(0.5, gt=0, le=60, description="pause before a verdict is said again")
    timeout_s: float = Field(
        1.0, gt=0, le=5, description="longest wait for one answer of the network; then the connection is made anew"
    )


class Modbus(Output):
    """A PLC over Modbus TCP: linesentry is the client, the PLC the server (docs/how-to/wire-the-plc.md)."""

    host: str = Field(min_length=1, description="address of the PLC")
    port: int = Field(502, ge=1, le=65535, description="its port")
    device_id: int = Field(1, ge=0, le=255, description="unit identifier")
    first_register: int = Field(0, ge=0, le=65526, description="first of the ten holding registers that are written")
    echo_register: int = Field(
        16, ge=0, le=65534, description="first of the two holding registers in which the PLC gives back the number"
    )
    first_coil: int | None = Field(
        0, ge=0, le=65534, description="first of the two coils release and heartbeat; null: no coils are written"
    )
    request_register: int | None = Field(
        None,
        ge=0,
        le=65536 - REQUEST_REGISTERS,
        description=f"first of the {REQUEST_REGISTERS} holding registers in which the PLC names "
        "the next sheet, asks for another recipe, and resets alarms; null: none are read",
    )
    answer_register: int = Field(
        32,
        ge=0,
        le=65536 - ANSWER_REGISTERS,
        description=f"first of the {ANSWER_REGISTERS} holding registers with the answers to these, and whether the "
        "next sheet would be inspected; written with request_register alone",
    )
    hold_s: float = Field(
        0.1,
        ge=0,
        le=5,
        description="for so long a release stands before the next verdict is said; two cycles of the PLC at least",
    )

    @model_validator(mode="after")
    def _echo_apart(self) -> Modbus:
        if self.first_register - 2 < self.echo_register < self.first_register + 10:
            raise ValueError(
                f"echo_register ({self.echo_register}) lies among the registers that are written: "
                f"allowed: up to {self.first_register - 2}, or from {self.first_register + 10}"
            )
        return self

    @model_validator(mode="after")
    def _requests_apart(self) -> Modbus:
        if self.request_register is None:
            return self
        blocks = {
            "first_register": (self.first_register, 10),
            "echo_register": (self.echo_register, 2),
            "answer_register": (self.answer_register, ANSWER_REGISTERS),
            "request_register": (self.request_register, REQUEST_REGISTERS),
        }
        for one, other in combinations(blocks, 2):
            (first, count), (second, more) = blocks[one], blocks[other]
            if first < second + more and second < first + count:
                raise ValueError(
                    f"{one} and {other} overlap: registers {first} to {first + count - 1}, and {second} to "
                    f"{second + more - 1}; move one of them"
                )
        return self


class Text(Output):
    """A line of text over TCP for each verdict, and a line back (docs/how-to/tell-others.md)."""

    host: str = Field(min_length=1, description="address of the listener")
    port: int = Field(ge=1, le=65535, description="its port")


class Webhook(Output):
    """A POST of JSON for each verdict (docs/how-to/tell-others.md)."""

    url: str = Field(
        pattern=r"^https?://[^\s@/?#]+(/[^\s#]*)?$",
        description="whole address, with http or https; nobody redirects it",
    )
    secret_file: Path | None = Field(
        None, description="file with the key that signs each request, HMAC-SHA256; null: nothing is signed"
    )


class Mqtt(Output):
    """A topic of an MQTT broker (docs/how-to/tell-others.md)."""

    host: str = Field(min_length=1, description="address of the broker")
    port: int = Field(1883, ge=1, le=65535, description="its port; with tls mostly 8883")
    topic: str = Field(
        "linesentry",
        pattern=r"^[^/+#$\s\x00][^+#\s\x00]*[^/+#\s\x00]$",
        max_length=200,
        description="topic below which verdict and status are published",
    )
    username: str | None = Field(None, min_length=1, description="null: none is given")
    password_file: Path | None = Field(None, description="file with the password; null: none is given")
    tls: bool = Field(False, description="encrypted, to a broker whose certificate this machine trusts")


class Opcua(Output):
    """A server of OPC UA; the PLC is its client (docs/how-to/opc-ua.md)."""

    host: str = Field(
        "127.0.0.1",
        pattern=r"^[A-Za-z0-9.:-]+$",
        description="own address at which clients are let in; 0.0.0.0: all that this machine has",
    )
    port: int = Field(4840, ge=1, le=65535, description="its port")
    certificate_file: Path | None = Field(
        None, description="the server's certificate, PEM or DER: all is encrypted; null: nothing is"
    )
    key_file: Path | None = Field(None, description="the private key of certificate_file, PEM or DER, without password")
    username: str | None = Field(None, min_length=1, description="who is let in; null: anybody who reaches the port")
    password_file: Path | None = Field(None, description="file with that user's password; read anew for each client")
    hold_s: float = Field(
        0.1,
        ge=0,
        le=5,
        description="for so long a release stands before the next verdict is said; twice what the client takes to see "
        "a change at least",
    )

    @model_validator(mode="after")
    def _whole(self) -> Opcua:
        for one, other in (("certificate_file", "key_file"), ("username", "password_file")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} belong together: give both, or none")
        if self.username is not None and self.certificate_file is None:
            raise ValueError("username needs certificate_file: the password would be sent in the clear")
        return self


class Gpio(Output):
    """A line of a GPIO chip that passes a sheet; not tried on hardware (docs/how-to/digital-output.md)."""

    chip: str = Field("/dev/gpiochip0", pattern=r"^/dev/[\w./-]+$", description="the chip's device")
    line: int = Field(
        ge=0, le=1023, description="number of the line on the chip that is active only while an OK stands; else reject"
    )
    heartbeat_line: int | None = Field(
        None, ge=0, le=1023, description="line that changes every 0.25 s, for a watchdog relay; null: none"
    )
    active_low: bool = Field(False, description="active is a low level, on both lines")
    hold_s: float = Field(
        0.1, ge=0, le=60, description="for so long the line is active at least, unless the deadline comes first"
    )

    @model_validator(mode="after")
    def _two_lines(self) -> Gpio:
        if self.line == self.heartbeat_line:
            raise ValueError(f"line and heartbeat_line are both {self.line}: give the heartbeat a line of its own")
        return self


class Outputs(Strict):
    """Who is told each verdict, once it is final. Each output is a process of its own."""

    modbus: tuple[Modbus, ...] = Field((), max_length=8, description="PLCs over Modbus TCP")
    text: tuple[Text, ...] = Field((), max_length=8, description="lines of text over TCP")
    webhook: tuple[Webhook, ...] = Field((), max_length=8, description="requests over HTTP")
    mqtt: tuple[Mqtt, ...] = Field((), max_length=8, description="topics of MQTT brokers")
    opcua: tuple[Opcua, ...] = Field((), max_length=8, description="servers of OPC UA, for PLCs that are clients")
    gpio: tuple[Gpio, ...] = Field((), max_length=8, description="lines of GPIO chips")

    @property
    def all(self) -> tuple[Output, ...]:
        """All of them, in the order of their processes."""
        return (*self.modbus, *self.text, *self.webhook, *self.mqtt, *self.opcua, *self.gpio)

    @model_validator(mode="after")
    def _names_once(self) -> Outputs:
        names = [one.name for one in self.all]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two outputs have the name {name}: what each was told could not be told apart")
        return self

    @property
    def asking(self) -> int | None:
        """Which of all of them has a PLC that names the sheets; None where none does."""
        found = (
            index for index, one in enumerate(self.all) if isinstance(one, Modbus) and one.request_register is not None
        )
        return next(found, None)

    @property
    def showing(self) -> tuple[int, ...]:
        """Which of all of them show their peer how the service stands."""
        return tuple(index for index, one in enumerate(self.all) if index == self.asking or isinstance(one, Opcua))

    @model_validator(mode="after")
    def _one_asks(self) -> Outputs:
        asking = [one.name for one in self.modbus if one.request_register is not None]
        if len(asking) > 1:
            raise ValueError(
                f"{' and '.join(asking)} both have request_register: one PLC alone gives the ids of a sheet; "
                "take it from the others"
            )
        return self
