"""What people marked, as trainings and other programs read it, whatever parts and files are called."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from typer.testing import CliRunner, Result

from daemon.cli.app import app
from daemon.lab import progress
from daemon.store.evidence import write_evidence
from daemon.store.marks import add_mark
from daemon.store.pictures import plate_directory
from daemon.store.results import RunFacts, Store, store_path
from models.training.classifier.examples import read_folder
from models.training.photographs import photographs, read
from stages.mark import Mark, MarkKind, Place, Shape
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.plc import Part

RUN = "a" * 32
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
HOSTILE = '=1+1,\n../../<b>"'
ROWS, COLUMNS = 700, 600
CRACK = Defect(200, 300, 60, 40, 240, 0.9, 230, 320, edge=False)
STAIN = Defect(400, 100, 20, 20, 300, 0.7, 410, 110, edge=False)


def sheet() -> NDArray[np.uint8]:
    """Even metal with noise, a crack across a box, a stain, and a second crack that nothing found."""
    image = np.random.default_rng(3).normal(120, 2, (ROWS, COLUMNS)).astype(np.uint8)
    cv2.line(image, (200, 300), (259, 339), 200, 3)
    cv2.circle(image, (410, 110), 9, 200, -1)
    cv2.line(image, (100, 500), (100, 640), 60, 3)
    return image


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plate 1 is a file that is still there and has all marks; of plate 2 crops are left; of plate 3 nothing is."""
    state = tmp_path_factory.mktemp("state")
    (state / "sheets").mkdir()
    cv2.imwrite(str(state / "sheets" / "1.png"), sheet())
    (state / "line.yaml").write_text(f"recipe: general\ncamera: {{source: folder, folder: {state / 'sheets'}}}\n")
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, "general", simulated=False, batch_id=HOSTILE))
        for plate, image in ((1, "1.png"), (2, HOSTILE), (3, "../line.yaml")):
            store.seen(RUN, plate, NOW, image, part=Part(HOSTILE, HOSTILE))
            result = PlateResult(
                RUN, plate, Verdict.NG, (Cause.DEFECT,), "", True, ROWS, COLUMNS, 1, 1, 1.0, defects=(CRACK, STAIN)
            )
            store.commit_verdict(result, decided_at=NOW)
            add_mark(store, Mark(plate, MarkKind.CONFIRMED, HOSTILE, NOW, 1))
            add_mark(store, Mark(plate, MarkKind.FALSE_ALARM, HOSTILE, NOW, 2, why="stain"))
            if plate == 2:
                folder = plate_directory(state, RUN, plate)
                write_evidence(sheet(), result, folder)
                store.set_pictures(plate, folder)
        add_mark(store, Mark(1, MarkKind.MISSED, "Ann", NOW, None, Place(Shape.LINE, 100, 500, 100, 640)))
        add_mark(store, Mark(1, MarkKind.MISSED, "Ann", NOW, None, Place(Shape.BOX, 90, 495, 111, 645)))
    return state


def test_an_export_that_takes_long_says_how_far_it_is(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LONG_S", -1.0)
    assert "linesentry export: plates: plate 3, 33%" in export(state, "crops", tmp_path / "crops").stderr
    assert "linesentry export: plates: plate 3, 33%" in export(state, "csv", tmp_path / "all.csv").stderr


def export(state: Path, *words: str | Path) -> Result:
    where = ["--config", state / "line.yaml", "--state", state]
    return CliRunner().invoke(app, ["export", *map(str, [*words, *where])])


@pytest.fixture(scope="module")
def crops(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "crops"
    answer = export(state, "crops", out)
    assert answer.exit_code == 0
    assert answer.stdout == f"{out / 'manifest.csv'}: 4 with a crack, 2 without\n"
    assert "2 marks have no picture" in answer.stderr
    return out


def test_the_trainings_read_crops_as_they_are(crops: Path) -> None:
    found = photographs(crops)
    assert [(one.cracked, one.marked, one.clean, one.unusable) for one in found].count((True, True, False, None)) == 4
    assert [(one.cracked, one.clean, one.unusable) for one in found].count((False, True, None)) == 2
    assert {one.group for one in found} == {"marks/aaaaaaaa-000001", "marks/aaaaaaaa-000002"}
    assert [one.crack for one in read_folder(crops)].count(True) == 4


def test_the_mask_of_a_crack_is_the_crack_and_not_its_box(crops: Path) -> None:
    masks = {one.image.stem: read(one)[:2] for one in photographs(crops) if one.cracked}
    for name, (image, mask) in masks.items():
        assert mask.any()
        truth = (image > 160) if "defect" in name else (image < 90)
        assert (mask & truth).sum() >= 0.6 * mask.sum(), name
        assert (mask & truth).sum() >= 0.6 * truth.sum() or "plate-000002" in name, name
    # Where the whole sheet is there, and where only its crop is: the same.
    one, other = (masks[f"plate-00000{plate}-defect-001"][1] for plate in (1, 2))
    assert np.array_equal(one, other)


def test_files_are_named_by_numbers_alone(crops: Path) -> None:
    files = sorted(path.relative_to(crops).as_posix() for path in crops.rglob("*") if path.is_file())
    assert len(files) == 4 * 2 + 2 + 1
    assert all(character.isalnum() or character in "-_./" for name in files for character in name)
    with (crops / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert HOSTILE not in str(rows)
    assert sorted(name for row in rows for name in (row["image"], row["mask_or_label"]) if name) == [
        name for name in files if name != "manifest.csv"
    ]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_coco_is_what_coco_reads(state: Path, tmp_path: Path) -> None:
    assert export(state, "coco", tmp_path / "coco").exit_code == 0
    coco = COCO(str(tmp_path / "coco" / "annotations.json"))
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == ["crack"]
    images = coco.loadImgs(coco.getImgIds())
    assert len(images) == 6
    assert sum(not coco.getAnnIds(image["id"]) for image in images) == 2
    assert {image["part_id"] for image in images} == {HOSTILE}
    for one in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs(one["image_id"])[0]
        picture = cv2.imread(str(tmp_path / "coco" / "images" / image["file_name"]), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        assert picture.shape == (image["height"], image["width"])
        x, y, width, height = one["bbox"]
        ys, xs = np.nonzero(coco.annToMask(one))
        assert x <= xs.min() <= xs.max() <= x + width
        assert y <= ys.min() <= ys.max() <= y + height


def test_csv_has_a_line_for_each_defect_with_its_mark(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "defects.csv"
    assert export(state, "csv", out).exit_code == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["mark"] for row in rows if row["plate"] == "1"] == [
        "confirmed",
        "false alarm",
        "missed crack",
        "missed crack",
    ]
    assert {row["part_id"] for row in rows} == {"'=1+1,\\x0a../../<b>\""}
    assert export(state, "csv", out, "--place", "400,100,420,120", "--limit", "1").exit_code == 2  # no such option
    assert export(state, "csv", out, "--since", "2026-05-05").exit_code == 0
    assert len(out.read_text().splitlines()) == 1


def test_a_folder_that_holds_something_is_left_as_it_is(state: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for what in ("crops", "coco"):
        answer = export(state, what, tmp_path)
        assert answer.exit_code == 2
        assert "is not empty" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert export(state, "csv", tmp_path / "none" / "there.csv").exit_code == 1
