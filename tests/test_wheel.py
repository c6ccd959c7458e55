"""The package as it is installed: a wheel that holds all that ships, and commands that find it there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.command import small_line

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("config", "daemon", "models", "simulator", "stages")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its own files beside the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.suffix in {".toml", ".md"} | {""} and not path.name.startswith("."):
            shutil.copy(path, source)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", source / "dist", ".", cwd=source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--target", folder, wheel, cwd=folder)
    return folder


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for name in PACKAGES
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_installed_commands_find_what_ships(installed: Path, tmp_path: Path) -> None:
    for command in ((sys.executable, "-m", "daemon"), (sys.executable, installed / "bin" / "linesentry")):
        listed = run(*command, "paths", cwd=tmp_path, PYTHONPATH=str(installed))
        paths = dict(line.split(maxsplit=1) for line in listed.splitlines())
        for path in map(Path, paths.values()):
            assert path.exists()
            assert path.is_relative_to(installed)
        assert run(*command, "--version", cwd=tmp_path, PYTHONPATH=str(installed)).startswith("linesentry ")
    assert "619.9 MB" in run(sys.executable, "-m", "daemon", "check", cwd=tmp_path, PYTHONPATH=str(installed))


def test_the_installed_service_inspects_a_plate(installed: Path, tmp_path: Path) -> None:
    words = ("run", "--config", small_line(tmp_path), "--plates", "1", "--state", tmp_path / "state")
    python = (sys.executable, "-m", "daemon")
    run(*python, *words, cwd=tmp_path, PYTHONPATH=str(installed))
    said = run(*python, "results", "--state", tmp_path / "state", cwd=tmp_path, PYTHONPATH=str(installed))
    assert said.splitlines()[-1].startswith("1 seen = ")
