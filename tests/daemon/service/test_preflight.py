"""What this machine has against a configuration, before anything is started."""

from __future__ import annotations

import resource
import socket
from pathlib import Path
from typing import Any

import pytest

from config.load import load_recipe, with_overrides
from config.schema import Config
from daemon.service import preflight
from daemon.service.preflight import lasting_faults, look
from daemon.store.state import StateDirectory
from models.machine.gpu import why_no_gpu
from models.machine.memory import Room

RECIPE = load_recipe("P10B")


@pytest.fixture
def base(tmp_path: Path) -> dict[str, Any]:
    return {"telemetry.port": 0, "state_directory": str(tmp_path / "state")}


def keys(overrides: dict[str, Any]) -> tuple[list[str], list[str]]:
    faults, warnings = look(with_overrides(Config(), overrides), [RECIPE], "x.yaml", service=False)
    return [fault.key for fault in faults], [warning.key for warning in warnings]


def test_the_shipped_configuration_passes_and_nothing_is_made(base: dict[str, Any], tmp_path: Path) -> None:
    assert keys(base) == ([], [])
    assert list(tmp_path.iterdir()) == []


def test_memory_that_the_machine_lacks_is_a_fault_of_every_start() -> None:
    config = with_overrides(Config(), {"camera.strip_rows": 10**8})
    (fault,) = lasting_faults(config, [RECIPE], "x.yaml")
    assert (fault.source, fault.key) == ("x.yaml", "camera.strip_rows")
    assert "8 strip buffers of 100000000 x 16384 px 13.1 TB" in fault.message


def test_memory_that_others_hold_is_a_fault_unless_it_is_the_service_that_is_to_be_restarted(
    base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Room(available=10**8, total=10**12)
    monkeypatch.setattr(preflight, "room", lambda: full)
    monkeypatch.setattr("models.machine.memory.room", lambda _proc: full)
    assert lasting_faults(with_overrides(Config(), base), [RECIPE], "x.yaml") == []
    assert keys(base) == (["workers.count"], [])
    with StateDirectory(Path(base["state_directory"])).lock():
        assert keys(base) == ([], ["workers.count"])


def test_a_port_in_use_is_a_warning_unless_the_service_itself_has_it(base: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = base | {"telemetry.port": taken.getsockname()[1]}
        assert keys(config) == ([], ["telemetry.port"])
        with StateDirectory(Path(base["state_directory"])).lock():
            assert keys(config) == ([], [])


@pytest.mark.parametrize("host", ["no such host", "192.0.2.1", "ü" * 100, "a..b"])
def test_a_host_that_is_no_address_of_this_machine_is_a_fault(base: dict[str, Any], host: str) -> None:
    assert keys(base | {"telemetry.host": host})[0] == ["telemetry.host"]


def test_a_folder_without_images_is_a_fault(base: dict[str, Any], tmp_path: Path) -> None:
    config = base | {"camera.source": "folder", "camera.folder": str(tmp_path)}
    assert keys(config)[0] == ["camera.folder"]
    (tmp_path / "1.png").touch()
    assert keys(config)[0] == []


def test_a_camera_whose_package_is_not_installed_is_a_fault(
    base: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"camera.source": "gentl", "camera.producer": __file__, "camera.switch_feature": "LineStatus"}
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert keys({**base, **asked})[0] == ["camera.source"]


@pytest.mark.skipif(why_no_gpu() is None, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_fault_for_each_who_asks_for_it(base: dict[str, Any]) -> None:
    config = base | {"workers.device": "cuda", "classify.device": "cuda"}
    assert keys(config)[0] == ["workers.device", "classify.device"]


@pytest.mark.parametrize("place", ["file/below", "file", "n" * 300])
def test_a_state_directory_that_cannot_be_made_is_a_fault(base: dict[str, Any], tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    assert keys(base | {"state_directory": str(tmp_path / place)})[0] == ["state_directory"]


def test_few_files_are_a_fault_that_says_how_many_there_must_be(base: dict[str, Any]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        faults = lasting_faults(with_overrides(Config(), base | {"workers.count": 2}), [RECIPE], "x.yaml")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [fault.message.partition(":")[0] for fault in faults] == [
        "64 files may be open at once, the service needs 136"
    ]


def test_the_state_directory_of_the_systemd_service_is_not_that_of_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "file"))
    config = with_overrides(Config(), {"telemetry.port": 0})
    assert look(config, [RECIPE], "x.yaml", service=True) == ([], [])
    assert [fault.key for fault in look(config, [RECIPE], "x.yaml", service=False)[0]] == ["state_directory"]
