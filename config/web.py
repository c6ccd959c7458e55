"""What is wrong with how a configuration has the screen served, and where the files lie that it names."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from config.schema import Web

CREDENTIALS = Path("/run/credentials/linesentry.service")
"""Where systemd gives the service what LoadCredential of its unit names, and only while it runs."""


def reaches_this_machine_alone(host: str) -> bool:
    """Whether nobody else can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def web_faults(web: Web) -> list[tuple[str, str]]:
    """Key and message of each fault; none where there is no screen."""
    if not web.enabled:
        return []
    faults: list[tuple[str, str]] = []
    is_near = reaches_this_machine_alone(web.host)
    if not is_near and web.tls is None and web.proxy is None:
        message = f"found {web.host!r}, which others than this machine reach: name certificate files in web.tls"
        faults.append(("web.host", f"{message}, or in web.proxy the proxy that speaks https for it"))
    if is_near and web.proxy is not None and not reaches_this_machine_alone(web.proxy):
        faults.append(("web.proxy", f"found {web.proxy!r}, which cannot reach web.host ({web.host}): set that too"))
    for key, path in web_files(web):
        # What systemd gives the service is not there for anybody else.
        if not path.is_relative_to(CREDENTIALS) and not os.path.isfile(path):  # noqa: PTH113 - False for any odd path
            faults.append((key, f"found {str(path)!r}, which is no file"))
    return faults


def web_files(web: Web) -> list[tuple[str, Path]]:
    """Files that the screen needs, by key."""
    if not web.enabled or web.tls is None:
        return []
    return [("web.tls.certificate", web.tls.certificate), ("web.tls.key", web.tls.key)]


def from_folder(web: Web, folder: Path) -> Web:
    """The same, its paths relative to that folder."""
    if web.tls is None:
        return web
    files = {"certificate": folder / web.tls.certificate, "key": folder / web.tls.key}
    return web.model_copy(update={"tls": web.tls.model_copy(update=files)})
