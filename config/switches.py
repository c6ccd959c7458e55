"""What is wrong with where a configuration takes the switch's level from, and what it names outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from config.errors import Told
from config.schema import Camera, Config, Recipe
from config.schema.service import DEVICES


def switch_faults(config: Config, recipe: Recipe) -> Told:
    """Why a service cannot run with this switch."""
    camera, switch = config.camera, config.camera.switch
    faults: Told = []
    has_wire = switch.source == "camera" and camera.source in DEVICES
    if has_wire and camera.switch_feature is None:
        message = "is missing: name the feature that says whether the switch sees a sheet, as LineStatus"
        faults.append((False, "camera.switch_feature", message))
    tolerance = switch.picture.tolerance_rows
    if has_wire and switch.check and tolerance < camera.strip_rows:
        message = f"found {tolerance}: the switch is looked at once a strip, so allow {camera.strip_rows} rows or more"
        faults.append((False, "camera.switch.picture.tolerance_rows", message))
    if switch.check or switch.source == "picture":
        waits = (tolerance if switch.check else 0) + recipe.switch.debounce_rows
        least = 2 + -(-waits // camera.strip_rows)
        if camera.buffers < least:
            message = f"found {camera.buffers}, allowed: {least} or more, for a strip waits for {waits} rows more"
            faults.append((False, "camera.buffers", message))
    if (token := token_file(camera)) is not None and not os.path.isfile(token):  # noqa: PTH113 - False for any odd path
        faults.append((False, "camera.switch.http.token_file", f"found {str(token)!r}, which is no file"))
    return faults


def token_file(camera: Camera) -> Path | None:
    """The file with the token of the switch by HTTP, if it is that and has one."""
    return camera.switch.http.token_file if camera.switch.source == "http" else None


def with_token(camera: Camera, place: Callable[[Path], Path]) -> Camera:
    """The same camera; of the token's file, if it names one, what `place` makes of its path."""
    if (token := camera.switch.http.token_file) is None:
        return camera
    http = camera.switch.http.model_copy(update={"token_file": place(token)})
    return camera.model_copy(update={"switch": camera.switch.model_copy(update={"http": http})})


def plc_of_switch(camera: Camera) -> tuple[str, str] | None:
    """The PLC that is asked for the switch's level: the key that names it, and its address or name."""
    switch = camera.switch
    if switch.modbus is not None:
        return "camera.switch.modbus.host", switch.modbus.host
    if switch.opcua is not None:
        return "camera.switch.opcua.url", urlsplit(switch.opcua.url).hostname or ""
    return None
