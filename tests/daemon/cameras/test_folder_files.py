"""Which files of a folder are sheets, in their natural order, and which are left out with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from daemon.cameras.folder_files import listed


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def images(folder: Path) -> list[str]:
    return [path.name for path in listed(folder).images]


def test_numbers_within_names_count_by_their_value(tmp_path: Path) -> None:
    touch(tmp_path, "b1.png", "a10.png", "a9x2.png", "a9x10.png", "A1.png", "a.png", "a01.png")
    assert images(tmp_path) == ["a.png", "A1.png", "a01.png", "a9x2.png", "a9x10.png", "a10.png", "b1.png"]


def test_whatever_has_the_name_of_an_image_is_a_sheet_even_where_it_cannot_be_read(tmp_path: Path) -> None:
    touch(tmp_path, "1.PNG", "2.tiff", "3.webp", "4.tif.gz", "5.JPEG")
    (tmp_path / "6.png").mkdir()
    (tmp_path / "7.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "8.bmp")
    assert len(images(tmp_path)) == 8
    assert listed(tmp_path).left_out == {}


def test_whatever_has_the_content_of_an_image_is_a_sheet_whatever_its_name(tmp_path: Path) -> None:
    for name in ("sheet", "sheet.000", "sheet.raw"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 4), np.uint8))
    assert images(tmp_path) == ["sheet", "sheet.000", "sheet.raw"]


def test_what_is_left_out_is_named_with_its_reason(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "1_mask.png", "2.tif", "2_MASK.png", ".1.png", "._2.tif", "truth.json", "README")
    (tmp_path / "more").mkdir()
    os.mkfifo(tmp_path / "pipe")
    found = listed(tmp_path)
    assert [path.name for path in found.images] == ["1.png", "2.tif"]
    assert found.left_out == {
        "hidden": [".1.png", "._2.tif"],
        "truth masks of images": ["1_mask.png", "2_MASK.png"],
        "folders": ["more"],
        "no images": ["pipe", "README", "truth.json"],
    }


@pytest.mark.parametrize("name", ["3_mask.png", "a_mask_b.png", "maskless.png"])
def test_a_name_with_mask_is_a_sheet_unless_it_belongs_to_an_image(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "1.png", "3.json", name)
    assert name in images(tmp_path)
