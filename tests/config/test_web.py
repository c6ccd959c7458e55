"""What is told of a screen that cannot be served as its configuration has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.check import check
from config.errors import ConfigError
from config.load import load_config
from config.systemd_unit import Unit


def checked(folder: Path, web: str, *, service: bool = False) -> list[str]:
    path = folder / "line.yaml"
    path.write_text(f"simulator: {{}}\nweb: {web}\n", encoding="utf-8")
    return check(path, service=service).faults


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "'::1'", "127.9.9.9"])
def test_this_machine_alone_needs_nothing(tmp_path: Path, host: str) -> None:
    assert checked(tmp_path, f"{{host: {host}}}") == []
    assert checked(tmp_path, f"{{host: {host}}}", service=True) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "'::'", "192.168.1.9", "line.example", "127.0.0.1.evil.example"])
def test_nobody_elsewhere_is_served_in_the_clear(tmp_path: Path, host: str) -> None:
    (fault,) = checked(tmp_path, f"{{host: {host}}}")
    assert "web.host: found" in fault
    assert "name certificate files in web.tls, or in web.proxy the proxy" in fault
    assert checked(tmp_path, f"{{host: {host}, enabled: false}}") == []
    assert checked(tmp_path, f"{{host: {host}, proxy: 192.168.1.5}}") == []


def test_certificate_files_are_looked_for_beside_the_configuration(tmp_path: Path) -> None:
    web = "{host: 0.0.0.0, tls: {certificate: screen.pem, key: screen.key}}"
    certificate, key = checked(tmp_path, web)
    assert f"web.tls.certificate: found '{tmp_path / 'screen.pem'}', which is no file" in certificate
    assert "web.tls.key" in key
    (tmp_path / "screen.pem").touch()
    (tmp_path / "screen.key").touch()
    assert checked(tmp_path, web) == []


def test_a_proxy_is_one_address_and_can_reach_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text("simulator: {}\nweb: {proxy: nginx.example}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"web.proxy: 'nginx.example' is no address"):
        load_config(path)
    (fault,) = checked(tmp_path, "{proxy: 192.168.1.5}")
    assert "web.proxy: found '192.168.1.5', which cannot reach web.host (127.0.0.1)" in fault
    assert checked(tmp_path, "{proxy: 127.0.0.1}") == []


def test_what_the_units_service_needs_for_others_is_told(tmp_path: Path) -> None:
    (tmp_path / "screen.pem").touch()
    (tmp_path / "screen.key").touch()
    tls = "{certificate: screen.pem, key: screen.key}"
    certificate, key, host = checked(tmp_path, f"{{host: 0.0.0.0, tls: {tls}}}", service=True)
    assert f"LoadCredential=screen.pem:{tmp_path / 'screen.pem'}" in certificate
    assert "then name /run/credentials/linesentry.service/screen.key here" in key
    assert "chmod" not in key
    assert "web.host: the unit lets in no browser of another machine" in host
    handed = "{certificate: /run/credentials/linesentry.service/a.pem, key: /run/credentials/linesentry.service/a.key}"
    certificate, key, _ = checked(tmp_path, f"{{host: 0.0.0.0, tls: {handed}}}", service=True)
    assert "web.tls.key: found" in key
    assert "LoadCredential=a.pem:FILE" in certificate
    (proxy,) = checked(tmp_path, "{host: 0.0.0.0, proxy: 192.168.1.5}", service=True)
    assert "web.proxy: the unit lets 192.168.1.5 not in (IPAddressDeny=any)" in proxy
    assert "IPAddressAllow=192.168.1.5" in proxy


def test_a_unit_with_what_is_needed_has_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = Unit.here(tmp_path).files[0].read_text("utf-8")
    drop_in = "[Service]\nLoadCredential=a.pem:/x\nLoadCredential=a.key:/y\nIPAddressAllow=192.168.1.0/24\n"
    own = Unit((Path("unit"),), text + drop_in)
    monkeypatch.setattr(Unit, "here", classmethod(lambda *_: own))
    handed = "{certificate: /run/credentials/linesentry.service/a.pem, key: /run/credentials/linesentry.service/a.key}"
    assert checked(tmp_path, f"{{host: 0.0.0.0, tls: {handed}}}", service=True) == []
