"""`linesentry check`: what is wrong, on stderr; what is asked of the machine, on stdout."""

from __future__ import annotations

from pathlib import Path

from config.load import shipped
from tests.command import linesentry


def test_the_configuration_that_ships_is_sound() -> None:
    answer = linesentry("check")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "619.9 MB" in answer.stdout


def test_a_warning_about_a_configuration_is_told_and_is_no_fault(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text("slots: 2\ncamera: {source: simulator, line_rate_hz: 200000}\n", encoding="utf-8")
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


def test_a_recipe_is_checked_as_one() -> None:
    answer = linesentry("check", shipped("recipes", "P10B.yaml"))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "checked as a recipe" in answer.stdout


def test_a_file_of_something_else_gets_one_error(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {web: {image: nginx}}\n", encoding="utf-8")
    answer = linesentry("check", path)
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "is neither a configuration nor a recipe" in answer.stderr


def test_a_folder_that_the_service_cannot_see_is_a_fault_when_asked_for_the_service(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text(f"camera: {{source: folder, folder: {tmp_path}}}\n", encoding="utf-8")
    (tmp_path / "1.png").touch()
    assert linesentry("check", config).returncode == 0
    answer = linesentry("check", "--service", config)
    assert answer.returncode == 1
    assert f"camera.folder: the service cannot see {tmp_path}" in answer.stderr
    assert "checked as the service sees it" in answer.stdout
