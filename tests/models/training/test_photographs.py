"""Photographs of folders and manifests, and how their files are read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.photographs import labels_of, photographs, read

HEADER = "image,mask_or_label,set,group,class\n"
PIXELS = np.random.default_rng(0).integers(0, 255, (120, 160)).astype(np.uint8)


def pair(folder: Path, *, damaged: str = "") -> None:
    """A photograph with a marked crack; half of the named file is lost."""
    mask = np.zeros(PIXELS.shape, np.uint8)
    mask[50:54] = PIXELS[50:54] | 1
    for name, pixels in (("1.jpg", PIXELS), ("1_mask.png", mask)):
        cv2.imwrite(str(folder / name), pixels)
    (folder / "manifest.csv").write_text(f"{HEADER}1.jpg,1_mask.png,own,1,crack\n")
    if damaged:
        content = (folder / damaged).read_bytes()
        (folder / damaged).write_bytes(content[: len(content) // 2])


def test_a_photograph_is_read_with_its_marks(tmp_path: Path) -> None:
    pair(tmp_path)
    (one,) = photographs(tmp_path)
    image, scratch, other = read(one)
    assert np.abs(image.astype(int) - PIXELS).mean() < 10
    assert (int(scratch.sum()), int(other.sum())) == (4 * 160, 0)


@pytest.mark.parametrize("name", ["1.jpg", "1_mask.png"])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    pair(tmp_path, damaged=name)
    (one,) = photographs(tmp_path)
    with pytest.raises(ValueError, match=f"{name}.*write"):
        read(one)


@pytest.mark.parametrize("name", ["none.png", "empty.png", "a\0b.png"])
def test_a_mask_that_is_none_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match=f"{name}: no mask that can be read"):
        labels_of(tmp_path / name)


def test_values_of_a_mask_are_not_scaled(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), np.array([[0, 1, 3, 900]], np.uint16))
    assert labels_of(tmp_path / "m.png").tolist() == [[0, 1, 3, 900]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ((HEADER + "1.png,,own,1,crack\n").encode("utf-16"), "cannot be read .*write it as UTF-8"),
        ((HEADER + "1.png," + "x" * 200_000 + ",own,1,crack\n").encode(), "cannot be read .*field larger"),
        ((HEADER + "1.png,,own,1,crack\n2.png,\n").encode(), "line 3: the row ends before set, group, class"),
        ((HEADER + "1.png,,xsdd,1,surface scratches\n").encode(), "line 2: set xsdd has no class 'surface scratches'"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(ValueError, match=rf"manifest\.csv.*{said}"):
        photographs(tmp_path)
