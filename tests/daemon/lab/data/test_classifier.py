"""Cracks painted on photographs, to learn from."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from daemon.lab.data import classifier as classifier_data
from daemon.lab.data.classifier import PAINTED, Judged, training_examples
from daemon.lab.data.hard_negatives import HARD_NEGATIVE, hard_negatives
from daemon.lab.orders import EvaluateClassifier
from models.training.classifier.examples import Example
from models.training.photographs import held_out
from simulator.crops.classifier import TEST_PRODUCTS
from simulator.crops.cut import TRAINING_PRODUCTS
from simulator.sheets.products import PRODUCTS

torch.set_num_threads(1)

CHECKED = (np.indices((224, 224)).sum(0) // 8 % 2 * 255).astype(np.uint8)
"""Metal on which no crack can be told."""
PLAIN = np.random.default_rng(0).normal(120, 5, (224, 224)).clip(0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def _without_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take the most time of all, and have tests of their own."""
    monkeypatch.setattr(classifier_data, "_ALARM_SHARE", 0.0)


def painted(folder: Path, *grounds: np.ndarray) -> list[Example]:
    """Of photographs with these grounds, what is painted for a training with 20 simulated crops."""
    for kind in ("crack", "without_crack"):
        (folder / kind).mkdir(parents=True)
    cv2.imwrite(str(folder / "crack" / "0.png"), PLAIN)
    learnt = [number for number in range(40) if not held_out(f"{folder.name}/without_crack/{number}")]
    for number, ground in zip(learnt, grounds, strict=False):
        cv2.imwrite(str(folder / "without_crack" / f"{number}.png"), ground)
    return [one for one in training_examples((folder,), 20, 0, lambda *_: None) if one.kind == PAINTED]


def test_metal_too_rough_for_cracks_ends_in_fewer_of_them_and_a_line_that_says_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert painted(tmp_path / "rough", CHECKED) == []
    said = capsys.readouterr().err
    assert said == ("linesentry: cracks were painted on 0 photographs instead of 3: the metal is too rough for more\n")


@pytest.mark.long
def test_rough_metal_among_plain_takes_no_crack_from_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(painted(tmp_path / "mixed", CHECKED, PLAIN)) == 3
    assert capsys.readouterr().err == ""


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


@pytest.mark.long
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
    found = classifier_data.test_examples((data,), 6, lambda *_: None, Judged())[0]
    assert {one.collection for one in found} <= {"own", *TEST_PRODUCTS}
    assert all(one.test for one in found)
    every = classifier_data.test_examples((data,), 0, lambda *_: None, Judged(left_out=("own",)))[0]
    assert len(every) == 24


@pytest.mark.long
def test_hard_negatives_to_test_on_are_few_a_sheet_so_that_they_are_of_many_sheets_and_those_to_train_on_many() -> None:
    def of_sheets(found: list[Example]) -> list[int]:
        return list(Counter(one.group for one in found if one.kind == HARD_NEGATIVE).values())

    assert of_sheets(classifier_data.test_examples((), 40, lambda *_: None, Judged())[0]) == [3, 1]
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
    assert len(classifier_data.test_examples((data,), 0, lambda *_: None, Judged())[0]) == 24


def test_a_threshold_is_chosen_by_photographs_and_sheets_alone(data: Path) -> None:
    found = classifier_data.training_examples((data,), 40, 0, lambda *_: None)
    met = classifier_data.calibration_examples(found)
    left = [one for one in found if one not in met]
    assert {one.collection for one in met} <= {"own", *TRAINING_PRODUCTS}
    assert not any(one.kind == classifier_data.PAINTED for one in met)
    assert all(one.kind == classifier_data.PAINTED or one.collection not in PRODUCTS for one in left)
    cracked = [one for one in met if one.crack]
    assert classifier_data.calibration_examples([*cracked, *left]) == (*cracked, *left)


def test_what_is_not_learnt_from_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(data / "1.png", data / "stray.png")
    examples = classifier_data.training_examples((data,), 0, 0, lambda *_: None)
    classifier_data.say_what_is_not_learnt((data,), examples)
    said = capsys.readouterr().err
    assert f"1 pictures in {data} are passed over, stray.png the first" in said
    assert f"{sum(one.test for one in examples)} of 24 photographs are of groups that are kept for tests" in said
