"""`linesentry crops` on photographs, which stay whole, and on sheets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from daemon.cli.app import app
from models.training.classifier.examples import read_folder
from models.training.photographs import held_out, photographs


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("named", ["the folder itself", "a folder below"])
def test_photographs_with_groups_are_not_cut_into_crops(data: Path, tmp_path: Path, named: str) -> None:
    below = data / "below"
    below.mkdir(exist_ok=True)
    code, said, complaint = run("crops", tmp_path / "crops", "--data", data if named == "the folder itself" else below)
    assert (code, said) == (2, "")
    assert f"{data / 'manifest.csv'}" in complaint
    assert "train classifier --data" in complaint
    assert not (tmp_path / "crops").exists()


def test_a_folder_of_photographs_that_is_not_there_is_named_as_such(data: Path, tmp_path: Path) -> None:
    code, said, complaint = run("crops", tmp_path / "crops", "--data", data / "typo")
    assert (code, said) == (2, "")
    assert f"{data / 'typo'} is no folder" in complaint


def test_crops_of_sheets_with_masks_are_a_folder_that_the_classifier_reads(tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    sheets.mkdir()
    sheet = np.random.default_rng(3).integers(90, 110, (900, 1200)).astype(np.uint8)
    mask = np.zeros_like(sheet)
    mask[300:310, 400:520] = 255
    sheet[mask > 0] = 160
    for name in "abcde":
        cv2.imwrite(str(sheets / f"{name}.png"), sheet)
        cv2.imwrite(str(sheets / f"{name}_mask.png"), mask)
    code, said, complaint = run("crops", tmp_path / "crops", "--data", sheets, "--each", "12")
    assert (code, complaint) == (0, "")
    assert said.strip() == str(tmp_path / "crops" / "manifest.csv")
    found = read_folder(tmp_path / "crops")
    assert sorted(one.crack for one in found) == [False] * 30 + [True] * 30
    groups = {one.group for one in photographs(sheets)}
    assert {one.group for one in found} == groups, "so that what the detector holds out the classifier does, too"
    assert {held_out(group) for group in groups} == {True, False}
    for one in found:
        assert one.crack == (one.pixels.max() == 160)
        if one.mask is not None:
            assert (one.pixels[one.mask] == 160).all()
    again = run("crops", tmp_path / "crops", "--data", sheets)
    assert again[0] == 2
    assert "not empty" in again[2]


def test_sheets_that_give_fewer_crops_than_asked_and_what_is_not_cut_are_said(tmp_path: Path) -> None:
    sheets = tmp_path / "sheets"
    sheets.mkdir()
    for name in "ab":
        cv2.imwrite(str(sheets / f"{name}.png"), np.full((400, 400), 90, np.uint8))
        cv2.imwrite(str(sheets / f"{name}_mask.png"), np.zeros((400, 400), np.uint8))
    (sheets / "b.png").write_bytes(b"no image")
    code, _, said = run("crops", tmp_path / "crops", "--data", sheets, "--each", "6")
    assert code == 0
    assert "1 sheets gave fewer than 6 crops" in said
    assert "not cut: 1 cannot be read" in said
