"""Names and messages from outside reach a terminal as text: what would steer it is escaped, our own colours stay."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.progress import BarColumn, Progress
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from config.errors import file_text, printable
from daemon.cli.app import app
from daemon.telemetry.printing import SafeConsole, say

EVIL = "a\x1b]0;owned\x07\x1b[31m\x9b2Jb\r\u202ec\x00"
STEERING = ("\x1b", "\x9b", "\x07", "\r", "\u202e", "\x00")


def test_what_steers_is_escaped_and_all_else_stays() -> None:
    assert printable("é 漢 a\\b\x1b[1m\u2028\udcff") == "é 漢 a\\b\\x1b[1m\\u2028\\xff"
    assert printable("a\nb\tc") == "a\\x0ab\\x09c"
    assert printable("a\nb\tc\x1b", lines=True) == "a\nb\tc\\x1b"
    assert printable(printable(EVIL)) == printable(EVIL)


def test_a_files_name_as_text_is_exact_but_for_bytes_that_are_no_text() -> None:
    assert file_text("é\x1b.png") == "é\x1b.png"
    assert file_text(os.fsdecode(b"a\xff.png")) == "a\\xff.png"
    json.dumps(file_text(os.fsdecode(b"a\xff.png"))).encode()


@pytest.mark.parametrize("what", ["text", "markup", "table", "progress"])
def test_a_console_shows_control_characters_and_keeps_its_own_colours(what: str) -> None:
    out = io.StringIO()
    console = SafeConsole(file=out, force_terminal=True, color_system="standard", width=120)
    evil = EVIL.replace("\x07", "").replace("\r", "")  # rich takes these away by itself
    if what == "table":
        table = Table(title=evil)
        table.add_row(Text(evil, "red"))
        console.print(table)
    elif what == "progress":
        with Progress(evil, BarColumn(), console=console, auto_refresh=False) as bar:
            bar.add_task(evil, total=2)
    else:
        console.print(Text(evil, "red") if what == "text" else f"[red]{evil}[/]")
    told = out.getvalue()
    assert "\\x1b" in told
    assert "\x1b]0;" not in told
    assert "\x9b" not in told
    assert "\x1b[" in told, "the console's own colours and moves"


def test_a_message_is_said_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"one\ntwo {EVIL}")
    told = capsys.readouterr().err
    assert told.count("\n") == 2
    assert not any(character in told for character in STEERING)


@pytest.mark.parametrize(
    "words",
    [
        ["check", "{}"],
        ["run", "--config", "{}"],
        ["results", "--state", "{}"],
        ["doctor", "--config", "{}"],
        ["inspect", "a.png", "--recipe", "{}"],
        ["classify", "a.png", "--weights", "{}"],
        ["evaluate", "detector", "--data", "{}"],
        ["crops", "{}", "--data", "{}"],
        ["templates", "--recipe", "{}"],
    ],
    ids=lambda words: words[0],
)
def test_no_command_lets_a_name_steer_the_terminal(
    tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = EVIL.replace("\x00", "") + "].yaml"
    result = CliRunner().invoke(app, [word.format(evil) for word in words])
    assert result.exit_code != 0
    told = result.stdout + result.stderr
    assert not any(character in told for character in STEERING), told
