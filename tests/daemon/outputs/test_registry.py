"""An output whose package is not installed is a one-line error that says how to install it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from config.load import load_recipe
from config.schema import Config, Gpio, Opcua, Output, Outputs
from daemon.outputs.registry import _EXTRAS, missing_packages
from daemon.service.preflight import lasting_faults

MODBUS = Config.model_validate({"outputs": {"modbus": [{"name": "gate", "host": "192.0.2.1"}]}})


def test_what_is_installed_is_not_missing() -> None:
    assert missing_packages(MODBUS.outputs) == []


def test_a_missing_package_refuses_the_start_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymodbus", None)
    (fault,) = lasting_faults(MODBUS, [load_recipe("P10B")], "line.yaml")
    assert str(fault) == (
        "line.yaml: outputs.modbus[0]: needs the package pymodbus: "
        f"run {sys.executable} -m pip install 'linesentry[modbus]'"
    )


def test_each_extra_is_one_that_is_installed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
    for section, (package, extra) in _EXTRAS.items():
        monkeypatch.setitem(sys.modules, package, None)
        keys: dict[type[Output], dict[str, object]] = {Opcua: {}, Gpio: {"line": 1}}
        outputs = Outputs.model_validate({extra: [{"name": "gate"} | keys.get(section, {"host": "plc"})]})
        ((key, why),) = missing_packages(outputs)
        assert key == f"outputs.{extra}[0]"
        assert why.endswith(f"'linesentry[{extra}]'")
        assert extra in extras["optional-dependencies"]


def test_without_outputs_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymodbus", None)
    assert missing_packages(Config().outputs) == []


def test_a_service_without_outputs_loads_none_of_their_packages() -> None:
    code = "import sys, daemon.service.roles.output, daemon.service.preflight; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "daemon.outputs.registry" in loaded
    assert {package for package, _ in _EXTRAS.values()}.isdisjoint(loaded)
