"""`linesentry classify --explain`: where the pictures with their maps go."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.offline.classify import answered, load
from tests.classifier_weights import untrained

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(str(path))).integers(80, 120, (64, 64)).astype(np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def explained(weights: Path, folder: Path, *images: Path) -> list[Path]:
    words = ["classify", *map(str, images), "--json", "--explain", str(folder), "--weights", str(weights)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    return [Path(json.loads(line)["explained"]) for line in result.stdout.splitlines()]


def test_a_map_beside_its_picture_leaves_the_picture_as_it_was(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = picture(tmp_path / "x.png").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert explained(weights, Path(), Path("x.png")) == [Path("x-heat.png")]
    assert (tmp_path / "x.png").read_bytes() == before
    found = cv2.imread(str(tmp_path / "x-heat.png"))
    assert found is not None
    assert found.shape == (224, 224, 3)


def test_no_map_is_written_onto_any_input_however_that_is_named(weights: Path, tmp_path: Path) -> None:
    inputs = [picture(tmp_path / name) for name in ("x.png", "x-heat.png", "y.png")]
    (tmp_path / "y-heat.png").symlink_to("x-heat.png")
    before = [path.read_bytes() for path in inputs]
    typed = [tmp_path / "sub" / ".." / path.name for path in inputs]
    (tmp_path / "sub").mkdir()
    written = explained(weights, tmp_path, *typed)
    assert [path.name for path in written] == ["x-2-heat.png", "x-heat-heat.png", "y-2-heat.png"]
    assert [path.read_bytes() for path in inputs] == before


def test_a_link_that_leads_to_itself_leaves_the_other_pictures_their_answers(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    images = [str(tmp_path / "loop.png"), str(picture(tmp_path / "x.png"))]
    result = CliRunner().invoke(app, ["classify", *images, "--json", "--weights", str(weights)])
    assert result.exit_code == 1, result.stderr
    loop, other = map(json.loads, result.stdout.splitlines())
    assert "loop.png" in loop["image"]
    assert "symbolic link" in loop["error"]
    assert 0 <= other["probability"] <= 1


@pytest.mark.parametrize(
    ("pixels", "error"),
    [
        (np.zeros((224, 224), np.uint8), "is black"),
        (np.full((224, 224), 255, np.uint8), "is white"),
        (np.full((224, 224), 100, np.uint8), "of one grey"),
        (np.full((1, 1), 7, np.uint8), "too few"),
    ],
)
def test_a_picture_in_which_nothing_is_seen_is_an_error_and_not_without_a_crack(
    weights: Path, tmp_path: Path, pixels: np.ndarray, error: str
) -> None:
    cv2.imwrite(str(tmp_path / "dead.png"), pixels)
    images = [str(tmp_path / "dead.png"), str(picture(tmp_path / "x.png"))]
    words = ["classify", *images, "--json", "--weights", str(weights), "--explain", str(tmp_path / "maps")]
    result = CliRunner().invoke(app, words)
    dead, other = map(json.loads, result.stdout.splitlines())
    assert (result.exit_code, dead["crack"], dead["probability"], dead["explained"]) == (1, None, None, None)
    assert error in dead["error"]
    assert f"dead.png: {dead['error']}" in result.stderr
    assert other["error"] is None
    assert other["warnings"] == []


def test_what_speaks_against_an_answer_is_said_with_it(weights: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(80, 120, (40, 1200)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "long.png"), pixels)
    result = CliRunner().invoke(app, ["classify", str(tmp_path / "long.png"), "--json", "--weights", str(weights)])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["error"]) == (0, None)
    assert 0 <= answer["probability"] <= 1
    assert ["reduced 5.4 times" in answer["warnings"][0], "enlarged 5.6 times" in answer["warnings"][1]] == [True] * 2
    assert result.stderr.count("long.png: 1200 x 40 px are") == 2


def test_pictures_of_one_stem_have_maps_of_their_own(weights: Path, tmp_path: Path) -> None:
    images = [picture(tmp_path / name) for name in ("a/1.png", "b/1.png", "1-2.png", "1.bmp")]
    written = explained(weights, tmp_path / "maps", *images)
    assert [path.name for path in written] == ["1-heat.png", "1-2-heat.png", "1-2-2-heat.png", "1-3-heat.png"]
    assert all(path.is_file() for path in written)


def test_a_second_run_renews_its_maps(weights: Path, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    assert explained(weights, tmp_path, image) == explained(weights, tmp_path, image) == [tmp_path / "x-heat.png"]


def test_a_crop_of_unknown_depth_has_no_answer_until_its_bits_are_said(weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pixels = np.random.default_rng(1).integers(80, 256, (64, 64)).astype(np.uint16) * 4
    assert cv2.imwrite(str(path), pixels)
    words = ["classify", str(path), "--json", "--weights", str(weights)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert json.loads(result.stdout)["crack"] is None
    assert "they may have 10 bits of 16" in result.stderr
    assert CliRunner().invoke(app, [*words, "--bits", "10"]).exit_code == 0


def test_a_name_that_no_file_can_have_leaves_the_other_pictures_their_answers(weights: Path, tmp_path: Path) -> None:
    good = picture(tmp_path / "good.png")
    (tmp_path / "maps").mkdir()
    bad, fine = answered(load(weights, "cpu"), [Path("a\0b"), good], tmp_path / "maps")
    assert bad.error is not None
    assert "null" in bad.error
    assert fine.error is None
