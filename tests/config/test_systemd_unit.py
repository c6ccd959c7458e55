"""What a systemd unit lets its service see, told from its lines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.load import shipped
from config.systemd_unit import NAME, Unit

SHIPPED = shipped("systemd", NAME)


def unit(*lines: str) -> Unit:
    return Unit((), "\n".join(["[Unit]", "PrivateTmp=no", "[Service]", *lines]))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may read, as pytest's own are not."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


def test_the_unit_that_ships_hides_homes_and_temporary_files_and_writes_to_its_own_directory_alone() -> None:
    shipped_unit = Unit((SHIPPED,), SHIPPED.read_text(encoding="utf-8"))
    for path in ("/home/me/images", "/root/x.yaml", "/run/user/1000/x", "/tmp/x", "/var/tmp/x"):
        assert shipped_unit.hides(Path(path)) is not None
    for path in ("/srv/images", "/etc/linesentry/line.yaml", "/opt/linesentry", "/rootless", "/homes"):
        assert shipped_unit.hides(Path(path)) is None
    for path in ("/srv", "/etc/linesentry", "/opt/linesentry"):
        assert shipped_unit.forbids_writing(Path(path)) is not None
    for path in ("/var/lib/linesentry", "/var/lib/linesentry/plates", "/run/linesentry/x"):
        assert shipped_unit.forbids_writing(Path(path)) is None
    assert (shipped_unit.state, shipped_unit.configuration) == ("/var/lib/linesentry", ("/etc/linesentry",))


@pytest.mark.parametrize(
    ("lines", "hidden"),
    [
        (["ProtectHome=yes"], "ProtectHome=yes"),
        (["ProtectHome=true"], "ProtectHome=true"),
        (["ProtectHome=tmpfs"], "ProtectHome=tmpfs"),
        (["ProtectHome=read-only"], None),
        (["ProtectHome=no"], None),
        (["ProtectHome=yes", "ProtectHome=no"], None),
        (["ProtectHome=yes", "ProtectHome="], None),
        (["# ProtectHome=yes"], None),
        (["DynamicUser=yes"], None),
        (["ProtectHome=tmpfs", "BindReadOnlyPaths=/home/me/images"], None),
        (["ProtectHome=tmpfs", "BindReadOnlyPaths=/home/you"], "ProtectHome=tmpfs"),
        (["ProtectHome=yes", "BindReadOnlyPaths=/home/me/images"], "ProtectHome=yes"),
        (["ProtectHome=yes", "ReadWritePaths=/home/me/images"], "ProtectHome=yes"),
        (["ProtectHome=tmpfs", "ReadWritePaths=/home/me/images"], "ProtectHome=tmpfs"),
        (["InaccessiblePaths=/home/me", "BindReadOnlyPaths=/home/me/images"], "InaccessiblePaths=/home/me"),
        (["InaccessiblePaths=-/mnt /home/me"], "InaccessiblePaths=/home/me"),
        (["TemporaryFileSystem=/home:ro"], "TemporaryFileSystem=/home"),
    ],
)
def test_a_setting_hides_a_path_or_shows_it(lines: list[str], hidden: str | None) -> None:
    rule = unit(*lines).hides(Path("/home/me/images"))
    assert (None if rule is None else rule.setting) == hidden


@pytest.mark.parametrize(
    ("lines", "forbidden"),
    [
        ([], False),
        (["ProtectSystem=strict"], True),
        (["ProtectSystem=full"], False),
        (["DynamicUser=yes"], True),
        (["ProtectSystem=strict", "ReadWritePaths=/data"], False),
        (["ProtectSystem=strict", "ReadWritePaths=/data", "ReadOnlyPaths=/data/plates"], True),
        (["ProtectSystem=strict", "BindPaths=/mnt/disk:/data/plates"], False),
    ],
)
def test_a_setting_forbids_writing_or_allows_it(lines: list[str], forbidden: bool) -> None:
    assert (unit(*lines).forbids_writing(Path("/data/plates")) is not None) == forbidden


def test_links_are_followed_and_count_where_they_lie_too(open_folder: Path) -> None:
    link = open_folder / "images"
    link.symlink_to("/home/me/images")
    assert unit("ProtectHome=yes").hides(link) is not None


def test_what_the_services_user_may_not_read_is_found_on_the_way_to_it(open_folder: Path) -> None:
    file = open_folder / "a" / "b.yaml"
    file.parent.mkdir()
    file.touch()
    file.chmod(0o644)
    dynamic = unit("DynamicUser=yes")
    assert dynamic.locked(file) is None
    file.chmod(0o640)
    assert dynamic.locked(file) == file
    file.parent.chmod(0o750)
    assert dynamic.locked(file) == file.parent
    assert dynamic.locked(open_folder) is None
    assert dynamic.locked(open_folder, write=True) == open_folder
    own = unit(f"User={os.getuid()}", "DynamicUser=yes")
    assert own.locked(file) is None
    assert own.locked(open_folder, write=True) is None
    assert unit().locked(file) is None, "root may read all"
    file.chmod(0o644)
    bind = f"BindReadOnlyPaths={file}"
    assert unit("DynamicUser=yes", "PrivateTmp=no", bind).locked(file) == file.parent
    assert unit("DynamicUser=yes", "PrivateTmp=yes", bind).locked(file) is None, "on the way are systemd's own folders"
    file.chmod(0o640)
    assert unit("DynamicUser=yes", "PrivateTmp=yes", bind).locked(file) == file


def test_what_systemd_makes_for_the_service_is_its_own() -> None:
    dynamic = unit("DynamicUser=yes", "StateDirectory=linesentry")
    for path in ("/var/lib/linesentry/images", "/var/lib/private/linesentry/images"):
        assert dynamic.locked(Path(path), write=True) is None
        assert dynamic.forbids_writing(Path(path)) is None


def test_the_installed_unit_and_its_drop_ins_are_read_where_there_are_any(tmp_path: Path) -> None:
    assert Unit.here(tmp_path).files == (SHIPPED,)
    system = tmp_path / "etc/systemd/system"
    vendor = tmp_path / "usr/lib/systemd/system"
    for folder in (system / f"{NAME}.d", vendor / f"{NAME}.d"):
        folder.mkdir(parents=True)
    (vendor / NAME).write_text("[Service]\nProtectHome=yes\n", encoding="utf-8")
    assert Unit.here(tmp_path).hides(Path("/home/me")) is not None
    (vendor / f"{NAME}.d" / "a.conf").write_text("[Service]\nProtectHome=no\n", encoding="utf-8")
    assert Unit.here(tmp_path).hides(Path("/home/me")) is None
    (system / f"{NAME}.d" / "a.conf").write_text("[Service]\nInaccessiblePaths=/srv\n", encoding="utf-8")
    here = Unit.here(tmp_path)
    assert here.files == (vendor / NAME, system / f"{NAME}.d" / "a.conf")
    assert here.hides(Path("/home/me")) is not None, "a drop-in of that name in /etc takes the vendor's place"
    assert here.hides(Path("/srv/images")) is not None
    (system / NAME).write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    assert Unit.here(tmp_path).hides(Path("/home/me")) is None


@pytest.mark.parametrize(
    ("lines", "host", "setting"),
    [
        (["IPAddressDeny=any"], "192.0.2.1", "IPAddressDeny=any"),
        (["IPAddressDeny=any", "IPAddressAllow=localhost"], "127.0.0.1", None),
        (["IPAddressDeny=any", "IPAddressAllow=localhost"], "localhost", None),
        (["IPAddressDeny=any", "IPAddressAllow=localhost", "IPAddressAllow=192.0.2.1"], "192.0.2.1", None),
        (["IPAddressDeny=any", "IPAddressAllow=192.0.2.0/24"], "192.0.2.1", None),
        (["IPAddressDeny=any", "IPAddressAllow=192.0.2.0/24"], "2001:db8::1", "IPAddressDeny=any"),
        (["IPAddressDeny=any", "IPAddressDeny="], "192.0.2.1", None),
        (["IPAddressDeny=192.0.2.0/24"], "198.51.100.1", None),
        (["IPAddressDeny=any"], "plc.example.com", None),
    ],
)
def test_a_setting_shuts_an_address_out_or_lets_it_in(lines: list[str], host: str, setting: str | None) -> None:
    assert unit(*lines).shuts_out(host) == setting


def test_the_unit_that_ships_reaches_this_machine_alone() -> None:
    shipped_unit = Unit.here(Path("/nowhere"))
    assert shipped_unit.shuts_out("127.0.0.1") is None
    assert shipped_unit.shuts_out("192.168.0.10") == "IPAddressDeny=any"
