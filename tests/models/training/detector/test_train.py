from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from config.schema import Pitch, Recipe, Template
from models.detector.detector import Detector, DetectorError
from models.detector.features import FeatureNetwork, network_for
from models.detector.threshold import LearntThreshold
from models.training.classifier.examples import groups_of
from models.training.detector import batches, learner
from models.training.detector import train as training
from models.training.detector.card import write
from models.training.detector.crops import Crop
from models.training.detector.examples import stacked
from models.training.detector.figures import Clean, evaluate, learn_threshold
from models.training.detector.metal import RealMetal
from models.training.detector.patches import patches_of, skeleton
from models.training.detector.plan import Plan
from models.training.detector.train import Outcome, Progress, train
from models.training.photographs import held_out, photographs, read
from simulator.crops.cut import paint_on_metal
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


def barred(_rng: np.random.Generator, size: int) -> Crop:
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
    learnt: list[Crop] = []

    def watched(rng: np.random.Generator, crops: Sequence[Crop], scale: int) -> tuple[torch.Tensor, ...]:
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
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Crop]:
    """Validation crops, looked at after each step."""
    monkeypatch.setattr(training, "_LOOK_S", 0.0)
    rng = np.random.default_rng(5)
    return [training_window(rng, 64) for _ in range(4)]


def test_resumed_training_remembers_its_best_weights_its_looks_and_its_crops(looks: list[Crop], tmp_path: Path) -> None:
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


def test_training_ends_early_when_it_no_longer_helps_and_keeps_the_best(looks: list[Crop]) -> None:
    # So high a rate never learns: the weights of the first look stay the best, or nearly so.
    outcome = train(training_window, Plan(steps=400, crop=64, batch=2, rate=30.0, patience=3), validation=looks)
    losses = [loss for _, loss in outcome.history]
    assert outcome.steps < 400
    assert len(losses) - 1 - losses.index(min(losses)) >= 3
    assert [step for step, _ in outcome.history] == sorted(step for step, _ in outcome.history)


def test_patches_lie_around_skeletons_and_elsewhere() -> None:
    grey = np.random.default_rng(0).integers(0, 255, (120, 120)).astype(np.uint8)
    mask = np.zeros((120, 120), np.bool_)
    mask[50:60, 20:100] = True
    points = skeleton(mask)
    # The middle of a bar of 10 rows lies between rows 54 and 55, away from its short ends.
    assert {int(y) for x, y in points if 30 < x < 90} <= {54, 55}
    patches = patches_of(np.random.default_rng(1), [(grey, mask, ~mask & False)], 20)
    assert {patch[0].shape for patch in patches} == {(27, 27)}
    assert all(patch[1][13, 13] for patch in patches[::2])
    assert not any(patch[1].any() for patch in patches[1::2])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000), st.booleans())
def test_patches_of_any_crop_have_their_size(rows: int, columns: int, seed: int, even: bool) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) < 0.1
    crop = (rng.integers(0, 255, (rows, columns)).astype(np.uint8), mask, np.zeros_like(mask))
    side = 28 if even else 27
    assert all(part.shape == (side, side) for patch in patches_of(rng, [crop], 4, even=even) for part in patch)


@pytest.mark.parametrize("wrong", [{}, {"steps": 1, "minutes": 1.0}, {"steps": 1, "crop": 65}])
def test_contradictory_orders_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="found"):
        Plan(**wrong)  # type: ignore[arg-type]


def test_group_is_held_out_by_its_name_alone() -> None:
    groups = [f"neu_seg/{number}" for number in range(2000)]
    share = np.mean([held_out(group) for group in groups])
    assert 0.25 < share < 0.35
    assert [held_out(group) for group in groups] == [held_out(group) for group in groups]


def test_crops_of_photographs_have_the_plates_contrast(tmp_path: Path) -> None:
    rows = ["image,mask_or_label,set,group,class"]
    for number in range(12):
        image = np.random.default_rng(number).normal(100, 4, (200, 200)).astype(np.uint8)
        mask = np.zeros((200, 200), np.uint8)
        cv2.line(mask, (20, 30), (150, 160), 3, 6)
        image[mask > 0] = 220
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
        cv2.imwrite(str(tmp_path / f"{number}-mask.png"), mask)
        rows.append(f"{number}.png,{number}-mask.png,neu_seg,{number},3")
        cv2.imwrite(str(tmp_path / f"free{number}.png"), image * 0 + 90)
        rows.append(f"free{number}.png,MT_Free,mt,free{number},MT_Free")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    metal = RealMetal([tmp_path])
    assert 0 < len(metal.scratched) < 12
    rng = np.random.default_rng(0)
    marked = [crop for crop in (metal(rng, 128) for _ in range(20)) if crop[1].any()]
    assert marked
    for grey, scratch, ignored in marked:
        assert grey.shape == scratch.shape == ignored.shape == (128, 128)
        assert not (scratch & ignored).any()
        assert float(grey[scratch].mean()) - float(np.median(grey[~scratch])) < 80


def test_crops_of_a_large_photograph_show_its_marks_wherever_they_lie(tmp_path: Path) -> None:
    for number in range(8):
        image = np.random.default_rng(number).normal(100, 4, (800, 800)).astype(np.uint8)
        mask = np.zeros((800, 800), np.uint8)
        cv2.line(mask, (560, 600), (700, 740), 255, 8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image + (mask > 0) * np.uint8(60))
        cv2.imwrite(str(tmp_path / f"{number}_mask.png"), mask)
    rng = np.random.default_rng(0)
    metal = RealMetal([tmp_path])
    seen = [metal(rng, 128)[1].any() for _ in range(60)]
    assert 25 <= sum(seen) <= 50, "half of the crops are cut around the crack, a few others meet it"


def test_fingerprint_of_photographs_is_that_of_their_pixels_and_marks_wherever_they_lie(tmp_path: Path) -> None:
    def fingerprint(folder: str, crack: int) -> str:
        where = tmp_path / folder / "own"
        where.mkdir(parents=True)
        for number in range(8):
            mask = np.zeros((40, 50), np.uint8)
            mask[10:14, 5:crack] = 255
            cv2.imwrite(str(where / f"{number}.png"), np.full((40, 50), 90 + number, np.uint8))
            cv2.imwrite(str(where / f"{number}_mask.png"), mask)
        return RealMetal([where]).fingerprint()

    assert fingerprint("a", 30) == fingerprint("b", 30) != fingerprint("c", 31)


def test_folder_below_a_manifest_and_folder_of_pairs_are_data_too(tmp_path: Path) -> None:
    (tmp_path / "known" / "a").mkdir(parents=True)
    (tmp_path / "known" / "manifest.csv").write_text(
        "image,mask_or_label,set,group,class\na/one.png,a/one-mask.png,neu_seg,1,3\nb/two.png,,xsdd,2,red iron\n"
    )
    assert [(one.image.name, one.scratched) for one in photographs(tmp_path / "known" / "a")] == [("one.png", True)]
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    mask = np.zeros((30, 40), np.uint8)
    for name in ("clean", "cracked"):
        cv2.imwrite(str(pairs / f"{name}.jpg"), mask + 90)
        cv2.imwrite(str(pairs / f"{name}_mask.png"), mask)
        mask[10:14, 5:30] = 255
    found = {one.image.stem: one for one in photographs(pairs)}
    assert (found["clean"].clean, found["cracked"].scratched) == (True, True)
    assert read(found["cracked"])[1].sum() == 4 * 25


def test_photographs_without_a_group_are_held_out_by_runs_of_their_numbers_as_the_classifiers_are(
    tmp_path: Path,
) -> None:
    rows = [f"xsdd/{number}.jpg,,xsdd,,red iron" for number in range(3000, 3200)]
    rows += [f"mt/{number}.jpg,,mt,tile-{number},MT_Free" for number in range(3)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,mask_or_label,set,group,class", *rows]))
    (tmp_path / "xsdd").mkdir()
    groups = Counter(one.group for one in photographs(tmp_path))
    assert groups == groups_of(tmp_path)
    assert {"mt/tile-0", "mt/tile-1", "mt/tile-2", "xsdd/red iron-3000", "xsdd/red iron-3190"} <= set(groups)
    below = Counter(one.group for one in photographs(tmp_path / "xsdd"))
    assert {group: groups[group] for group in below} == below, "a folder below has the groups of the whole"
    assert 0 < sum(count for group, count in below.items() if held_out(group)) < 200


def test_cracks_with_masks_and_pictures_without_a_crack_of_any_set_are_learnt_and_others_counted(
    tmp_path: Path,
) -> None:
    rows = ["image,mask_or_label,set,group,class"]
    for number in range(40):
        kind = ("crack", "without_crack", "crack", "rust")[number % 4]
        label = f"{number}-mask.png" if number % 4 == 0 else ""
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((60, 60), 90, np.uint8))
        if label:
            mask = np.zeros((60, 60), np.uint8)
            mask[20:30, 10:50] = 255
            cv2.imwrite(str(tmp_path / label), mask)
        rows.append(f"{number}.png,{label},plant,{number},{kind}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    metal = RealMetal([tmp_path])
    kept = [not held_out(f"plant/{number}") for number in range(40)]
    assert [int(mask.sum()) for _, mask, _ in metal.scratched] == [400] * sum(kept[0::4])
    assert len(metal.clean) == sum(kept[1::4])
    assert metal.passed_over == {"plant/crack": 10, "plant/rust": 10}


def test_one_group_in_five_of_photographs_alone_is_for_validation(tmp_path: Path) -> None:
    rows = ["image,mask_or_label,set,group,class"]
    for number in range(60):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 30), number, np.uint8))
        rows.append(f"{number}.png,,plant,{number // 2},without_crack")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    parts: tuple[Literal["training", "validation"], ...] = ("training", "validation")
    training, validation = ({int(image[0, 0]) for image, _, _ in RealMetal([tmp_path], part=p).clean} for p in parts)
    every = {number for number in range(60) if not held_out(f"plant/{number // 2}")}
    assert training | validation == every
    assert not {number // 2 for number in training} & {number // 2 for number in validation}
    assert 0.1 < len(validation) / len(every) < 0.3


def test_photographs_alone_are_learnt_from_without_any_other_source() -> None:
    crop = training_window(np.random.default_rng(0), 64)
    # The first source would be called in another process, where no lambda can go.
    outcome = train(lambda *_: crop, Plan(steps=3, crop=64, batch=2, metal_share=1.0), metal=lambda *_: crop)
    assert (outcome.steps, outcome.crops >= 6) == (3, True)


@pytest.mark.parametrize("text", ["", "image,group\na,b\n"])
def test_data_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.csv"):
        photographs(tmp_path)


def test_cracks_are_painted_on_photographs_without_defects(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((200, 200), 90, np.uint8))
        cv2.imwrite(str(tmp_path / f"{number}_mask.png"), np.zeros((200, 200), np.uint8))
    rng = np.random.default_rng(0)
    assert not any(RealMetal([tmp_path])(rng, 128)[1].any() for _ in range(20))
    painted = [crop for crop in (RealMetal([tmp_path], paint_on_metal)(rng, 256) for _ in range(20)) if crop[1].any()]
    assert painted
    for grey, cracks, _ in painted:
        assert float(grey[cracks].mean()) > float(np.median(grey[~cracks]))


def test_floor_is_learnt_where_clean_crops_are_clean_and_goes_into_the_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = FeatureNetwork().state_dict()
    rng = np.random.default_rng(0)
    empty = np.zeros((128, 128), np.bool_)
    clean = [(rng.normal(100, 3, (128, 128)).astype(np.uint8), empty, empty) for _ in range(4)]
    each = [[crop] for crop in clean]
    kinds = [Clean("loose", each, 1.0), Clean("strict", each, 0.01)]
    threshold, rates = learn_threshold(state, kinds, least=-3.5)
    assert rates["strict"][f"{threshold.floor:.2f}"] <= 0.01
    assert list(rates["strict"].values()) == sorted(rates["strict"].values(), reverse=True)
    assert rates["loose"] == rates["strict"]
    assert learn_threshold(state, kinds[:1], least=-3.5)[0].floor == -3.5
    _, together = learn_threshold(state, [Clean("sheets", [clean[:2], clean[2:]], 1.0)], least=-3.5)
    assert set(together["sheets"].values()) <= {0.0, 0.5, 1.0}, "crops of one sheet count once"
    path = write(tmp_path, state, threshold, {"note": "untrained"})
    assert path.stat().st_size < 1_000_000
    Detector.load(Recipe(name="fresh", weights=str(path)), device="cpu").known_answer()


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


def test_figures_count_cracks_that_can_be_judged_and_false_regions() -> None:
    torch.manual_seed(0)
    state = FeatureNetwork().state_dict()
    rng = np.random.default_rng(0)
    image = rng.normal(100, 3, (128, 128)).astype(np.uint8)
    mask, ignored = np.zeros((128, 128), np.bool_), np.zeros((128, 128), np.bool_)
    mask[20:30, 20:60] = True
    mask[100:102, 100:105] = True  # too little of it
    ignored[70:80, 10:50] = True
    crops = [(image, mask, ignored)] * 2
    nothing = evaluate(state, LearntThreshold(50, 1, 0), crops)
    assert nothing == {"crops": 2, "cracks": 2, "recall": 0.0, "precision": 1.0, "false": 0}
    everything = evaluate(state, LearntThreshold(-50, 1, 0), crops)
    assert (everything["recall"], everything["false"]) == (1.0, 0)
