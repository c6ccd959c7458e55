"""The certificate of the screen: what cannot be used is told, and what was renewed is taken."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from config.load import load_config, load_recipe
from config.schema import Config, Tls
from daemon.service.preflight import look
from daemon.web.access.audit import COMMAND_LINE, Note, What
from daemon.web.access.book import Book
from daemon.web.access.tls import Certificate, TlsError
from daemon.web.access.users import Role
from daemon.web.app import application
from daemon.web.server import WebServer
from daemon.web.site import Site
from tests.daemon.web.access.conftest import pair


def other_key(folder: Path) -> tuple[Path, Path]:
    return pair(folder)[0], pair(folder, "other")[1]


def with_password(folder: Path) -> tuple[Path, Path]:
    return pair(folder, password=b"secret")


def no_pem(folder: Path) -> tuple[Path, Path]:
    certificate, key = pair(folder)
    certificate.write_text("no certificate")
    return certificate, key


def no_file(folder: Path) -> tuple[Path, Path]:
    return folder / "a.pem", folder / "a.key"


@pytest.mark.parametrize("files", [other_key, with_password, no_pem, no_file])
def test_a_pair_that_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, files: Callable[[Path], tuple[Path, Path]]
) -> None:
    with pytest.raises(TlsError) as found:
        Certificate(*files(tmp_path))
    assert "\n" not in str(found.value)
    assert str(tmp_path) in str(found.value)


def served_by(port: int, trusted: Path) -> bool:
    """Whether the certificate that is served is that one."""
    try:
        httpx.get(f"https://127.0.0.1:{port}/static/icon.svg", verify=ssl.create_default_context(cafile=str(trusted)))
    except httpx.ConnectError:
        return False
    return True


def replace(files: tuple[Path, Path], by: tuple[Path, Path]) -> None:
    for old, new in zip(files, by, strict=True):
        later = old.stat().st_mtime_ns + 1_000_000_000
        os.utime(new, ns=(later, later))
        new.rename(old)


def test_half_a_renewed_pair_changes_nothing_and_the_whole_one_is_taken(tmp_path: Path) -> None:
    files, other = pair(tmp_path), pair(tmp_path, "renewed")
    copies = {path: path.read_bytes() for path in (files[0], other[0])}
    old, new = tmp_path / "old.pem", tmp_path / "new.pem"
    old.write_bytes(copies[files[0]])
    new.write_bytes(copies[other[0]])
    certificate = Certificate(*files)
    server = WebServer(application(Site(load_config(None), tmp_path)), "127.0.0.1", 0, certificate)
    server.start()
    try:
        assert served_by(server.port, old)
        assert not certificate.renew()
        replace(files[:1], other[:1])  # type: ignore[arg-type]
        with pytest.raises(TlsError, match="are no certificate with its key"):
            certificate.renew()
        assert served_by(server.port, old)
        replace(files[1:], other[1:])  # type: ignore[arg-type]
        assert certificate.renew()
        assert served_by(server.port, new)
        assert not served_by(server.port, old)
    finally:
        server.close()


def shown_outside(state: Path, files: tuple[Path, Path]) -> Config:
    config = load_config(None)
    web = config.web.model_copy(update={"host": "0.0.0.0", "port": 0, "tls": Tls(certificate=files[0], key=files[1])})
    telemetry = config.telemetry.model_copy(update={"port": 0})
    return config.model_copy(update={"web": web, "telemetry": telemetry, "state_directory": state})


def test_a_check_says_what_is_lacking_for_a_screen_that_others_see(tmp_path: Path) -> None:
    config = shown_outside(tmp_path, other_key(tmp_path))
    recipes = [load_recipe(config.recipe)]

    def told(given: Config) -> list[str]:
        found, _ = look(given, recipes, "line.yaml", False)
        return [fault.message for fault in found if fault.key.startswith("web")]

    key, users = told(config)
    assert "are no certificate with its key" in key
    assert f"there are no users in {tmp_path / 'users.sqlite'}" in users
    assert f"linesentry user add NAME --role engineer --state {tmp_path}" in users
    Book(tmp_path).add("anna", Role.ENGINEER, "hash", Note("root", What.USER_ADDED, "anna", COMMAND_LINE))
    assert told(shown_outside(tmp_path, pair(tmp_path))) == []
