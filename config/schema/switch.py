"""Where the level of the photoelectric switch comes from (docs/how-to/switch.md)."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from config.schema.section import Strict


class SwitchModbus(Strict):
    """A discrete input of a PLC or of remote I/O, over Modbus TCP: linesentry asks for it again and again."""

    host: str = Field(min_length=1, description="address of the PLC")
    port: int = Field(502, ge=1, le=65535, description="its port")
    device_id: int = Field(1, ge=0, le=255, description="unit identifier")
    input: int = Field(0, ge=0, le=65535, description="address of the discrete input, from 0")
    poll_s: float = Field(0.002, ge=0.0005, le=1, description="seconds from one question to the next")
    timeout_s: float = Field(0.5, gt=0, le=5, description="longest wait for an answer; then the connection is anew")


class SwitchOpcua(Strict):
    """A variable of a PLC that is a server of OPC UA: linesentry reads it again and again."""

    url: str = Field(
        pattern=r"^opc\.tcp://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(/\S*)?$",
        description="address of the server, as opc.tcp://192.168.1.10:4840",
    )
    node: str = Field(
        pattern=r"^(ns=\d+;)?[isgb]=.+$",
        description="node id of the variable, a Boolean that is true while a sheet is there, as ns=3;s=SheetPresent",
    )
    poll_s: float = Field(0.005, ge=0.0005, le=1, description="seconds from one question to the next")
    timeout_s: float = Field(0.5, gt=0, le=5, description="longest wait for an answer; then the connection is anew")


class SwitchGpio(Strict):
    """A line of a GPIO chip of this machine; not tried on hardware."""

    chip: str = Field("/dev/gpiochip0", pattern=r"^/dev/[\w./-]+$", description="the chip's device")
    line: int = Field(ge=0, le=1023, description="number of the line on the chip that is active while a sheet is there")
    active_low: bool = Field(False, description="active is a low level")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SwitchHttp(Strict):
    """Requests of another program: PUT /switch with 1 as a sheet comes, with 0 as it has gone."""

    host: str = Field("127.0.0.1", min_length=1, description="address that is listened on; another one needs a token")
    port: int = Field(9465, ge=0, le=65535, description="0: any free port, which the log tells")
    token_file: Path | None = Field(
        None, description="file with the token that each request must bear; null: none, on this machine's loopback only"
    )

    @model_validator(mode="after")
    def _told_who(self) -> SwitchHttp:
        if self.token_file is None and not _loopback(self.host):
            raise ValueError(f"host is {self.host}, so anybody there could make sheets: name a token_file too")
        return self


class SwitchPicture(Strict):
    """Background and metal, as the picture shows them."""

    level: int = Field(
        30, ge=1, le=254, description="grey value above which a pixel is metal; the background is darker"
    )
    tolerance_rows: int = Field(
        100, ge=1, le=1_000_000, description="with check: rows by which an edge may lie apart from the switch's"
    )


class CameraSwitch(Strict):
    """What says that a sheet is under the camera, or comes."""

    source: Literal["camera", "modbus", "opcua", "gpio", "http", "picture"] = Field(
        "camera",
        description="camera: wired to it, or its own; modbus: a PLC's input; opcua: a PLC's variable; gpio: a line of "
        "this machine; http: another program; picture: background to metal",
    )
    check: bool = Field(
        False, description="compare each sheet with the picture; where they disagree it is INCONCLUSIVE"
    )
    latency_s: float = Field(
        0.005,
        ge=0,
        le=5,
        description="modbus, opcua, gpio, http: seconds by which the level may be late (PLC's cycle, network, delivery "
        "of strips); sheets are cut so much longer at both ends",
    )
    modbus: SwitchModbus | None = Field(None, description="null: no such switch")
    opcua: SwitchOpcua | None = Field(None, description="null: no such switch")
    gpio: SwitchGpio | None = Field(None, description="null: no such switch")
    http: SwitchHttp = SwitchHttp()
    picture: SwitchPicture = SwitchPicture()

    @property
    def timed(self) -> bool:
        """Its level comes at times, and not with the camera's rows."""
        return self.source not in ("camera", "picture")

    @model_validator(mode="after")
    def _whole(self) -> CameraSwitch:
        for source, section, key in (
            ("modbus", self.modbus, "modbus.host"),
            ("opcua", self.opcua, "opcua.url"),
            ("gpio", self.gpio, "gpio.line"),
        ):
            if (self.source == source) != (section is not None):
                wants = f"but {key} is missing" if section is None else f"so {source} is of no use: leave it out"
                raise ValueError(f"source is {self.source}, {wants}")
        if self.source == "picture" and self.check:
            raise ValueError("source is picture, so there is nothing to check it by: leave check out")
        return self
