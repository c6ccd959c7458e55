from __future__ import annotations

import csv
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from models.classifier.preprocess import resized
from models.images import open_image
from models.training.classifier.examples import DataError, groups_of, read_folder
from models.training.photographs import held_out

GREY = np.full((40, 60), 90, np.uint8)


def picture(path: Path, pixels: np.ndarray = GREY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


def manifest(folder: Path, rows: Sequence[tuple[str, str, str, str, str]], *, write: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "mask_or_label", "set", "group", "class"), *rows])
    if write:
        for image, *_ in rows:
            picture(folder / image)


def test_folders_crack_and_without_crack_are_read_each_picture_a_group(tmp_path: Path) -> None:
    picture(tmp_path / "crack" / "1.png")
    picture(tmp_path / "crack" / "1_mask.png", np.pad(np.full((4, 60), 255, np.uint8), ((18, 18), (0, 0))))
    picture(tmp_path / "without_crack" / "deep" / "2.jpg")
    found = read_folder(tmp_path)
    assert [(one.crack, one.pixels.shape) for one in found] == [(True, (224, 224)), (False, (224, 224))]
    assert len({one.group for one in found}) == 2
    mask = found[0].mask
    assert mask is not None
    assert mask.any()
    assert mask.mean() == pytest.approx(0.1, abs=0.03)


def test_groups_of_a_folder_are_the_same_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    for number in range(3):
        picture(data / "crack" / f"{number}.png")
        picture(data / "without_crack" / f"{number}.png")
    named = groups_of(data)
    assert min(named) == "data/crack/0"
    monkeypatch.chdir(data)
    for typed in (Path(), Path("../data"), Path("crack/..")):
        assert groups_of(typed) == named
        assert {one.source for one in read_folder(typed)} == {"data/crack", "data/without_crack"}


def test_scratches_of_known_sets_stand_in_for_cracks(tmp_path: Path) -> None:
    rows = [
        ("1.png", "", "neu_seg", "1", "3"),
        ("2.png", "", "neu_seg", "2", "1"),
        ("3.png", "", "mt", "MT_Crack-1", "MT_Crack"),
        ("4.png", "", "mt", "MT_Free-1", "MT_Free"),
        ("5.png", "", "xsdd", "5", "surface scratch"),
        ("6.png", "", "xsdd", "6", "finishing roll printing"),
        ("7.png", "", "own", "7", "crack"),
        ("8.png", "", "own", "8", "without_crack"),
    ]
    manifest(tmp_path, rows)
    assert [one.crack for one in read_folder(tmp_path)] == [True, False] * 4


def test_a_class_that_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    manifest(tmp_path, [("1.png", "", "own", "1", "rust")])
    with pytest.raises(DataError, match=r"'rust' of set 'own'.*without_crack"):
        read_folder(tmp_path)


@pytest.mark.parametrize("what", ["nothing", "one class", "no picture", "text for a picture", "mask of another size"])
def test_data_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path, what: str) -> None:
    if what == "one class":
        picture(tmp_path / "crack" / "1.png")
    elif what == "no picture":
        manifest(tmp_path, [("1.png", "", "own", "1", "crack")], write=False)
    elif what == "text for a picture":
        manifest(tmp_path, [("1.png", "", "own", "1", "crack")])
        (tmp_path / "1.png").write_text("no picture")
    elif what == "mask of another size":
        manifest(tmp_path, [("1.png", "m.png", "own", "1", "crack")])
        picture(tmp_path / "m.png", GREY[:10])
    with pytest.raises(DataError, match=r": (name|write)|is no mask|needs|check the path|convert it"):
        read_folder(tmp_path)


def truncated(path: Path) -> None:
    picture(path, np.random.default_rng(0).integers(0, 255, (200, 300)).astype(np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def claiming(path: Path) -> None:
    """A PNG whose header says that it is huge."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + bytes(40)
    )


@pytest.mark.parametrize(
    ("name", "write"), [("1.jpg", truncated), ("1.png", truncated), ("1.bmp", truncated), ("1.png", claiming)]
)
@pytest.mark.parametrize("place", ["picture", "mask"])
def test_a_damaged_picture_or_mask_is_never_learnt_from(
    tmp_path: Path, name: str, write: Callable[[Path], None], place: str
) -> None:
    picture(tmp_path / "crack" / "0.png", np.full((200, 300), 90, np.uint8))
    picture(tmp_path / "without_crack" / "2.png")
    damaged = tmp_path / "crack" / (name if place == "picture" else "0_mask.png")
    write(damaged)
    with pytest.raises(DataError, match=re.escape(f"{damaged}")):
        read_folder(tmp_path)


def test_pictures_are_seen_as_classify_sees_them(tmp_path: Path) -> None:
    """Colours, depths, and pixels as they are stored, whatever a camera says of how it was held."""
    rng = np.random.default_rng(1)
    deep = rng.integers(0, 65535, (50, 70)).astype(np.uint16)
    pixels = rng.integers(0, 255, (50, 70, 3)).astype(np.uint8)
    picture(tmp_path / "crack" / "deep.png", deep)
    picture(tmp_path / "crack" / "colour.png", pixels)
    picture(tmp_path / "crack" / "lossy.jpg", pixels)
    picture(tmp_path / "without_crack" / "clear.png", np.dstack([pixels, pixels[:, :, 0]]))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    PIL.Image.fromarray(pixels).save(tmp_path / "crack" / "turned.jpg", exif=exif)
    mask = np.zeros((50, 70), np.uint8)
    mask[:, 30:36] = 255
    picture(tmp_path / "crack" / "turned_mask.png", mask)
    found = {one.name: one for one in read_folder(tmp_path)}
    paths = [path for path in tmp_path.rglob("*.*") if not path.stem.endswith("_mask")]
    assert len(paths) == 5
    for path in paths:
        with open_image(path) as image:
            seen = resized(image.rows(0, image.height))
        one = next(
            one for one in found.values() if one.group.endswith(f"/{path.relative_to(tmp_path).with_suffix('')}")
        )
        assert np.array_equal(one.pixels, seen)
    turned = found[f"{tmp_path.name}/turned"].mask
    assert turned is not None
    assert turned[:, 112].all()


def test_a_row_that_ends_early_is_named(tmp_path: Path) -> None:
    manifest(tmp_path, [("1.png", "", "own", "1", "crack")])
    with (tmp_path / "manifest.csv").open("a") as file:
        file.write("2.png,,own\n")
    with pytest.raises(DataError, match=r"manifest\.csv, line 3: the row ends before group, class"):
        groups_of(tmp_path)


@pytest.mark.parametrize(
    ("collection", "kind"), [("xsdd", "surface scratches"), ("mt", "MT_crack"), ("neu_seg", "scratch")]
)
def test_a_misspelt_class_of_a_public_set_is_no_picture_without_a_crack(
    tmp_path: Path, collection: str, kind: str
) -> None:
    manifest(tmp_path, [("1.png", "", "own", "1", "crack"), ("2.png", "", collection, "2", kind)])
    with pytest.raises(DataError, match=f"line 3: set {collection} has no class '{kind}': write one of"):
        read_folder(tmp_path)


@pytest.mark.parametrize("kind", ["crack", "without_crack"])
def test_any_class_may_be_said_plainly_of_a_public_set(tmp_path: Path, kind: str) -> None:
    manifest(tmp_path, [("1.png", "", "mt", "1", kind)])
    assert [one.crack for one in read_folder(tmp_path)] == [kind == "crack"]


def test_pictures_of_unwanted_groups_are_not_read(tmp_path: Path) -> None:
    manifest(tmp_path, [("1.png", "", "own", "1", "crack"), ("2.png", "", "own", "2", "without_crack")])
    (tmp_path / "2.png").write_text("no picture")
    assert [one.group for one in read_folder(tmp_path, lambda group: group == "own/1")] == ["own/1"]
    assert groups_of(tmp_path) == {"own/1": 1, "own/2": 1}
    with pytest.raises(DataError, match="no picture that was asked for"):
        read_folder(tmp_path, lambda _group: False)


def test_photographs_without_a_group_are_grouped_by_runs_of_their_numbers(tmp_path: Path) -> None:
    strip = [(f"s/{number}.png", "", "xsdd", "", "red iron") for number in range(2001, 2024)]
    tiles = [(f"t/exp{e}_num_{n + 70 * e}.png", "", "mt", "", "MT_Uneven") for n in (1000, 9000) for e in range(6)]
    tiles[0] = ("t/exp1_num_700.png", "", "mt", "", "MT_Uneven")  # long before the next exposure of its tile
    manifest(tmp_path, [*reversed(strip), *tiles], write=False)
    found = groups_of(tmp_path)
    assert sorted(found.values()) == [3, 6, 6, 10, 10]
    assert {"mt/MT_Uneven-700", "mt/MT_Uneven-9000", "xsdd/red iron-2001"} <= set(found)


def test_test_groups_are_told_by_their_hash_alone(tmp_path: Path) -> None:
    manifest(tmp_path, [(f"{n}.png", "", "own", str(n), ("crack", "without_crack")[n % 2]) for n in range(40)])
    found = {one.group: one.test for one in read_folder(tmp_path)}
    assert found == {group: held_out(group) for group in found}
    assert 4 < sum(found.values()) < 22
