"""Training of the classifier, at a size that a test can afford."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.classifier.errors import ClassifierError
from models.classifier.networks import make
from models.training.checkpoints import warm_up_cosine
from models.training.classifier import batches, learner, progressive
from models.training.classifier import train as training
from models.training.classifier.batches import Pool, Renewal, batch_of, class_weights, draw_chances
from models.training.classifier.examples import DataError, Example
from models.training.classifier.learner import Learner
from models.training.classifier.plan import Plan
from models.training.classifier.progressive import parts_of, side_at
from models.training.classifier.train import Outcome, Progress, train
from models.training.classifier.validation import logits_of
from tests.classifier_weights import untrained

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progressive, "_SIDES", ((2.0, 32),))
    monkeypatch.setattr(progressive, "TAUGHT_SIDES", ((2.0, 32),))
    monkeypatch.setattr(training, "_REPORT_S", 0.0)


def examples(count: int = 16) -> list[Example]:
    rng = np.random.default_rng(1)
    made = []
    for index in range(count):
        crack = index % 4 == 0
        pixels = rng.integers(90, 110, (224, 224)).astype(np.uint8)
        if crack:
            pixels[:, 100:120] = 220
        made.append(Example(pixels, crack, "a", "crack" if crack else "plain", f"g{index}", str(index)))
    return made


def run(steps: int = 6, **rest: object) -> Outcome:
    return train(examples(), examples(6), Plan("resnet18", steps=steps, batch=4), **rest)  # type: ignore[arg-type]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_same_seed_trains_the_same_weights() -> None:
    first, second = run(3), run(3)
    assert first.steps == 3
    assert same(first.state, second.state)


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    checkpoint = tmp_path / "made" / "classifier.ckpt"

    def stop(step: Progress) -> None:
        if step.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=checkpoint, on_progress=stop)
    resumed = run(resume=checkpoint)
    assert resumed.steps == 6
    assert same(resumed.state, run().state)


def taught(weights: Path) -> Plan:
    return Plan("resnet18", steps=4, batch=4, teacher=weights)


def fresh(part: int) -> list[Example]:
    return [replace(one, simulated=True, name=f"part {part} {one.name}") for one in examples(4)]


RENEWAL = Renewal(lambda one: one.simulated, fresh)


@pytest.mark.long
def test_a_training_with_a_teacher_goes_on_as_if_nothing_had_happened_and_not_with_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_RENEWED_EVERY", 1)
    teacher = untrained(tmp_path / "teacher")
    checkpoint = tmp_path / "classifier.ckpt"
    known = [*examples(), *fresh(0)]

    def stop(step: Progress) -> None:
        if step.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(known, examples(6), taught(teacher), checkpoint=checkpoint, on_progress=stop, renewal=RENEWAL)
    resumed = train(known, examples(6), taught(teacher), resume=checkpoint, renewal=RENEWAL)
    whole = train(known, examples(6), taught(teacher), renewal=RENEWAL)
    assert resumed.steps == 4
    assert same(resumed.state, whole.state)
    otherwise = [*examples(), *(replace(one, group=f"other {one.group}") for one in fresh(0))]
    assert train(otherwise, examples(6), taught(teacher), resume=checkpoint, renewal=RENEWAL).steps == 4
    with pytest.raises(DataError, match="another training"):
        train(known[1:], examples(6), taught(teacher), resume=checkpoint, renewal=RENEWAL)
    assert resumed.history[-1].agreement is not None
    assert resumed.history[-1].agreement == whole.history[-1].agreement
    other = untrained(tmp_path / "other", doubt=1.0)
    with pytest.raises(DataError, match="another training"):
        train(known, examples(6), taught(other), resume=checkpoint)


def test_simulated_examples_give_way_to_new_ones_part_by_part_and_the_others_stay() -> None:
    known = [*examples(8), *(one for part in range(batches.PARTS) for one in fresh(-part))]
    pool = Pool(known, Renewal(lambda one: one.simulated, fresh))
    begun, _ = pool.at(batches._RENEWED_EVERY - 1)
    assert list(begun) == known
    some, draws = pool.at(3 * batches._RENEWED_EVERY)
    assert len(some) == len(draws) == len(known)
    names = [one.name for one in some]
    assert {name.split()[1] for name in names if name.startswith("part")} >= {"1", "2", "3"}
    assert sum(name.startswith(("part 1 ", "part 2 ", "part 3 ")) for name in names) == 12
    late = (batches.PARTS + 7) * batches._RENEWED_EVERY
    later = [one.name for one in pool.at(late)[0]]
    assert later == [one.name for one in Pool(known, RENEWAL).at(late)[0]], "as if it had been asked for no other step"
    assert [one for one in pool.at(late)[0] if not one.simulated] == known[:8]
    assert {int(name.split()[1]) for name in later if name.startswith("part")} == set(range(8, batches.PARTS + 8))


@pytest.mark.parametrize("what", ["another plan", "other groups", "text", "weights"])
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x.ckpt"
    if what == "text":
        path.write_text("no checkpoint")
    elif what == "weights":
        torch.save({"fc.weight": torch.zeros(2)}, path)
    else:
        run(1, checkpoint=path)
    batch, known = (4, examples()[:-1]) if what == "other groups" else (5, examples())
    with pytest.raises(DataError, match=r"another training|no checkpoint"):
        train(known, examples(6), Plan("resnet18", steps=2, batch=batch), resume=path)


def test_the_best_weights_on_validation_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_LOOK_S", 0.0)
    monkeypatch.setattr(training, "_LOOK_SHARE", 1e9)
    outcome = run(5)
    assert [look.step for look in outcome.history] == [1, 2, 3, 4, 5, 5]
    assert {look.side for look in outcome.history[:-1]} == {32}
    assert outcome.history[-1].side == 224
    loss = torch.nn.functional.cross_entropy(
        logits_of("resnet18", outcome.state, examples(6)),
        torch.tensor([int(one.crack) for one in examples(6)]),
        weight=torch.tensor([6 / (2 * 4), 6 / (2 * 2)]),
    )
    assert loss.item() == pytest.approx(outcome.history[-1].loss, rel=1e-3)


@pytest.mark.long
def test_a_training_that_goes_on_for_longer_keeps_the_best_of_all_its_looks_at_full_size(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(training, "_LOOK_S", 0.0)
    monkeypatch.setattr(training, "_LOOK_SHARE", 1e9)
    monkeypatch.setattr(progressive, "_SIDES", ((0.5, 32),))
    # What comes later is worse on purpose: crops of the other class would have to be said.
    worse = [replace(one, crack=not one.crack) for one in examples(6)]
    checkpoint = tmp_path / "classifier.ckpt"
    first = run(4, checkpoint=checkpoint)
    # Its groups are the same, so that it is the same training.
    outcome = train(examples(), worse, Plan("resnet18", steps=12, batch=4), resume=checkpoint, checkpoint=checkpoint)
    assert [look.side for look in outcome.history[:4]] == [32, 32, 224, 224]
    assert [look.side for look in outcome.history[4:8]] == [32, 32, 224, 224]
    assert outcome.history[: len(first.history)] == first.history, "the last look is in the checkpoint too"
    full = [look for look in outcome.history if look.side == 224]
    assert same(outcome.state, first.state) == (min(full, key=lambda look: look.loss).step <= 4)
    again = train(examples(), worse, Plan("resnet18", steps=12, batch=4), resume=checkpoint)
    assert same(again.state, outcome.state)


@pytest.mark.long
def test_looks_at_smaller_crops_do_not_end_a_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "_LOOK_S", 0.0)
    monkeypatch.setattr(training, "_LOOK_SHARE", 1e9)
    monkeypatch.setattr(progressive, "_SIDES", ((0.8, 32),))
    monkeypatch.setattr(learner, "_PATIENCE", 4)
    checkpoint = tmp_path / "classifier.ckpt"
    run(2, checkpoint=checkpoint)
    saved = torch.load(checkpoint, weights_only=True)
    saved["best_look"] = (2, 0.0, 1.0, 224)  # nothing can be better
    torch.save(saved, checkpoint)
    assert run(10, resume=checkpoint).steps == 10


def test_a_training_without_progress_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_LOOK_S", 0.0)
    monkeypatch.setattr(training, "_LOOK_SHARE", 1e9)
    monkeypatch.setattr(learner, "_PATIENCE", 0)
    monkeypatch.setattr(progressive, "_SIDES", ((0.03, 32),))
    assert run(50).steps == 3, "never before it has seen crops at their full size"


def test_crops_grow_to_their_full_size_before_a_training_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    sides = [side_at(share / 100) for share in range(101)]
    assert sides == sorted(sides)
    assert sides[0] < sides[-1] == 224
    assert sides[80] == 224


def test_a_small_source_is_drawn_more_often_than_its_size_asks_for_and_the_loss_evens_the_classes_out() -> None:
    known = examples(16)  # 4 cracks, 12 plain ones
    draws = draw_chances(known)
    crack = draws[[one.crack for one in known]].sum()
    assert 4 / 16 < crack < 0.5
    weights = class_weights(known, draws)
    assert weights[1] * crack == pytest.approx(0.5)
    assert weights[0] * (1 - crack) == pytest.approx(0.5)


def test_a_step_learns_from_each_class_by_its_weight() -> None:
    known = examples()
    draws = draw_chances(known)
    batch = batch_of(known, draws, 4, (0, 0))  # the first of a training with that seed

    def loss(weights: torch.Tensor) -> float:
        torch.manual_seed(0)
        one = Learner(Plan("resnet18", steps=1, batch=4), ("", "", ""), weights, None)
        one.learn(batch, 0.0)
        return one.loss

    each = torch.tensor([loss(torch.tensor([1.0, 0.0])), loss(torch.tensor([0.0, 1.0]))])
    counted = torch.bincount(batch.classes, minlength=2) * class_weights(known, draws)
    assert run(1).loss == pytest.approx((counted @ each / counted.sum()).item(), rel=1e-4)
    assert each[0] != pytest.approx(each[1].item(), rel=0.1), "so that the weights tell"


def test_a_batch_depends_on_its_key_alone() -> None:
    known = examples()
    draws = np.full(len(known), 1 / len(known))
    one, same = (batch_of(known, draws, 3, (0, 7)) for _ in range(2))
    assert one.crops.shape == (3, 3, 224, 224)
    assert torch.equal(one.crops, same.crops)
    assert torch.equal(one.classes, same.classes)
    assert not torch.equal(one.crops, batch_of(known, draws, 3, (0, 8)).crops)


def test_a_batch_says_where_its_cracks_lie_as_far_as_that_is_known() -> None:
    plain, cracked = examples()[1], examples()[0]
    known = replace(cracked, mask=cracked.pixels == 220)
    batch = batch_of([plain, cracked, known], np.array([1.0, 1.0, 1.0]) / 3, 32, (0, 1))
    for crop, label, places in zip(batch.crops, batch.classes, batch.places, strict=True):
        if label == 0:
            assert (places == 0).all()
        elif places.isfinite().all():
            bright = functional.avg_pool2d(crop[:1], 8)
            assert bright[places > 0].min() > bright[places == 0].mean()
            assert 28 <= (places > 0).sum() < 28 * 8
        else:
            assert places.isnan().all()
    assert {int(places.isnan().sum()) for places in batch.places} == {0, 28 * 28}


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="either minutes or steps"):
        train(examples(), examples(), Plan("resnet18"))
    with pytest.raises(DataError, match="training needs pictures with and without"):
        train([one for one in examples() if one.crack], examples(), Plan("resnet18", steps=1))
    (tmp_path / "wrong.pth").write_bytes(b"no weights")
    with pytest.raises(ClassifierError, match="cannot be read as weights"):
        train(examples(), examples(), Plan("resnet18", steps=1, pretrained=tmp_path / "wrong.pth"))


def test_each_step_is_as_large_as_the_rate_has_it_by_then(tmp_path: Path) -> None:
    torch.manual_seed(0)
    fresh = dict(make("resnet18").named_parameters())
    checkpoint = tmp_path / "classifier.ckpt"
    run(1, checkpoint=checkpoint)
    first = torch.load(checkpoint, weights_only=True)
    moved = max((first["network"][name] - value).abs().max().item() for name, value in fresh.items())
    assert moved == pytest.approx(1e-3 * warm_up_cosine(0, 0), rel=0.02), "Adam's first step is as long as its rate"
    run(3, checkpoint=checkpoint)
    last = torch.load(checkpoint, weights_only=True)
    assert [group["lr"] for group in last["optimiser"]["param_groups"]] == [
        pytest.approx(1e-3 * warm_up_cosine(2 / 3, 2))
    ]


def test_a_part_of_a_crop_shows_its_crack_at_its_own_scale() -> None:
    plain, cracked = examples()[1], examples()[0]
    known = replace(cracked, mask=cracked.pixels == 220)
    batch = batch_of([plain, cracked, known], np.array([1.0, 1.0, 1.0]) / 3, 32, (0, 1))
    crops, places = parts_of(batch.crops, batch.places, batch.spots, 128)
    assert crops.shape == (32, 3, 128, 128)
    assert places.shape == (32, 1, 16, 16)
    for crop, label, place in zip(crops, batch.classes, places, strict=True):
        bright = crop[0] > 1.0
        if label == 0:
            assert not bright.any()
            assert (place == 0).all()
        else:
            wide = int(torch.stack((bright.sum(0).max(), bright.sum(1).max())).min())
            assert wide >= 18 if place.isfinite().all() else 8 <= wide < 18, "a whole is shrunk where the crack may be"
            assert place.isnan().all() or (place > 0).any()
