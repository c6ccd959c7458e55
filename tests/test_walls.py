"""The import contracts: each can fail, none leaves a folder out, and the tests stand where what they test stands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from daemon.store.state import PACKAGES, ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
NAMES = [contract["name"] for contract in SETTINGS["contracts"]]
FORBIDDEN = {
    "stages/tile.py": "import daemon.wire.messages",
    "daemon/telemetry/logs.py": "import daemon.store.state",
    "models/machine/cpu.py": "import models.study.boxes",
    "simulator/sheets/truth.py": "import simulator.line.replay",
    "daemon/service/doctor.py": "def later():\n    import simulator.sheets.sheet",
    "simulator/line/replay.py": "import stages.plate",
    "simulator/crops/cut.py": "def later():\n    import simulator.strangers.shaded",
    "daemon/offline/inspect.py": "import models.training.checkpoints",
    "daemon/cli/screen.py": "def later():\n    import PIL",
    "daemon/wire/channel.py": "def later():\n    import cv2, torch",
    "daemon/store/view.py": "import daemon.store.results",
    "daemon/store/results.py": "import daemon.store.view",
}
"""File and a line in it that one of the contracts does not allow."""


def lint(root: Path) -> str:
    """What the contracts say of the program in that folder."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the program."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=lambda folder, names: [
                name for name in names if not (name.endswith(".py") or (Path(folder) / name).is_dir())
            ],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_each_contract_fails_once_somebody_goes_through_its_wall(house: Path) -> None:
    for file, line in FORBIDDEN.items():
        path = house / file
        path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    said = lint(house)
    assert [name for name in NAMES if f"{name} BROKEN" not in said] == [], said


@pytest.mark.parametrize("parent", ["daemon", "models", "simulator"])
def test_a_room_without_a_place_among_the_layers_fails(parent: str, house: Path) -> None:
    (house / parent / "cellar").mkdir()
    (house / parent / "cellar" / "__init__.py").write_text("", encoding="utf-8")
    said = lint(house)
    assert f"The rooms of the {parent} BROKEN" in said
    assert "cellar" in said


def test_every_package_of_the_program_is_under_contract() -> None:
    assert sorted(SETTINGS["root_packages"]) == sorted(PACKAGES)
    house = next(contract for contract in SETTINGS["contracts"] if contract["name"].startswith("The house"))
    assert sorted(house["layers"]) == sorted(PACKAGES)


def test_the_tests_have_no_folder_that_the_program_has_not() -> None:
    rooms = {
        path.parent.relative_to(ROOT / "tests")
        for package in PACKAGES
        for path in ROOT.glob(f"tests/{package}/**/test_*.py")
    }
    assert rooms
    assert [str(room) for room in sorted(rooms) if not (ROOT / room).is_dir()] == []
