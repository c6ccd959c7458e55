"""`linesentry train classifier --folds`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from daemon.lab.data import classifier as classifier_data
from daemon.lab.orders import TrainClassifier as Order
from daemon.lab.train import cross_validation
from daemon.lab.train.classifier import train_classifier_command
from daemon.lab.train.cross_validation import FOLDS
from models.classifier.networks import make
from models.training.classifier import batches, learner
from models.training.classifier.batches import Batch, batch_of
from models.training.classifier.card import write_weights
from models.training.classifier.examples import Example, read_folder
from models.training.classifier.groups import Split, group_keys
from models.training.classifier.train import Outcome
from models.training.classifier.validation import logits_of
from models.training.photographs import held_out

torch.set_num_threads(1)


@pytest.mark.long
def test_folds_leave_a_table_and_go_on_where_they_were_interrupted(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, folds=2, network="resnet18")
    measured = cross_validation._measured
    monkeypatch.setattr(cross_validation, "ANECDOTES", ("own/crack",))

    def interrupted(order: Order, outcome: Outcome, parts: Split) -> dict[str, object]:
        if (order.out / FOLDS).is_file():
            raise KeyboardInterrupt
        return measured(order, outcome, parts)

    monkeypatch.setattr(cross_validation, "_measured", interrupted)
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(order)
    assert ended.value.code == 130
    monkeypatch.setattr(cross_validation, "_measured", measured)
    first = json.loads((tmp_path / "out" / FOLDS).read_text())["folds"]
    for other in ({"folds": 3}, {"seed": 1}, {"simulated": 4}, {"network": "resnet34"}):
        with pytest.raises(SystemExit) as ended:
            train_classifier_command(replace(order, resume=True, **other))
        assert ended.value.code == 2
        assert "another cross-validation" in capsys.readouterr().err
    train_classifier_command(replace(order, resume=True))
    found = json.loads((tmp_path / "out" / FOLDS).read_text())
    assert found["folds"][:1] == first
    assert [one["fold"] for one in found["folds"]] == [1, 2]
    assert sum(one["pictures"] for one in found["folds"]) == sum(not held_out(f"own/{n}") for n in range(24))
    assert 0 <= found["table"]["accuracy"]["mean"] <= 1
    assert (found["network"], found["started from"], found["minutes"]) == ("resnet18", "scratch", 0.02)
    for one in found["folds"]:
        assert one["steps"] > 0
        assert one["minutes"] > 0
        low, high = one["intervals"]["accuracy"]
        assert low <= one["accuracy"] <= high
        right = one["likelier_without_anecdotes"] * (one["pictures"] - one["cracks"])
        assert right == pytest.approx(round(right)), "of the pictures without a crack alone"
    assert not (tmp_path / "out" / "fold").exists()


@pytest.mark.long
def test_a_fold_neither_learns_from_nor_chooses_by_the_groups_that_it_is_measured_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt_from: dict[int, set[str]] = {}  # by the seed, which each fold has for its own
    chosen: list[set[str]] = []

    def batch(examples: Sequence[Example], draws: NDArray[np.float64], size: int, key: Sequence[int]) -> Batch:
        learnt_from[key[0]] = {one.group for one in examples}
        return batch_of(examples, draws, size, key)

    def look(network: str, state: dict[str, torch.Tensor], examples: Sequence[Example], side: int) -> torch.Tensor:
        chosen.append({one.group for one in examples})
        return logits_of(network, state, examples, side)

    monkeypatch.setattr(batches, "batch_of", batch)
    monkeypatch.setattr(learner, "logits_of", look)
    train_classifier_command(Order(tmp_path, (data,), simulated=0, minutes=0.01, folds=2, network="mobilenet_v2"))
    every = {f"own/{number}" for number in range(24) if not held_out(f"own/{number}")}
    folds = json.loads((tmp_path / FOLDS).read_text())["folds"]
    unseen = [every - met - asked for met, asked in zip(learnt_from.values(), chosen, strict=True)]
    assert [len(one) for one in unseen] == [one["groups"] for one in folds]
    assert sorted(group for one in unseen for group in one) == sorted(every), "each is measured on once"
    assert not any(met & asked for met, asked in zip(learnt_from.values(), chosen, strict=True))


@pytest.mark.long
def test_folds_choose_and_measure_by_no_crop_that_their_start_has_met(data: Path, tmp_path: Path) -> None:
    order = Order(
        tmp_path / "out", (data,), simulated=24, minutes=0.01, folds=2, network="resnet18", pretrained=tmp_path / "s.pt"
    )
    crops = classifier_data.training_examples((), order.simulated, order.seed, lambda *_: None)
    made = write_weights(tmp_path, make("resnet18").state_dict(), "resnet18", {"groups": " ".join(group_keys(crops))})
    train_classifier_command(replace(order, pretrained=made))
    found = json.loads((tmp_path / "out" / FOLDS).read_text())["folds"]
    fresh = [one for one in read_folder(data) if not one.test]
    assert sum(one["pictures"] for one in found) == len(fresh)
    examples = classifier_data.training_examples(order.data, order.simulated, order.seed, lambda *_: None)
    painted = [one for one in examples if one.simulated and not one.test and one.group in {own.group for own in fresh}]
    assert sum(one["all"]["pictures"] for one in found) == len(fresh) + len(painted)


def test_folds_that_would_have_nothing_to_measure_are_refused_before_any_training_and_nothing_is_taken_away(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "out" / "fold" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("kept")
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(
            Order(tmp_path / "out", (data,), simulated=0, minutes=60, folds=20, network="resnet18")
        )
    assert ended.value.code == 2
    assert "ask for fewer folds" in capsys.readouterr().err
    assert mine.read_text() == "kept"
