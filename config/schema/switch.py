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

    source: Literal["camera", "modbus", "http", "picture"] = Field(
        "camera",
        description="camera: it is wired to the camera, or the camera has its own; modbus: an input of a PLC; http: "
        "another program; picture: background to metal",
    )
    check: bool = Field(
        False, description="compare each sheet with the picture; where they disagree it is INCONCLUSIVE"
    )
    latency_s: float = Field(
        0.005,
        ge=0,
        le=5,
        description="modbus, http: seconds by which the level may be late (PLC's cycle, network, delivery of strips); "
        "sheets are cut so much longer at both ends",
    )
    modbus: SwitchModbus | None = Field(None, description="null: no such switch")
    http: SwitchHttp = SwitchHttp()
    picture: SwitchPicture = SwitchPicture()

    @property
    def timed(self) -> bool:
        """Its level comes at times, and not with the camera's rows."""
        return self.source in ("modbus", "http")

    @model_validator(mode="after")
    def _whole(self) -> CameraSwitch:
        if (self.source == "modbus") != (self.modbus is not None):
            wants = "but modbus.host is missing" if self.modbus is None else "so modbus is of no use: leave it out"
            raise ValueError(f"source is {self.source}, {wants}")
        if self.source == "picture" and self.check:
            raise ValueError("source is picture, so there is nothing to check it by: leave check out")
        return self
