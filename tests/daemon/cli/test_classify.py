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


def test_pictures_of_one_stem_have_maps_of_their_own(weights: Path, tmp_path: Path) -> None:
    images = [picture(tmp_path / name) for name in ("a/1.png", "b/1.png", "1-2.png", "1.bmp")]
    written = explained(weights, tmp_path / "maps", *images)
    assert [path.name for path in written] == ["1-heat.png", "1-2-heat.png", "1-2-2-heat.png", "1-3-heat.png"]
    assert all(path.is_file() for path in written)


def test_a_second_run_renews_its_maps(weights: Path, tmp_path: Path) -> None:
    image = picture(tmp_path / "x.png")
    assert explained(weights, tmp_path, image) == explained(weights, tmp_path, image) == [tmp_path / "x-heat.png"]
