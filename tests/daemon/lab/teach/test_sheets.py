"""Which files are sheets of one product, and what is said of those that are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from config.schema import Columns, Recipe
from daemon.lab.teach.sheets import TeachError, sheets_of

RECIPE = Recipe(name="any")


def write(folder: Path, sizes: list[tuple[int, int]]) -> list[Path]:
    """Images of so many rows and columns."""
    paths = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), np.full(size, 100 + number, np.uint8))
        paths.append(path)
    return paths


def test_eight_images_are_sheets_in_their_order(tmp_path: Path) -> None:
    sheets = sheets_of(write(tmp_path, [(400, 500)] * 8), RECIPE)
    assert [sheet.name for sheet in sheets] == [f"{number}.png" for number in range(8)]
    assert {(sheet.rows, sheet.columns) for sheet in sheets} == {(400, 500)}
    assert int(sheets[3].read()[0, 0]) == 103


def test_of_a_whole_camera_row_the_recipes_columns_are_the_sheet(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    wide = np.zeros((360, 16_384), np.uint8)
    wide[:, 1000:1400] = 50
    cv2.imwrite(str(path), wide)
    cut = Recipe(name="cut", columns=Columns(first=1000, last=1400))
    paths = write(tmp_path, [(360, 400)] * 8)
    sheets = sheets_of([*paths[:7], path], cut)
    assert sheets[7].read().shape == (360, 400)
    assert (sheets[7].read() == 50).all()


def test_a_file_that_is_named_twice_is_one_sheet(tmp_path: Path) -> None:
    paths = write(tmp_path, [(400, 500)] * 7)
    with pytest.raises(TeachError, match=r"found 7 different sheets; give 8 to 30"):
        sheets_of([*paths, paths[0]], RECIPE)


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    paths = [*write(tmp_path, [(400, 500)] * 8), *write(tmp_path / "b", [(400, 500)])]
    names = [sheet.name for sheet in sheets_of(paths, RECIPE)]
    assert names[0] == str(paths[0])
    assert names[8] == str(paths[8])
    assert names[1] == "1.png"


def test_every_file_that_cannot_be_used_is_named_with_its_reason(tmp_path: Path) -> None:
    paths = write(tmp_path, [(400, 500)] * 9)
    paths[2].write_bytes(b"no image")
    paths[5].unlink()
    with pytest.raises(TeachError, match=r"(?s)cannot be used.*2\.png: not a .*5\.png: cannot open"):
        sheets_of(paths, RECIPE)


def test_sheets_of_another_size_are_named(tmp_path: Path) -> None:
    sizes = [(400, 500)] * 9
    sizes[4] = (400, 700)
    with pytest.raises(TeachError, match=r"(?s)most sheets are 500 x 400 px.*4\.png: 700 x 400 px"):
        sheets_of(write(tmp_path, sizes), RECIPE)


def test_a_few_rows_more_or_less_are_no_other_size(tmp_path: Path) -> None:
    assert len(sheets_of(write(tmp_path, [(400 + number, 500) for number in range(8)]), RECIPE)) == 8


def test_an_image_of_another_width_than_the_recipes_is_refused(tmp_path: Path) -> None:
    narrow = Recipe(name="narrow", columns=Columns(first=0, last=450))
    with pytest.raises(TeachError, match="500 px wide; a plate of recipe narrow is 450 px wide"):
        sheets_of(write(tmp_path, [(400, 500)] * 8), narrow)


def test_pieces_of_sheets_are_too_small(tmp_path: Path) -> None:
    with pytest.raises(TeachError, match="352 px a side is the least"):
        sheets_of(write(tmp_path, [(224, 224)] * 8), RECIPE)


def test_a_sheet_that_is_damaged_inside_is_named_when_it_is_read(tmp_path: Path) -> None:
    paths = write(tmp_path, [(400, 500)] * 8)
    content = bytearray(paths[0].read_bytes())
    middle = content.index(b"IDAT") + 10
    content[middle : middle + 8] = b"damaged!"
    paths[0].write_bytes(content)
    sheet = sheets_of(paths, RECIPE)[0]
    with pytest.raises(TeachError, match=r"0\.png: "):
        sheet.read()


def test_samples_of_which_nobody_knows_the_bits_are_refused(tmp_path: Path) -> None:
    for number in range(8):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((400, 500), 900, np.uint16))
    paths = sorted(tmp_path.glob("*.png"))
    with pytest.raises(TeachError, match=r"0\.png: .*bits"):
        sheets_of(paths, RECIPE)[0].read()
    assert int(sheets_of(paths, RECIPE, bits=10)[0].read()[0, 0]) == 224
