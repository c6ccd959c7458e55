"""What only loading can tell is tried before a start, and where it fails the service ends at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from config.load import load_config, load_recipe, with_overrides
from config.schema import Config, Template, Windows
from daemon.service.probe import order_for, unloadable
from daemon.service.probe_process import tried
from tests.command import linesentry, small_line

RECIPE = load_recipe("P10B")


def test_what_ships_is_not_loaded_to_be_checked() -> None:
    before = time.process_time()
    for name in ("P10B", "general", "U20B"):
        assert unloadable(Config(), load_recipe(name)) == []
    assert time.process_time() - before < 1.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"templates": (Template(width=60, height=38, step=18), *RECIPE.templates[1:])}, "templates of at most 22 px"),
        ({"templates": RECIPE.templates[:1]}, "trained with 3 templates"),
        ({"windows": Windows(size=1301, stride=1300)}, "known-answer window gives wrong values"),
    ],
)
def test_a_recipe_that_the_weights_do_not_fit_is_told(changes: dict[str, object], words: str) -> None:
    ((in_recipe, key, message),) = tried(order_for(None, RECIPE.model_copy(update=changes)))
    assert (in_recipe, key) == (True, "weights")
    assert words in message


def test_a_camera_that_is_not_there_and_weights_that_are_none_are_told(tmp_path: Path) -> None:
    weights = tmp_path / "own.pt"
    weights.write_text("no weights")
    config = with_overrides(Config(), {"camera.source": "no_such_module:Camera", "classify.weights": str(weights)})
    recipe = RECIPE.model_copy(update={"weights": str(weights)})
    told = unloadable(config, recipe)
    assert [key for _, key, _ in told] == ["camera.source", "weights", "classify.weights"]
    assert "No module named 'no_such_module'" in told[0][2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os; os._exit(3)", "ended: exit status 3"),
        ("1 / 0", "ZeroDivisionError"),
        ("class Camera: pass", "no subclass of stages.camera.LineCamera"),
    ],
)
def test_a_driver_that_fails_when_it_is_loaded_is_told(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_driver.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    ((_, _, message),) = unloadable(with_overrides(Config(), {"camera.source": "own_driver:Camera"}), RECIPE)
    assert words in message


def test_a_service_that_could_never_work_ends_at_once_with_the_reason(tmp_path: Path) -> None:
    """Not after eleven restarts; and a configuration that cannot run has its own exit code, so that nobody retries."""
    config = small_line(tmp_path)
    small = tmp_path / "small.yaml"
    small.write_text(f"{small.read_text(encoding='utf-8')}windows: {{size: 1301, stride: 1300}}\n", encoding="utf-8")
    done = linesentry("run", "--config", config, "--state", tmp_path / "state")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("linesentry: the known-answer window gives wrong values")
    assert done.stderr.count('"process ended"') == 1
    assert load_config(config).restart.budget == 10
