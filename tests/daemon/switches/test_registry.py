"""A switch's package is asked for where it is missing, and loaded only where that switch is configured."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from config.load import load_config, load_recipe, with_overrides
from config.schema import Config
from daemon.service.preflight import lasting_faults
from daemon.switches.registry import missing_package, switch_input

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "switch.md"


SOURCES = {
    "modbus": ("pymodbus", {"host": "192.0.2.1"}),
    "opcua": ("asyncua", {"url": "opc.tcp://192.0.2.1:4840", "node": "ns=2;s=Sheet"}),
    "gpio": ("gpiod", {"line": 3}),
}


def configured(source: str) -> Config:
    switch = {"source": source, source: SOURCES[source][1]}
    return with_overrides(load_config(None), {"camera": {"line_rate_hz": 20000, "switch": switch}})


@pytest.mark.parametrize("source", SOURCES)
def test_a_missing_package_refuses_the_start_with_the_command_that_installs_it(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = SOURCES[source][0]
    assert missing_package(configured(source).camera.switch) is None
    assert switch_input(configured(source).camera.switch) is not None
    monkeypatch.setitem(sys.modules, package, None)
    assert missing_package(Config().camera.switch) is None
    faults = [str(fault) for fault in lasting_faults(configured(source), [load_recipe("P10B")], "line.yaml")]
    command = f"run {sys.executable} -m pip install 'linesentry[{source}]'"
    assert f"line.yaml: camera.switch.source: needs the package {package}: {command}" in faults


def test_a_line_without_such_a_switch_loads_nothing_of_it() -> None:
    assert switch_input(Config().camera.switch) is None
    code = "import sys, daemon.service.roles.line; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "daemon.switches.registry" in loaded
    assert {"pymodbus", "asyncua", "gpiod", "daemon.switches.http"}.isdisjoint(loaded)


def test_the_configurations_of_the_page_are_read(tmp_path: Path) -> None:
    blocks = [textwrap.dedent(one) for one in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)]
    recipe, plc, variable, line, program, check = blocks
    (tmp_path / "recipe.yaml").write_text(f"name: r\n{recipe}", encoding="utf-8")
    assert load_recipe(str(tmp_path / "recipe.yaml")).offset_rows == 577
    sources = []
    for block in (plc, variable, line, program, check):
        # A replay has no such switch, and a camera takes what follows as one more section.
        text = block.replace("camera:\n", "camera:\n  line_rate_hz: 20000\n")
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        sources.append(load_config(tmp_path / "config.yaml").camera.switch.source)
    assert sources == ["modbus", "opcua", "gpio", "http", "camera"]
