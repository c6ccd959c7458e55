"""Photographs of folders and manifests, and how their files are read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.training.classifier.examples import groups_of
from models.training.photographs import held_out, labels_of, photographs, read

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


def test_group_is_held_out_by_its_name_alone() -> None:
    groups = [f"neu_seg/{number}" for number in range(2000)]
    share = np.mean([held_out(group) for group in groups])
    assert 0.25 < share < 0.35
    assert [held_out(group) for group in groups] == [held_out(group) for group in groups]


def test_folder_below_a_manifest_and_folder_of_pairs_are_data_too(tmp_path: Path) -> None:
    (tmp_path / "known" / "a").mkdir(parents=True)
    (tmp_path / "known" / "manifest.csv").write_text(
        "image,mask_or_label,set,group,class\na/one.png,a/one-mask.png,neu_seg,1,3\nb/two.png,,xsdd,2,red iron\n"
    )
    assert [(one.image.name, one.scratched) for one in photographs(tmp_path / "known" / "a")] == [("one.png", True)]
    pairs = tmp_path / "pairs"
    pairs.mkdir()
    mask = np.zeros((30, 40), np.uint8)
    for name in ("clean", "cracked"):
        cv2.imwrite(str(pairs / f"{name}.jpg"), mask + 90)
        cv2.imwrite(str(pairs / f"{name}_mask.png"), mask)
        mask[10:14, 5:30] = 255
    found = {one.image.stem: one for one in photographs(pairs)}
    assert (found["clean"].clean, found["cracked"].scratched) == (True, True)
    assert read(found["cracked"])[1].sum() == 4 * 25


def test_photographs_without_a_group_are_held_out_by_runs_of_their_numbers_as_the_classifiers_are(
    tmp_path: Path,
) -> None:
    rows = [f"xsdd/{number}.jpg,,xsdd,,red iron" for number in range(3000, 3200)]
    rows += [f"mt/{number}.jpg,,mt,tile-{number},MT_Free" for number in range(3)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,mask_or_label,set,group,class", *rows]))
    (tmp_path / "xsdd").mkdir()
    groups = Counter(one.group for one in photographs(tmp_path))
    assert groups == groups_of(tmp_path)
    assert {"mt/tile-0", "mt/tile-1", "mt/tile-2", "xsdd/red iron-3000", "xsdd/red iron-3190"} <= set(groups)
    below = Counter(one.group for one in photographs(tmp_path / "xsdd"))
    assert {group: groups[group] for group in below} == below, "a folder below has the groups of the whole"
    assert 0 < sum(count for group, count in below.items() if held_out(group)) < 200


@pytest.mark.parametrize("text", ["", "image,group\na,b\n"])
def test_data_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    if text:
        (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.csv"):
        photographs(tmp_path)
