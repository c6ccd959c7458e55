"""Where pictures with their truth come from."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.data.folders import Choice, folder
from daemon.lab.data.marks import instances, marks_of, noise_beside
from daemon.lab.data.pictures import SourceError, simulated
from models.training.learnt_groups import LearntGroups
from models.training.photographs import group_key, held_out
from models.training.photographs import photographs as in_training
from simulator.sheets.order import Interference, MakeSheets
from simulator.sheets.products import PRODUCTS
from simulator.sheets.write import simulate

PRODUCT = replace(PRODUCTS["02CG"], rows=900, columns=700)
RECIPE = Recipe(name="any")
HELD = next(str(number) for number in range(100) if held_out(f"neu_seg/{number}"))
KNOWN = next(str(number) for number in range(100) if not held_out(f"neu_seg/{number}"))


def write(path: Path, image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def lined(value: int = 140, size: int = 100) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A grey picture with one line of 4 x 60 px, and its mask."""
    image, mask = np.full((size, size), 100, np.uint8), np.zeros((size, size), np.uint8)
    image[20:80, 30:34], mask[20:80, 30:34] = value, 3
    return image, mask


def test_a_simulated_folder_gives_what_the_simulator_gave(tmp_path: Path) -> None:
    order = MakeSheets(
        tmp_path, plates=2, seed=5, density=4, interference=(Interference.OIL,), strength=2.0, format="tiff"
    )
    simulate(order, product=PRODUCT)
    read = list(folder(tmp_path).pictures(RECIPE))
    made = list(simulated(PRODUCT, 2, seed=5, density=4, interference=["oil"], strength=2.0).pictures(RECIPE))
    assert folder(tmp_path).product == "02CG"
    assert [(one.group, one.kind, one.interference, one.mm2) for one in read] == [
        (one.group, one.kind, one.interference, one.mm2) for one in made
    ]
    assert {one.interference for one in read} == {"oil x 2"}
    for from_file, rendered in zip(read, made, strict=True):
        assert np.array_equal(from_file.image, rendered.image)
        assert len(from_file.truth) == len(rendered.truth) > 0
        for a, b in zip(from_file.truth, rendered.truth, strict=True):
            assert (a.box, a.cluster) == (b.box, b.cluster)
            assert a.pixels is not None
            assert b.pixels is not None
            assert np.array_equal(a.pixels, b.pixels)
            assert [a.width_px, a.height_grey, a.length_mm, a.visible, a.contrast_to_noise] == pytest.approx(
                [b.width_px, b.height_grey, b.length_mm, b.visible, b.contrast_to_noise], rel=1e-2
            )


def test_a_sheet_of_another_size_than_its_annotations_is_refused(tmp_path: Path) -> None:
    (picture,) = simulate(MakeSheets(tmp_path, seed=5, density=4), product=PRODUCT)
    write(picture, lined()[0])
    with pytest.raises(SourceError, match=r"02CG_5.png is \(100, 100\), annotations.json says \(900, 700\)"):
        list(folder(tmp_path).pictures(RECIPE))


def test_each_interference_makes_the_same_cracks_anew() -> None:
    source = simulated(PRODUCT, 1, density=3, interference=["none", "light+noise"])
    plain, disturbed = source.pictures(RECIPE)
    assert source.count == 2
    assert plain.group == disturbed.group == "02CG/9201"
    assert [one.box for one in plain.truth] == [one.box for one in disturbed.truth]
    assert not np.array_equal(plain.image, disturbed.image)


def test_more_plates_than_test_seeds_go_on_after_the_last() -> None:
    small = replace(PRODUCT, rows=300, columns=300)
    names = [one.name for one in simulated(small, 8, density=0).pictures(RECIPE)]
    assert names == [f"02CG/{seed}" for seed in range(9201, 9209)]


def test_an_unknown_interference_is_refused() -> None:
    with pytest.raises(SourceError, match=r"unknown interference 'fog': choose from none, oil"):
        simulated(PRODUCT, 1, interference=["oil+fog"])


def manifest(path: Path, rows: list[tuple[str, str, str, str, str]]) -> None:
    with (path / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "mask_or_label", "set", "group", "class"), *rows])


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A held-out and a known scratch, a clean tile and a dark crack."""
    image, mask = lined()
    for name in ("held", "known"):
        write(tmp_path / f"{name}.png", image)
        write(tmp_path / f"{name}_label.png", mask)
    dark, crack = lined(60)
    write(tmp_path / "dark.png", dark)
    write(tmp_path / "dark_label.png", crack * 85)
    group = next(str(number) for number in range(100) if held_out(f"mt/{number}"))
    manifest(
        tmp_path,
        [
            ("held.png", "held_label.png", "neu_seg", HELD, "3"),
            ("known.png", "known_label.png", "neu_seg", KNOWN, "3"),
            ("known.png", "", "mt", group, "MT_Free"),
            ("dark.png", "dark_label.png", "mt", group, "MT_Crack"),
        ],
    )
    return tmp_path


EVERY = Choice(all_groups=True)


def test_photographs_are_of_held_out_groups_and_of_every_polarity(photographs: Path) -> None:
    def names(choice: Choice, polarity: str = "bright") -> list[tuple[str, int]]:
        recipe = Recipe(name="any", polarity=polarity)
        return [(one.kind, len(one.truth)) for one in folder(photographs, choice).pictures(recipe)]

    scratch, crack, free = ("neu_seg/3", 1), ("mt/MT_Crack", 1), ("mt/MT_Free", 0)
    assert names(Choice()) == names(Choice(), "dark") == [scratch, free, crack]
    assert names(EVERY) == [scratch, scratch, free, crack]


def test_every_picture_is_judged_or_counted_with_its_reason(photographs: Path) -> None:
    image, mask = lined()
    write(photographs / "small_label.png", mask[:50])
    write(photographs / "empty_label.png", np.zeros_like(mask))
    write(photographs / "stray.png", image)
    (photographs / "torn.png").write_bytes(b"no image")
    with (photographs / "manifest.csv").open("a", newline="") as file:
        csv.writer(file).writerows(
            [
                ("held.png", "", "own", "1", "crack"),
                ("held.png", "", "own", "2", "rust"),
                ("torn.png", "", "own", "3", "without_crack"),
                ("held.png", "small_label.png", "own", "4", "crack"),
                ("held.png", "empty_label.png", "own", "5", "crack"),
            ]
        )
    source = folder(photographs, EVERY)
    judged = list(source.pictures(RECIPE))
    counted = {one["reason"].split(":")[0]: one["pictures"] for one in source.passed.values()}
    assert counted == {
        "cracked, but no mask says where": 1,
        "class rust of set own is neither a crack nor known to be free of any": 1,
        "cracked, but its mask marks nothing, or slips under 4 px": 1,
        "not named by manifest.csv": 1,
        "picture or mask cannot be read, or they differ in size": 2,
    }
    assert len(judged) == 4
    left = folder(photographs, Choice(learnt=LearntGroups(frozenset({group_key(f"neu_seg/{KNOWN}")}))))
    assert {one.kind for one in left.pictures(RECIPE)} == {"neu_seg/3", "mt/MT_Free", "mt/MT_Crack"}
    assert sum(one["pictures"] for one in left.passed.values() if "learnt from" in one["reason"]) == 1


def test_a_set_of_which_the_weights_learnt_nothing_is_judged_whole(photographs: Path) -> None:
    unseen = folder(photographs, Choice(learnt=LearntGroups(frozenset({group_key("elsewhere/1")}))))
    assert len(list(unseen.pictures(RECIPE))) == 4
    assert len(unseen.passed) == 0


@pytest.mark.parametrize(("grey", "polarity"), [(60, "dark"), (140, "bright")])
def test_polarity_of_a_set_of_ones_own_is_measured(tmp_path: Path, grey: int, polarity: str) -> None:
    image, mask = lined(grey)
    for number in range(5):
        write(tmp_path / f"{number}.png", image)
        write(tmp_path / f"{number}_label.png", mask)
    manifest(tmp_path, [(f"{number}.png", f"{number}_label.png", "own", str(number), "crack") for number in range(5)])
    known = folder(tmp_path, EVERY).polarities["own"]
    assert known.polarity == polarity
    assert "on 5 of 5" in known.because or "on 0 of 5" in known.because
    assert folder(tmp_path, replace(EVERY, polarity="both")).polarities["own"].polarity == "both"
    (first, *_) = folder(tmp_path, EVERY).pictures(RECIPE)
    assert first.truth[0].height_grey == 40, "whatever the recipe looks for"


def test_polarity_of_a_set_may_be_told_by_its_manifest(photographs: Path) -> None:
    text = (photographs / "manifest.csv").read_text().splitlines()
    told = [f"{line},{value}" for line, value in zip(text, ("polarity", "dark", "dark", "", ""), strict=True)]
    (photographs / "manifest.csv").write_text("\n".join(told))
    known = folder(photographs, EVERY).polarities
    assert {name: (one.polarity, one.because) for name, one in known.items()} == {
        "neu_seg": ("dark", "told by the manifest"),
        "mt": ("dark", "a public set"),
    }
    (photographs / "manifest.csv").write_text("\n".join(told).replace(",dark", ",black"))
    with pytest.raises(SourceError, match=r"line 2: polarity is 'black': write bright, dark, both or nothing"):
        folder(photographs)


def test_a_folder_named_from_where_one_stands_is_the_same_folder(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [one.name for one in folder(photographs).pictures(Recipe(name="general"))]
    monkeypatch.chdir(photographs.parent)
    assert [one.name for one in folder(Path(photographs.name)).pictures(Recipe(name="general"))] == whole


@pytest.mark.parametrize("below", ["", "one", "one/two"])
def test_a_folder_below_a_manifest_is_a_part_of_it(tmp_path: Path, below: str) -> None:
    image, mask = lined()
    names = ["held.png", "one/held.png", "one/two/held.png"]
    for name in names:
        write(tmp_path / name, image)
    write(tmp_path / "labels" / "held.png", mask)
    manifest(tmp_path, [(name, "labels/held.png", "neu_seg", HELD, "3") for name in names])
    found = [(tmp_path / below / one.name).resolve() for one in folder(tmp_path / below).pictures(RECIPE)]
    assert found == [one.image for one in in_training(tmp_path / below)]
    assert len(found) == 3 - len(Path(below).parts)


def test_a_folder_of_which_a_manifest_above_says_nothing_is_refused(photographs: Path) -> None:
    (photographs / "unheard").mkdir()
    with pytest.raises(SourceError, match=r"manifest\.csv names 0 images in .*unheard"):
        folder(photographs / "unheard")


def test_photographs_are_brought_to_the_plates_scale_and_contrast(photographs: Path) -> None:
    plain, *_ = folder(photographs).pictures(RECIPE)
    changed, *_ = folder(photographs, Choice(enlarge=2.0, contrast=0.5)).pictures(RECIPE)
    before, after = plain.truth[0], changed.truth[0]
    assert changed.image.shape == (200, 200)
    assert after.box == tuple(2 * part for part in before.box)
    assert (before.width_px, before.length_px, before.height_grey) == pytest.approx((4, 60, 40), rel=0.02)
    assert (after.width_px, after.height_grey) == pytest.approx((8, 20), rel=0.1)


def test_images_with_masks(tmp_path: Path) -> None:
    image, mask = lined()
    write(tmp_path / "a.png", image)
    write(tmp_path / "a_mask.png", mask)
    numbered = mask.astype(np.uint16) * 100
    numbered[20:80, 60:62] = 7
    write(tmp_path / "b.bmp", image)
    write(tmp_path / "b_mask.png", numbered)
    a, b = folder(tmp_path, EVERY).pictures(RECIPE)
    assert [(one.name, [mark.box for mark in one.truth]) for one in (a, b)] == [
        ("a.png", [(30, 20, 4, 60)]),
        ("b.bmp", [(60, 20, 2, 60), (30, 20, 4, 60)]),
    ]


def test_of_images_with_masks_those_that_training_takes_are_left_aside(tmp_path: Path) -> None:
    data, (image, mask) = tmp_path / "own", lined()
    for number in range(12):
        name = f"{number}" if number % 2 else f"below/{number}"
        write(data / f"{name}.png", image)
        write(data / f"{name}_mask.png", mask)
    known = {one.image.relative_to(data).as_posix() for one in in_training(data) if not held_out(one.group)}
    source = folder(data)
    judged = list(source.pictures(RECIPE))
    assert 0 < len(known) < 12
    assert (source.count, len(source.passed)) == (12 - len(known), len(known))
    assert not known & {one.name for one in judged}
    assert all(held_out(one.group) for one in judged)
    every = folder(data, EVERY)
    assert known < {one.name for one in every.pictures(RECIPE)}
    assert (every.count, len(every.passed)) == (12, 0)


def test_images_with_masks_that_training_takes_all_of_are_refused(tmp_path: Path) -> None:
    name = next(f"{number}" for number in range(100) if not held_out(f"own/{number}"))
    write(tmp_path / "own" / f"{name}.png", lined()[0])
    write(tmp_path / "own" / f"{name}_mask.png", lined()[1])
    with pytest.raises(SourceError, match=r"none of the 1 pictures .* --all-groups judges"):
        folder(tmp_path / "own")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "neither annotations.json nor manifest.csv nor images"),
        ({"a.png": lined()[0]}, "a.png needs a_mask.png"),
        ({"a.png": lined()[0], "a_mask.png": np.zeros((9, 9), np.uint8)}, "is of its image's size|of its image's size"),
        ({"a.png": b"no image", "a_mask.png": lined()[1]}, "a.png: "),
        ({"a.png": lined()[0], "a_mask.png": b"no image"}, "a_mask.png: no mask that can be read"),
        ({"a.png": lined()[0], "a_mask.png": lined()[1], "b_mask.png": lined()[1]}, "no picture b.png beside it"),
        ({"annotations.json": b"{"}, "not as `linesentry simulate` writes it"),
        ({"annotations.json": json.dumps({"images": [], "annotations": []}).encode()}, "KeyError: 'info'"),
        ({"manifest.csv": b"name\nx\n"}, "manifest.csv lacks the columns class, group, image"),
        (
            {"manifest.csv": b"image,mask_or_label,set,group,class\na.png,,mt,1,MT_crack\n"},
            "^[^ ]*manifest.csv, line 2: set mt has no class 'MT_crack': write one of MT_Blowhole",
        ),
        (
            {"manifest.csv": b"image,mask_or_label,set,group,class\na.png,,xsdd,1,surface scratch\n"},
            "none of the 1 pictures .* no mask says where",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_words(
    tmp_path: Path, files: dict[str, NDArray[np.uint8] | bytes], words: str
) -> None:
    for name, content in files.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            write(tmp_path / name, content)
    with pytest.raises(SourceError, match=words):
        list(folder(tmp_path, EVERY).pictures(RECIPE))


def test_pieces_that_continue_each_other_are_one_defect_and_parallel_ones_are_not() -> None:
    mask = np.zeros((300, 200), np.bool_)
    mask[20:100, 30:36] = True
    mask[108:200, 30:36] = True
    mask[20:200, 60:66] = True
    mask[280, 100:102] = True  # a slip of the pen
    labels = instances(mask, RECIPE)
    assert sorted(one.box for one in marks_of(np.full(mask.shape, 9, np.uint8), labels, "bright")) == [
        (30, 20, 6, 180),
        (60, 20, 6, 180),
    ]


def test_noise_is_that_beside_the_defect_and_not_of_it() -> None:
    rng = np.random.default_rng(1)
    image = np.clip(100 + 5 * rng.standard_normal((200, 200)), 0, 255).astype(np.uint8)
    image[50:150, 90:100] = 250
    pixels = np.ones((100, 10), np.bool_)
    assert noise_beside(image, (90, 50, 10, 100), pixels) == pytest.approx(5, rel=0.1)
    assert noise_beside(image[:, :100], (90, 50, 10, 100), pixels) == pytest.approx(5, rel=0.15)
    assert noise_beside(np.zeros((5, 5), np.uint8), (0, 0, 5, 5), np.ones((5, 5), np.bool_)) == 0.5
