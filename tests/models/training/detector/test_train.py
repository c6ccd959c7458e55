from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from config.schema import Pitch, Recipe, Template
from models.detector.detector import Detector, DetectorError
from models.detector.features import FeatureNetwork, network_for
from models.training.detector import batches, learner
from models.training.detector import train as training
from models.training.detector.card import write
from models.training.detector.crops import LabelledCrop
from models.training.detector.examples import stacked
from models.training.detector.figures import Clean, learn_threshold
from models.training.detector.plan import Plan
from models.training.detector.train import Outcome, Progress, train
from simulator.crops.wild import training_window

torch.set_num_threads(1)


def test_training_lowers_the_loss_and_can_be_resumed(tmp_path: Path) -> None:
    checkpoint = tmp_path / "part.ckpt"
    rng = np.random.default_rng(9)
    kept = [training_window(rng, 64) for _ in range(16)]
    first = train(training_window, Plan(steps=4, crop=64, batch=4), validation=kept, checkpoint=checkpoint)
    reports: list[Progress] = []
    rest = train(
        training_window,
        Plan(steps=200, crop=64, batch=4),
        validation=kept,
        resume=checkpoint,
        on_progress=reports.append,
    )
    assert (first.steps, rest.steps) == (4, 200)
    assert rest.history[-1][1] < first.history[-1][1]
    FeatureNetwork().load_state_dict(rest.state)


def barred(_rng: np.random.Generator, size: int) -> LabelledCrop:
    """A bar of 11 rows with its middle in row 55; grey values are the numbers of the rows."""
    grey = np.repeat(np.arange(size, dtype=np.uint8)[:, None], size, axis=1)
    mask = np.zeros((size, size), np.bool_)
    mask[50:61, 20:-20] = True
    return grey, mask, np.zeros_like(mask)


def test_published_preset_is_momentum_descent_whose_rate_falls_to_a_fifth_every_50_of_250_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_REPORT_S", "_SAVE_S"):
        monkeypatch.setattr(training, name, -1.0)
    checkpoint = tmp_path / "part.ckpt"
    rates: dict[int, float] = {}

    def look(_: Progress | None = None) -> None:
        if checkpoint.is_file():
            saved = torch.load(checkpoint, weights_only=True)
            (group,) = saved["optimiser"]["param_groups"]
            assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, False, 0)
            rates[saved["step"]] = group["lr"]

    plan = Plan(steps=10, crop=120, batch=1, preset="paper", metal_share=1.0)
    train(training_window, plan, metal=barred, checkpoint=checkpoint, on_progress=look)
    look()
    assert rates == {step: pytest.approx(0.01 / 5 ** ((step - 1) // 2)) for step in range(1, 11)}
    by_epoch = [learner.rate_share("paper", epoch / 250, 0) for epoch in range(250)]
    assert by_epoch == [5.0 ** -(epoch // 50) for epoch in range(250)]


def test_published_preset_learns_from_patches_of_27_px_half_of_them_on_skeleton_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learnt: list[LabelledCrop] = []

    def watched(rng: np.random.Generator, crops: Sequence[LabelledCrop], scale: int) -> tuple[torch.Tensor, ...]:
        learnt.extend(crops)
        return stacked(rng, crops, scale)

    monkeypatch.setattr(batches, "stacked", watched)
    full = Recipe(name="full", resolution="full")
    train(training_window, Plan(steps=1, crop=120, batch=2, preset="paper", recipe=full, metal_share=1.0), metal=barred)
    assert learnt
    assert {part.shape for patch in learnt for part in patch} == {(27, 27)}
    assert {int(grey[13, 13]) for grey, _, _ in learnt[::2]} == {55}
    assert not any(mask.any() for _, mask, _ in learnt[1::2])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[LabelledCrop]:
    """Validation crops, looked at after each step."""
    monkeypatch.setattr(training, "_LOOK_S", 0.0)
    rng = np.random.default_rng(5)
    return [training_window(rng, 64) for _ in range(4)]


def test_resumed_training_remembers_its_best_weights_its_looks_and_its_crops(
    looks: list[LabelledCrop], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "part.ckpt"

    def trained(steps: int, rate: float, resume: Path | None = None) -> Outcome:
        plan = Plan(steps=steps, crop=64, batch=2, rate=rate)
        return train(training_window, plan, validation=looks, checkpoint=checkpoint, resume=resume)

    first = trained(6, 2e-3)
    rest = trained(9, 1e4, checkpoint)  # so high a rate spoils what was learnt
    assert rest.history[: len(first.history)] == first.history
    assert len(rest.history) > len(first.history)
    assert rest.crops > first.crops
    losses = [loss for _, loss in rest.history]
    assert losses.index(min(losses)) < len(first.history)
    assert all(torch.equal(value, first.state[name]) for name, value in rest.state.items())


def test_training_says_which_files_it_started_from_over_a_resume_too(tmp_path: Path) -> None:
    start, checkpoint = tmp_path / "start.pt", tmp_path / "part.ckpt"
    torch.save(FeatureNetwork().state_dict(), start)

    def trained(steps: int, resume: Path) -> Outcome:
        return train(training_window, Plan(steps=steps, crop=64, batch=2), checkpoint=checkpoint, resume=resume)

    hashes = [hashlib.sha256(start.read_bytes()).hexdigest()]
    assert trained(1, start).started_from == ({"name": "start.pt", "sha256": hashes[0]},)
    hashes.append(hashlib.sha256(checkpoint.read_bytes()).hexdigest())
    named = trained(2, checkpoint).started_from
    assert [(one["name"], one["sha256"]) for one in named] == [("start.pt", hashes[0]), ("part.ckpt", hashes[1])]


@pytest.mark.long
@pytest.mark.parametrize("old", [False, True])
def test_checkpoint_of_another_preset_or_resolution_is_refused_in_words(tmp_path: Path, old: bool) -> None:
    checkpoint = tmp_path / "part.ckpt"
    train(training_window, Plan(steps=1, crop=64, batch=2), checkpoint=checkpoint)
    if old:  # as checkpoints were before they said what they are of
        saved = torch.load(checkpoint, weights_only=True)
        kept = ("network", "optimiser", "average", "step", "seconds")
        torch.save({name: saved[name] for name in kept}, checkpoint)
    with pytest.raises(ValueError, match=r"part\.ckpt.*preset default instead of paper"):
        train(training_window, Plan(steps=2, crop=64, batch=2, preset="paper"), resume=checkpoint)
    full = Recipe(name="full", resolution="full")
    with pytest.raises(ValueError, match="resolution half instead of full"):
        train(training_window, Plan(steps=2, crop=64, batch=2, recipe=full), resume=checkpoint)
    assert train(training_window, Plan(steps=2, crop=64, batch=2), resume=checkpoint).steps == 2


@pytest.mark.parametrize("content", ["text", "a tensor", "other weights"])
def test_file_that_is_no_checkpoint_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "part.ckpt"
    if content == "text":
        path.write_text("no checkpoint")
    else:
        torch.save(torch.zeros(3) if content == "a tensor" else {"weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"part\.ckpt.*neither a checkpoint"):
        train(training_window, Plan(steps=2, crop=64, batch=2), resume=path)


def test_training_ends_early_when_it_no_longer_helps_and_keeps_the_best(looks: list[LabelledCrop]) -> None:
    # So high a rate never learns: the weights of the first look stay the best, or nearly so.
    outcome = train(training_window, Plan(steps=400, crop=64, batch=2, rate=30.0, patience=3), validation=looks)
    losses = [loss for _, loss in outcome.history]
    assert outcome.steps < 400
    assert len(losses) - 1 - losses.index(min(losses)) >= 3
    assert [step for step, _ in outcome.history] == sorted(step for step, _ in outcome.history)


@pytest.mark.parametrize("wrong", [{}, {"steps": 1, "minutes": 1.0}, {"steps": 1, "crop": 65}])
def test_contradictory_orders_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="found"):
        Plan(**wrong)  # type: ignore[arg-type]


def test_photographs_alone_are_learnt_from_without_any_other_source() -> None:
    crop = training_window(np.random.default_rng(0), 64)
    # The first source would be called in another process, where no lambda can go.
    outcome = train(lambda *_: crop, Plan(steps=3, crop=64, batch=2, metal_share=1.0), metal=lambda *_: crop)
    assert (outcome.steps, outcome.crops >= 6) == (3, True)


FOUR = Recipe(
    name="four",
    templates=tuple(Template(width=width, height=20, step=5) for width in (22, 15, 9, 6)),
    pitch=Pitch(row_mm=0.05, column_mm=0.04),
)


def test_network_is_trained_and_loaded_with_its_recipes_templates_and_pitch(tmp_path: Path) -> None:
    outcome = train(training_window, Plan(steps=1, crop=64, batch=2, recipe=FOUR), checkpoint=tmp_path / "part.ckpt")
    empty = np.zeros((64, 64), np.bool_)
    clean = Clean("plain", [[(empty.view(np.uint8) + 90, empty, empty)]], 1.0)
    threshold, _ = learn_threshold(outcome.state, [clean], recipe=FOUR)
    path = write(tmp_path, outcome.state, threshold, {}, FOUR)
    card = json.loads(path.with_suffix(".json").read_text())
    assert [one["width"] for one in card["templates"]] == [22, 15, 9, 6]
    assert card["pitch"] == {"row_mm": 0.05, "column_mm": 0.04}
    Detector.load(FOUR.model_copy(update={"weights": str(path)}), device="cpu").known_answer()
    with pytest.raises(DetectorError, match=r"4 templates, recipe three has 3.*linesentry train detector --recipe"):
        Detector.load(Recipe(name="three", weights=str(path)), device="cpu")
    for start in ("part.ckpt", "detector-half.pt"):
        with pytest.raises(ValueError, match=r"of another training.*templates"):
            train(training_window, Plan(steps=2, crop=64, batch=2), resume=tmp_path / start)


def test_folded_network_has_the_values_of_the_network_with_its_own_templates() -> None:
    torch.manual_seed(0)
    network = network_for(FOUR).eval()
    picture = torch.randn(1, 1, 70, 90)
    with torch.no_grad():
        assert torch.allclose(network.folded(torch.float32)(picture), network(picture)[:, 0], atol=1e-3)


@pytest.mark.parametrize(("resolution", "most"), [("half", 22), ("full", 21)])
def test_template_wider_than_the_kernels_is_refused_with_the_widest_that_is_not(resolution: str, most: int) -> None:
    def network(width: float) -> FeatureNetwork:
        templates = (Template(width=width, height=20, step=5),)
        return network_for(Recipe.model_validate({"name": "wide", "resolution": resolution, "templates": templates}))

    network(most)
    with pytest.raises(ValueError, match=f"at most {most} px of the plate"):
        network(most + 0.5)
