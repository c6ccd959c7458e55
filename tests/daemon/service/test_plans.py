"""How many processes a run has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest

from config.load import load_recipe, with_overrides
from config.schema import Config, Workers
from daemon.service.child_plans import absolute
from daemon.service.plans import processes

RECIPE = load_recipe("P10B")
CORES = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("count", "device", "gpu", "workers"),
    [
        (3, "auto", True, 3),
        (None, "auto", True, 1),
        (None, "auto", False, CORES),
        (None, "cpu", True, CORES),
        (None, "cuda", False, 1),
    ],
)
def test_there_is_a_worker_for_each_core_or_one_for_a_gpu_or_as_many_as_are_asked_for(
    count: int | None, device: Literal["auto", "cpu", "cuda"], gpu: bool, workers: int
) -> None:
    config = Config(workers=Workers(count=count, device=device))
    assert processes(config, [RECIPE], gpu=gpu)["detect"] == workers


def test_what_a_plan_names_is_found_when_the_working_directory_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"camera.source": "folder", "camera.folder": "images", "classify.weights": "c.pt"}
    found = absolute(with_overrides(Config(), named))
    assert found.camera.folder == tmp_path / "images"
    assert found.classify.weights == tmp_path / "c.pt"


def test_a_recipe_that_does_not_ask_the_classifier_has_no_process_for_it() -> None:
    off = RECIPE.model_copy(update={"classifier": RECIPE.classifier.model_copy(update={"mode": "off"})})
    assert "classify" not in processes(Config(), [off], gpu=False)
    on = RECIPE.model_copy(update={"classifier": RECIPE.classifier.model_copy(update={"mode": "veto"})})
    assert processes(Config(), [on], gpu=False)["classify"] == 1


def test_the_archive_is_a_process_unless_no_plate_is_archived() -> None:
    assert processes(Config(), [RECIPE], gpu=False)["archive"] == 1
    off = Config.model_validate({"archive": {"verdicts": []}})
    assert "archive" not in processes(off, [RECIPE], gpu=False)


def test_each_output_is_a_process_of_its_own_and_without_outputs_there_is_none() -> None:
    assert "output" not in processes(Config(), [RECIPE], gpu=False)
    gates = [{"name": name, "host": "plc"} for name in ("one", "two")]
    config = Config.model_validate({"outputs": {"modbus": gates, "webhook": [{"name": "mes", "url": "http://mes/"}]}})
    wanted = processes(config, [RECIPE], gpu=False)
    assert (wanted["output"], list(wanted)[-2:]) == (3, ["output", "web"])
