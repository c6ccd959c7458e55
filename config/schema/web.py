"""The screen in a browser: where it is served."""

from __future__ import annotations

from pydantic import Field

from config.schema.section import Strict


class Web(Strict):
    """The operator's screen, and the pages behind it (docs/how-to/screen.md)."""

    enabled: bool = Field(True, description="false: there is no screen")
    host: str = Field("127.0.0.1", min_length=1, description="address of the screen")
    port: int = Field(8650, ge=0, le=65535, description="0: any free port")
