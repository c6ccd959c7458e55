"""What commands share: one typed order in place of many options, and tables that are whole."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from daemon.cli.options import takes_order


@dataclass(frozen=True, slots=True)
class Bake:
    """An order."""

    out: Annotated[Path, typer.Argument(help="where to")]
    loaves: Annotated[int, typer.Option(min=1, help="how many")] = 2
    seeds: Annotated[tuple[str, ...], typer.Option(help="on top")] = ("none",)
    sweet: Annotated[bool, typer.Option("--sweet")] = False


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["a"], Bake(Path("a"))),
        (["a", "--loaves", "3", "--sweet"], Bake(Path("a"), 3, sweet=True)),
        (["a", "--seeds", "poppy", "--seeds", "flax"], Bake(Path("a"), seeds=("poppy", "flax"))),
    ],
)
def test_a_command_is_called_with_its_order(words: list[str], order: Bake) -> None:
    app, called = typer.Typer(), list[Bake]()

    @app.command()
    @takes_order
    def bake(order: Bake) -> None:
        """Bake some."""
        called.append(order)

    result = CliRunner().invoke(app, words)
    assert (result.exit_code, called) == (0, [order])
    told = CliRunner().invoke(app, ["--help"]).stdout
    for text in ("Bake some", "where to", "how many", "on top", "--sweet"):
        assert text in told
    assert CliRunner().invoke(app, ["a", "--loaves", "0"]).exit_code == 2


LONG = "word " * 40
TABLE = (
    "from rich.table import Table; from daemon.cli.options import console;"
    f"t = Table('what', 'why'); t.add_row('INCONCLUSIVE', {LONG!r}); console().print(t)"
)


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "40"}, {"FORCE_COLOR": "1"}])
def test_a_table_is_whole_where_stdout_is_no_terminal(environment: dict[str, str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", TABLE], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert LONG.strip() in answer.stdout


def test_a_table_is_wrapped_at_a_terminal() -> None:
    said = at_a_terminal([sys.executable, "-c", TABLE], columns=60)
    assert max(map(len, said.splitlines())) <= 60
    assert said.count("word") == 40


def at_a_terminal(command: list[str], columns: int) -> str:
    """What a command writes to a terminal so wide, without its colours."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, columns))
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    environment.pop("COLUMNS", None)
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=environment) as process:
        os.close(follower)
        said = b""
        while True:
            try:
                said += (part := os.read(leader, 65536))
            except OSError:  # the terminal's other end is closed
                break
            if not part:
                break
        os.close(leader)
        assert process.wait(60) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).replace("\r\n", "\n")
