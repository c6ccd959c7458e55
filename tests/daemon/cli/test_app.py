"""The command line as a whole: its help, its version, its completion, and how it refuses."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from typer.main import get_command

from daemon.cli.app import app
from tests.command import linesentry

CLI = Path(__file__).resolve().parents[3] / "daemon" / "cli"
OF_THE_SCREEN = {"terminal", "screen", "plate_progress", "summary"}


def test_help_names_every_command_below_those_who_need_it() -> None:
    answer = linesentry("--help")
    assert answer.returncode == 0
    line, files, models = (answer.stdout.index(f"─ {who}: ") for who in ("Line", "Files", "Models"))
    assert line < answer.stdout.index(" run ") < answer.stdout.index(" paths ") < files
    assert files < answer.stdout.index(" inspect ") < answer.stdout.index(" simulate ") < models
    assert models < answer.stdout.index(" train ")


def test_each_command_is_a_file_of_its_own() -> None:
    no_commands = {"__init__", "app", "filters", "options", "surroundings", *OF_THE_SCREEN}
    files = {path.stem for path in CLI.glob("*.py")} - no_commands
    assert {name.replace("_", "-") for name in files} == set(getattr(get_command(app), "commands"))  # noqa: B009 - typer's own class, which it does not export


@pytest.mark.parametrize("command", sorted(getattr(get_command(app), "commands")))  # noqa: B009 - as above
def test_each_command_has_help(command: str) -> None:
    answer = linesentry(command, "--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"linesentry {command}" in answer.stdout


def test_the_help_loads_nothing_that_computes() -> None:
    """Half a second of imports would be felt at each completion."""
    heavy = "{'numpy', 'torch', 'cv2', 'pydantic', 'scipy', 'zmq', 'sqlalchemy'}"
    code = f"import sys, daemon.cli.app; sys.exit(' '.join({heavy} & set(sys.modules)) or 0)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_version_is_that_of_the_package() -> None:
    assert linesentry("--version").stdout == f"linesentry {version('linesentry')}\n"


def test_completion_can_be_shown_and_completes_commands() -> None:
    assert "--install-completion" in linesentry("--help").stdout
    script = Path(sys.executable).parent / "linesentry"
    answer = subprocess.run(
        [script],
        env={"_LINESENTRY_COMPLETE": "complete_bash", "COMP_WORDS": "linesentry sch", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.split() == ["schema"]


def test_the_console_script_is_the_same_program() -> None:
    (script,) = entry_points(group="console_scripts", name="linesentry")
    assert script.value == "daemon.cli.app:main"
    installed = Path(sys.executable).parent / "linesentry"
    answer = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == linesentry("--version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--plates", "0"),
        ("run", "--plates", "many"),
        ("run", "--set", "recipe=general"),
        ("bench", "--workers", "65"),
        ("inspect",),
        ("inspect", "--pitch", "1", "x.png"),
        ("simulate", "out", "--product", "P99"),
        ("simulate", "out", "--interference", "rain"),
        ("results", "--verdict", "MAYBE"),
        ("paths", "nowhere"),
        ("train", "detector", "--metal-share", "2"),
        ("evaluate", "detector", "--plates", "0"),
        ("study", "--scale", "huge"),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_told_on_stderr_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    answer = linesentry(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert answer.stderr.strip()
