"""`linesentry run`: a whole line from its configuration to its verdicts, and what it refuses to start with."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command import linesentry, small_line


def test_plates_pass_and_their_verdicts_are_listed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = linesentry("run", "--config", small_line(tmp_path), "--plates", "2", "--state", state)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    listed = linesentry("results", "--json", "--state", state)
    assert [json.loads(line)["plate"] for line in listed.stdout.splitlines()] == [2, 1]
    table = linesentry("results", "--state", state).stdout
    assert table.splitlines()[-1].startswith("2 seen = ")
    assert "0 open" in table


def test_the_service_refuses_a_recipe_without_a_length(tmp_path: Path) -> None:
    answer = linesentry("run", "--plates", "1", "--set", "recipe=general", "--state", tmp_path)
    assert answer.returncode == 2
    assert "general" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_plate_memory_beyond_the_machine_is_refused_with_its_size(tmp_path: Path) -> None:
    answer = linesentry("run", "--plates", "1", "--set", "slots=100000", "--state", tmp_path)
    assert answer.returncode == 2
    assert "slots: 20.7 TB of memory are needed (100000 plate slots of 21135 x 9777 px 20.7 TB)" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_recipe_that_does_not_fit_the_camera_is_refused_before_anything_starts() -> None:
    for command in ("run", "bench"):
        answer = linesentry(command, "--plates", "1", "--set", "camera.width=1000")
        assert answer.returncode == 2
        assert "columns.last: found 13080, but the camera has 1000 columns" in answer.stderr


def test_a_state_directory_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    answer = linesentry("run", "--plates", "1", "--state", tmp_path)
    assert answer.returncode == 1
    assert f"cannot write to the state directory {tmp_path}" in answer.stderr
    assert "Traceback" not in answer.stderr
