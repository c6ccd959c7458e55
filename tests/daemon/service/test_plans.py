"""How many processes a run has."""

from __future__ import annotations

import os
from typing import Literal

import pytest

from config.load import load_recipe
from config.schema import Config, Workers
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
    assert processes(config, RECIPE, gpu=gpu)["detect"] == workers


def test_a_recipe_that_does_not_ask_the_classifier_has_no_process_for_it() -> None:
    off = RECIPE.model_copy(update={"classifier": RECIPE.classifier.model_copy(update={"mode": "off"})})
    assert "classify" not in processes(Config(), off, gpu=False)
    on = RECIPE.model_copy(update={"classifier": RECIPE.classifier.model_copy(update={"mode": "veto"})})
    assert processes(Config(), on, gpu=False)["classify"] == 1
