"""The screen in a browser: where it is served."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, field_validator

from config.schema.section import Strict


class Tls(Strict):
    """The certificate by which the screen is served over https."""

    certificate: Path = Field(description="PEM file of the certificate, followed by those that signed it")
    key: Path = Field(description="PEM file of its private key, without a password")


class Web(Strict):
    """The operator's screen, and the pages behind it (docs/how-to/screen.md, docs/how-to/screen-users.md)."""

    enabled: bool = Field(True, description="false: there is no screen")
    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="own address at which browsers are let in; one that others reach too needs tls or proxy, and "
        "users (`linesentry user add`)",
    )
    port: int = Field(8650, ge=0, le=65535, description="0: any free port")
    tls: Tls | None = Field(None, description="served by https; null: in the clear, for this machine alone")
    proxy: str | None = Field(
        None,
        description="address of the one proxy before the screen, which speaks https with browsers and says whom it "
        "asks for (X-Forwarded-For, X-Forwarded-Proto); null: there is none",
    )

    @field_validator("proxy")
    @classmethod
    def _is_address(cls, proxy: str | None) -> str | None:
        try:
            return None if proxy is None else str(ipaddress.ip_address(proxy))
        except ValueError:
            raise ValueError(f"{proxy!r} is no address; allowed: one as 192.168.1.20") from None
