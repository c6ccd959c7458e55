"""The command line as a user meets it: a real process for each call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def linesentry(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "daemon", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_help_names_every_command() -> None:
    answer = linesentry("--help")
    assert answer.returncode == 0
    for command in ("run", "inspect", "simulate", "results", "check", "schema", "doctor", "bench", "train"):
        assert command in answer.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--plates", "0"),
        ("run", "--plates", "many"),
        ("bench", "--workers", "65"),
        ("inspect",),
        ("inspect", "--pitch", "1", "x.png"),
        ("inspect", "--pitch", "0,1", "x.png"),
        ("simulate", "out", "--product", "P99"),
        ("simulate", "out", "--interference", "rain"),
        ("results", "--verdict", "MAYBE"),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_told_on_stderr_with_exit_code_2(arguments: tuple[str, ...]) -> None:
    answer = linesentry(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert answer.stderr.strip()


def test_a_warning_about_a_configuration_is_told_and_is_no_fault(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text("slots: 2\ncamera: {line_rate_hz: 200000}\n", encoding="utf-8")
    answer = linesentry("check", config)
    assert answer.returncode == 0
    assert answer.stderr.startswith("warning: recipe P10B: classifier.deadline_s: found 0.2, but 2 slots last 0.096 s")


def test_a_misspelt_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text("camera:\n  strip_row: 512\n", encoding="utf-8")
    for answer in (linesentry("check", config), linesentry("run", "--config", config)):
        assert answer.returncode != 0
        assert "strip_row" in answer.stderr
        assert "strip_rows" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_the_configuration_that_ships_is_sound() -> None:
    answer = linesentry("check")
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_schemas_are_json() -> None:
    assert "camera" in json.loads(linesentry("schema").stdout)["properties"]
    assert "windows" in json.loads(linesentry("schema", "--recipe").stdout)["properties"]


def test_results_before_any_run_say_what_to_do(tmp_path: Path) -> None:
    state = tmp_path / "state"
    answer = linesentry("results", "--state", state)
    assert answer.returncode == 1
    assert not state.exists()
    assert "linesentry run" in answer.stderr


def test_the_service_refuses_a_recipe_without_a_length(tmp_path: Path) -> None:
    answer = linesentry("run", "--plates", "1", "--set", "recipe=general", "--state", tmp_path)
    assert answer.returncode == 2
    assert "general" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_plate_memory_beyond_the_machine_is_refused_with_its_size(tmp_path: Path) -> None:
    answer = linesentry("run", "--plates", "1", "--set", "slots=100000", "--state", tmp_path)
    assert answer.returncode == 2
    assert "100000 slots need 20.7 TB of plate memory" in answer.stderr
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


SMALL = """
name: small
length: {nominal_rows: 1300}
columns: {first: 100, last: 1400}
pitch: {row_mm: 0.05204, column_mm: 0.04163}
"""
LINE = """
recipe: small.yaml
camera: {width: 2048, strip_rows: 128, gap_rows: 200}
simulator: {sheets: 1}
workers: {count: 1}
"""


@pytest.fixture
def small_line(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SMALL, encoding="utf-8")
    config = tmp_path / "line.yaml"
    config.write_text(LINE, encoding="utf-8")
    return config


def test_bench_gives_every_figure_as_json(small_line: Path) -> None:
    answer = linesentry(
        "bench", "--json", "--config", small_line, "--workers", "1", "--plates", "2", "--short-plates", "5"
    )
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    for key in (
        "line_mpx_per_s",
        "line_mm2_per_s",
        "detector_mpx_per_s",
        "latency_p50_s",
        "latency_p99_s",
        "memory_beyond_ring_bytes",
        "workers",
        "dtype",
        "cpu_flags",
    ):
        assert key in found
    assert found["line_mpx_per_s"] > 0
    assert found["latency_plates"] == 5
    assert found["memory_beyond_ring_bytes"] > 10_000_000
