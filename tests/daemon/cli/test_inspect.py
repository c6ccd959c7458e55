"""`linesentry inspect`: what is said of image files, to people and to programs."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.offline.inspect import failure, to_json
from daemon.store.columns import PLATE_COLUMNS
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from tests.command import linesentry

ORDER = ["cut.png", "good.png", "missing.png", "empty.tif", "small.bmp", "text.jpg", "deep.tif"]
KEYS = {"image", "verdict", "reason", "width", "height", "windows", "coverage", "defects", "seconds"}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return linesentry("inspect", "--device", "cpu", *arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sheet = render(Product("small", rows=700, columns=700), 3, 6).image
    Image.fromarray(sheet).save(tmp_path / "good.png")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "small.bmp")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.jpg").write_text("hello")
    tifffile.imwrite(tmp_path / "deep.tif", sheet.astype(np.uint16) * 16)
    return tmp_path


def test_the_command_writes_one_object_a_line_and_nothing_else(folder: Path) -> None:
    done = run("--json", *[folder / name for name in ORDER])
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [said["image"] for said in objects] == [str(folder / name) for name in ORDER]
    assert all(said.keys() >= KEYS for said in objects)
    assert done.stderr == ""
    assert done.returncode == 1
    assert [said["verdict"] for said in objects if Path(said["image"]).name == "good.png"] == ["NG"]
    assert [said["reason"][:4] for said in objects if Path(said["image"]).name == "small.bmp"] == ["1 x "]


def test_the_command_for_people(folder: Path) -> None:
    done = run(folder / "good.png", folder / "small.bmp", "--pictures", folder / "out")
    assert done.returncode == 0
    assert "NG" in done.stdout
    assert "too small" in done.stdout or "smaller than" in done.stdout
    assert done.stderr == ""


def test_a_folder_ends_with_a_summary_and_has_a_line_of_csv_for_each_image(tmp_path: Path) -> None:
    folder, out = tmp_path / "sheets", tmp_path / "all.csv"
    folder.mkdir()
    for name in ("10.png", "=1+1.png", "2.png"):
        Image.fromarray(np.zeros((1, 1), np.uint8)).save(folder / name)
    (folder / "text.jpg").write_text("hello")
    done = CliRunner().invoke(app, ["inspect", "--device", "cpu", "--csv", str(out), str(folder)])
    assert done.exit_code == 1
    line = done.stdout.splitlines()[-1]
    assert line.startswith("4 images = 0 OK + 0 NG + 4 INCONCLUSIVE; 0 defects, 1 could not be inspected")
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == [column.name for column in PLATE_COLUMNS]
    assert [Path(row["image"]).name for row in rows] == ["2.png", "10.png", "=1+1.png", "text.jpg"]
    assert {(row["verdict"], row["recipe"]) for row in rows} == {("INCONCLUSIVE", "general")}
    assert [row["causes"] for row in rows] == ["too small"] * 3 + ["unreadable"]
    done = CliRunner().invoke(app, ["inspect", "--csv", str(tmp_path), str(folder)])
    assert (done.exit_code, "cannot be written" in done.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "empty")])
    assert (done.exit_code, "holds no images" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--bits", "17"], "equal to 16"),
        (["--pitch", "0,0.1"], "greater than 0"),
        (["--pitch", "inf,0.1"], "greater than 0"),
        (["--pitch", "wide"], "two numbers"),
        (["--recipe", "P10C"], "did you mean P10B"),
        (["--recipe", "none.yaml"], "none.yaml"),
        (["--no-such-option"], "No such option"),
    ],
)
def test_wrong_usage_is_told_on_stderr(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["inspect", "--json", "a.png", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr


def test_no_image_is_wrong_usage() -> None:
    assert CliRunner().invoke(app, ["inspect"]).exit_code == 2


def test_a_reader_that_leaves_ends_the_command_quietly(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "daemon", "inspect", "--json", *[str(folder / "text.jpg")] * 2000],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_a_detector_that_cannot_be_loaded_is_said_of_each_image(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "own.yaml"
    recipe.write_text("name: own\nweights: none.pt\n", encoding="utf-8")
    done = run("--json", "--recipe", recipe, *[folder / "good.png"] * 2)
    assert done.returncode == 1
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(objects) == 2
    assert all("none.pt" in said["reason"] and said["verdict"] == "INCONCLUSIVE" for said in objects)
    assert done.stderr == ""


def test_a_name_that_is_no_text_is_still_said(folder: Path) -> None:
    odd = folder / "odd \udcff.png"
    odd.write_bytes((folder / "good.png").read_bytes())
    done = run(odd, "--pictures", folder / "pictures")
    assert (done.returncode, done.stderr) == (0, "")
    assert "odd \\xff.png" in done.stdout.replace("\n", "")
    assert to_json(failure(odd, "gone"))["image"] == str(folder / "odd \\xff.png")
