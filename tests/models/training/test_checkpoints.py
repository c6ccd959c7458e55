"""The running mean of weights and the learning rate."""

from __future__ import annotations

import pytest
import torch

from models.training.checkpoints import Average, warm_up_cosine

torch.set_num_threads(1)


def test_the_running_mean_starts_with_the_first_weights_and_forgets_them() -> None:
    average = Average(memory=0.9, recent=1)
    average.follow({"a": torch.tensor([1.0]), "n": torch.tensor(1)}, 1)
    assert average.state["a"].item() == 1.0
    for step in range(2, 300):
        average.follow({"a": torch.tensor([2.0]), "n": torch.tensor(step)}, step)
    assert average.state["a"].item() == pytest.approx(2.0, abs=1e-3)
    assert average.state["n"].item() == 299


def test_the_rate_rises_then_falls_but_never_to_nothing() -> None:
    rates = [warm_up_cosine(step / 1000, step) for step in range(1001)]
    assert rates[0] < 0.05 < rates[99]
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert rates[-1] == 0.005
