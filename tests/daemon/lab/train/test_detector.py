"""`linesentry train detector` from the first crop to weights that a detector loads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rich.progress import Progress
from typer.testing import CliRunner

from config.load import load_recipe
from config.schema import Recipe
from daemon.cli.app import app
from daemon.lab.orders import TrainDetector as Order
from daemon.lab.train import detector as train
from daemon.store.state import code_sha256
from models.detector.detector import Detector, DetectorError
from models.detector.features import FeatureNetwork
from models.study.unet import UNET
from models.training.detector.metal import RealMetal

torch.set_num_threads(1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops, windows and counts that a test can afford."""
    for name, value in {
        "_CROP": 64,
        "_BATCH": 4,
        "_SEEN": 130,
        "_LEAST_CROPS": 2,
        "_MOST_CROPS": 2,
        "_VALIDATION": 2,
    }.items():
        monkeypatch.setattr(train, name, value)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of pictures of metal with masks, every second with a crack."""
    folder = tmp_path / "own"
    folder.mkdir()
    for number in range(16):
        image = np.random.default_rng(number).normal(100, 4, (120, 120)).astype(np.uint8)
        mask = np.zeros((120, 120), np.uint8)
        if number % 2:
            cv2.line(mask, (20, 30), (90, 100), 255, 8)
        cv2.imwrite(str(folder / f"{number}.png"), image + (mask > 0) * np.uint8(60))
        cv2.imwrite(str(folder / f"{number}_mask.png"), mask)
    return folder


@pytest.mark.usefixtures("small")
def test_training_writes_weights_that_a_detector_loads(tmp_path: Path) -> None:
    words = ["train", "detector", "--out", str(tmp_path / "a"), "--minutes", "0.03", "--seed", "3"]
    result = CliRunner().invoke(app, words)
    weights = tmp_path / "a" / "detector-half.pt"
    assert (result.exit_code, result.stdout) == (0, f"{weights}\n")
    Detector.load(Recipe(name="made", weights=str(weights)), device="cpu").known_answer()
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["schedule"]["steps"] > 0
    assert card["seeds"] == [3]
    assert all(0 <= figures["recall"] <= 1 for figures in card["figures"].values())
    assert (tmp_path / "a" / "detector-half.ckpt").is_file()


@pytest.mark.long
@pytest.mark.usefixtures("small")
def test_the_card_says_what_was_started_from_trained_on_and_with_which_code(
    tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["linesentry", "train", "detector", "--seed", "1"])
    start = tmp_path / "start.pt"
    torch.save(FeatureNetwork().state_dict(), start)
    train.train_detector_command(Order(tmp_path, (photographs,), minutes=0.02, seed=1, resume=start))
    card = json.loads((tmp_path / "detector-half.json").read_text())
    assert card["started_from"] == [{"name": "start.pt", "sha256": hashlib.sha256(start.read_bytes()).hexdigest()}]
    assert card["trained_on"]["photographs_sha256"] == RealMetal([photographs]).fingerprint()
    assert card["code_sha256"] == code_sha256()
    assert card["command"] == "linesentry train detector --seed 1"


@pytest.mark.usefixtures("small")
def test_photographs_alone_make_weights_and_their_figures(
    tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "a.png"), np.full((120, 120), 90, np.uint8))
    (tmp_path / "more" / "manifest.csv").write_text("image,mask_or_label,set,group,class\na.png,,plant,1,rust\n")
    train.train_detector_command(Order(tmp_path, (photographs, tmp_path / "more"), metal_share=1.0, minutes=0.02))
    card = json.loads((tmp_path / "detector-half.json").read_text())
    assert (card["trained_on"]["simulated"], card["trained_on"]["metal_share"]) == (None, 1.0)
    assert set(card["figures"]) == set(card["false_alarms_by_floor"]) == {"photographs"}
    assert "1 of plant/rust" in capsys.readouterr().err


def test_photographs_alone_need_photographs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        train.train_detector_command(Order(tmp_path, metal_share=1.0))
    assert ended.value.code == 2
    assert "--data FOLDER" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.usefixtures("small")
def test_a_unet_is_trained_by_the_same_command_and_has_a_name_of_its_own(tmp_path: Path) -> None:
    words = ["train", "detector", "--network", "unet", "--out", str(tmp_path), "--minutes", "0.03"]
    result = CliRunner().invoke(app, words)
    weights = tmp_path / "unet-half.pt"
    assert (result.exit_code, result.stdout) == (0, f"{weights}\n")
    recipe = Recipe(name="made", weights=str(weights))
    Detector.load(recipe, device="cpu", architecture=UNET).known_answer()
    with pytest.raises(DetectorError, match="of a network `unet`"):
        Detector.load(recipe, device="cpu")
    assert {path.name for path in tmp_path.iterdir()} == {"unet-half.pt", "unet-half.json", "unet-half.ckpt"}


@pytest.mark.long
@pytest.mark.usefixtures("small")
def test_the_published_form_is_trained_at_full_resolution_on_patches(tmp_path: Path) -> None:
    order = Order(tmp_path, minutes=0.03, preset="paper", resolution="full")
    train.train_detector_command(order)
    weights = tmp_path / "detector-full.pt"
    Detector.load(Recipe(name="made", weights=str(weights), resolution="full"), device="cpu").known_answer()
    assert json.loads(weights.with_suffix(".json").read_text())["schedule"]["preset"] == "paper"
    # Gone on with after its end it learns nothing more, and its card is still one that any reader takes.
    train.train_detector_command(replace(order, minutes=0.01, resume=order.checkpoint))
    card = json.loads(weights.with_suffix(".json").read_text(), parse_constant=pytest.fail)
    assert card["schedule"]["loss"] is None


@pytest.mark.long
@pytest.mark.usefixtures("small")
def test_a_network_is_trained_for_a_recipes_own_templates(tmp_path: Path) -> None:
    recipe = tmp_path / "two.yaml"
    recipe.write_text(
        "name: two\npolarity: dark\nweights: detector-half.pt\n"
        "templates: [{width: 18, height: 20, step: 5}, {width: 9, height: 12, step: 2}]\n"
    )
    train.train_detector_command(Order(tmp_path, minutes=0.02, recipe=str(recipe)))
    Detector.load(load_recipe(recipe), device="cpu").known_answer()


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ("nobody", "no such recipe"),
        ("resolution: full\n", "add --resolution full"),
        ("templates: [{width: 30, height: 20, step: 5}]\n", "at most 22 px"),
    ],
)
@pytest.mark.usefixtures("small")
def test_a_recipe_that_no_network_can_be_made_of_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str, told: str
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: own\n" + recipe)
    with pytest.raises(SystemExit) as ended:
        train.train_detector_command(Order(tmp_path, recipe=str(path) if ":" in recipe else recipe))
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("small")
def test_an_interrupted_training_keeps_its_checkpoint_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient(Progress):
        def update(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr("daemon.lab.progress.Progress", Impatient)
    with pytest.raises(SystemExit) as ended:
        train.train_detector_command(Order(tmp_path, minutes=1))
    assert ended.value.code == 130
    checkpoint = tmp_path / "detector-half.ckpt"
    assert f"--resume {checkpoint}" in capsys.readouterr().err
    assert torch.load(checkpoint, weights_only=True)["step"] > 0


def test_data_without_a_manifest_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        train.train_detector_command(Order(tmp_path, (tmp_path,), minutes=1))
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "manifest.csv" in said.err
