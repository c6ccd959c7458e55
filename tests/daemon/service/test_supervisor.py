"""What stops a service before its first process starts."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from config.load import load_recipe
from config.schema import Config, Telemetry, Workers
from daemon.service.supervisor import ServiceError, Supervisor
from daemon.store.state import StateDirectory, StateError


def supervisor(directory: Path, recipe: str = "P10B", slots: int = 2) -> Supervisor:
    config = Config(slots=slots, workers=Workers(count=1), telemetry=Telemetry(port=0))
    return Supervisor(config, load_recipe(recipe), StateDirectory(directory))


def test_a_recipe_of_any_length_is_refused_because_no_memory_can_be_reserved_for_it(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="recipe general has no length or no columns"):
        supervisor(tmp_path, "general")


def test_a_state_directory_in_use_is_refused_with_the_process_that_uses_it(tmp_path: Path) -> None:
    with StateDirectory(tmp_path).lock(), pytest.raises(StateError, match=r"another linesentry \(process \d+\) uses"):
        supervisor(tmp_path).run()


def test_more_slots_than_memory_are_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    refused = supervisor(tmp_path, slots=100_000)
    with pytest.raises(ServiceError, match="lower slots"):
        refused.run()
    assert not list(Path(tempfile.gettempdir()).glob(f"linesentry-*{refused.run_id[:8]}*"))
    assert handlers == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with StateDirectory(tmp_path).lock():
        pass
