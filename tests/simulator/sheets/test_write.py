"""Written sheets read back as they were rendered, and the same call writes the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from simulator.sheets.order import Interference, MakeSheets
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from simulator.sheets.write import simulate

TINY = Product("tiny", 700, 900)


def test_the_same_call_writes_the_same_bytes(tmp_path: Path) -> None:
    for out in ("one", "two"):
        simulate(
            MakeSheets(tmp_path / out, plates=2, seed=5, density=3, interference=(Interference.OIL,)), product=TINY
        )
        simulate(MakeSheets(tmp_path / out / "tiff", seed=5, density=3, format="tiff"), product=TINY)
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_pictures_masks_and_annotations_agree_with_the_rendered_sheet(tmp_path: Path, suffix: str) -> None:
    progress: list[tuple[int, int, int]] = []
    pictures = simulate(
        MakeSheets(tmp_path, plates=2, seed=7, density=4, format=suffix),  # type: ignore[arg-type]
        product=TINY,
        on_progress=lambda *step: progress.append(step),
    )
    assert [path.name for path in pictures] == [f"tiny_7.{suffix}", f"tiny_8.{suffix}"]
    assert progress[-1] == (1, 700, 700)
    coco = json.loads((tmp_path / "annotations.json").read_text())
    for index, picture in enumerate(pictures):
        sheet = render(TINY, 7 + index, 4)
        image = tifffile.imread(picture) if suffix == "tiff" else cv2.imread(str(picture), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image, sheet.image)
        mask = cv2.imread(str(tmp_path / f"tiny_{7 + index}_mask.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask, sheet.truth.mask())
        entry = coco["images"][index]
        assert (entry["file_name"], entry["width"], entry["height"]) == (picture.name, 900, 700)
        annotations = [each for each in coco["annotations"] if each["image_id"] == entry["id"]]
        assert len(annotations) == len(sheet.truth.cracks) > 0
        for number, annotation in enumerate(annotations, start=1):
            counts = annotation["segmentation"]["counts"]
            runs = np.repeat(np.arange(len(counts)) % 2, counts).reshape(900, 700).T
            np.testing.assert_array_equal(runs == 1, mask == number)
            assert annotation["area"] == np.count_nonzero(runs)
            assert annotation["attributes"]["instance"] == number
    ids = [annotation["id"] for annotation in coco["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


def test_what_cannot_be_simulated_is_refused_with_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown product 'P11': choose from P10B"):
        simulate(MakeSheets(tmp_path, "P11"))
    with pytest.raises(ValueError, match="0 sheets"):
        simulate(MakeSheets(tmp_path, plates=0), product=TINY)
    with pytest.raises(ValueError, match="unknown format 'bmp'"):
        simulate(MakeSheets(tmp_path, format="bmp"), product=TINY)  # type: ignore[arg-type]
