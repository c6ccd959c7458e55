"""How far a long command is, as whoever watches reads it, and as a log has it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from daemon.lab import progress
from daemon.lab.progress import Teller


def test_without_a_terminal_each_part_has_a_line_and_what_is_quickly_done_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Teller("linesentry pod", Console(file=io.StringIO())) as teller:
        teller.part("inspecting", 4)
        teller.step("a.png")
        teller.part("writing", 1)
    assert capsys.readouterr().err == "linesentry pod: inspecting\nlinesentry pod: writing\n"


def test_without_a_terminal_a_long_part_says_now_and_then_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SAY_EVERY_S", -1.0)
    with Teller("linesentry train", Console(file=io.StringIO())) as teller:
        teller.part("training", 8)
        teller.at(2, "step 100")
        teller.step()
        teller.at(10)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "linesentry train: training: step 100, 25%",
        "linesentry train: training, 38%",
        "linesentry train: training, 100%",
    ]


def test_a_part_that_may_be_short_is_told_only_if_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Teller("linesentry export", Console(file=io.StringIO())) as teller:
        teller.part("plates", 4, at_once=False)
        teller.step("plate 1")
        assert capsys.readouterr().err == ""
        monkeypatch.setattr(progress, "_LONG_S", -1.0)
        teller.part("plates", 4, at_once=False)
        teller.step("plate 1")
        teller.step("plate 2")
    assert capsys.readouterr().err == "linesentry export: plates: plate 1, 25%\n"


def test_at_a_terminal_a_bar_says_the_same_and_a_name_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    shown = io.StringIO()
    with Teller("linesentry pod", Console(file=shown, force_terminal=True, width=100)) as teller:
        teller.part("inspecting", 4)
        teller.step("[bold]a.png")
    assert "inspecting: [bold]a.png" in shown.getvalue()
    assert capsys.readouterr().err == ""
