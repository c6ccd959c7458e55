"""Crops of photographs of real metal."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from models.training.detector.metal import RealMetal
from models.training.photographs import held_out
from simulator.crops.cut import paint_on_metal


def test_crops_of_photographs_have_the_plates_contrast(tmp_path: Path) -> None:
    rows = ["image,mask_or_label,set,group,class"]
    for number in range(12):
        image = np.random.default_rng(number).normal(100, 4, (200, 200)).astype(np.uint8)
        mask = np.zeros((200, 200), np.uint8)
        cv2.line(mask, (20, 30), (150, 160), 3, 6)
        image[mask > 0] = 220
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
        cv2.imwrite(str(tmp_path / f"{number}-mask.png"), mask)
        rows.append(f"{number}.png,{number}-mask.png,neu_seg,{number},3")
        cv2.imwrite(str(tmp_path / f"free{number}.png"), image * 0 + 90)
        rows.append(f"free{number}.png,MT_Free,mt,free{number},MT_Free")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    metal = RealMetal([tmp_path])
    assert 0 < len(metal.scratched) < 12
    rng = np.random.default_rng(0)
    marked = [crop for crop in (metal(rng, 128) for _ in range(20)) if crop[1].any()]
    assert marked
    for grey, scratch, ignored in marked:
        assert grey.shape == scratch.shape == ignored.shape == (128, 128)
        assert not (scratch & ignored).any()
        assert float(grey[scratch].mean()) - float(np.median(grey[~scratch])) < 80


def test_crops_of_a_large_photograph_show_its_marks_wherever_they_lie(tmp_path: Path) -> None:
    for number in range(8):
        image = np.random.default_rng(number).normal(100, 4, (800, 800)).astype(np.uint8)
        mask = np.zeros((800, 800), np.uint8)
        cv2.line(mask, (560, 600), (700, 740), 255, 8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image + (mask > 0) * np.uint8(60))
        cv2.imwrite(str(tmp_path / f"{number}_mask.png"), mask)
    rng = np.random.default_rng(0)
    metal = RealMetal([tmp_path])
    seen = [metal(rng, 128)[1].any() for _ in range(60)]
    assert 25 <= sum(seen) <= 50, "half of the crops are cut around the crack, a few others meet it"


def test_fingerprint_of_photographs_is_that_of_their_pixels_and_marks_wherever_they_lie(tmp_path: Path) -> None:
    def fingerprint(folder: str, crack: int) -> str:
        where = tmp_path / folder / "own"
        where.mkdir(parents=True)
        for number in range(8):
            mask = np.zeros((40, 50), np.uint8)
            mask[10:14, 5:crack] = 255
            cv2.imwrite(str(where / f"{number}.png"), np.full((40, 50), 90 + number, np.uint8))
            cv2.imwrite(str(where / f"{number}_mask.png"), mask)
        return RealMetal([where]).fingerprint()

    assert fingerprint("a", 30) == fingerprint("b", 30) != fingerprint("c", 31)


def test_cracks_with_masks_and_pictures_without_a_crack_of_any_set_are_learnt_and_others_counted(
    tmp_path: Path,
) -> None:
    rows = ["image,mask_or_label,set,group,class"]
    for number in range(40):
        kind = ("crack", "without_crack", "crack", "rust")[number % 4]
        label = f"{number}-mask.png" if number % 4 == 0 else ""
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((60, 60), 90, np.uint8))
        if label:
            mask = np.zeros((60, 60), np.uint8)
            mask[20:30, 10:50] = 255
            cv2.imwrite(str(tmp_path / label), mask)
        rows.append(f"{number}.png,{label},plant,{number},{kind}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    metal = RealMetal([tmp_path])
    kept = [not held_out(f"plant/{number}") for number in range(40)]
    assert [int(mask.sum()) for _, mask, _ in metal.scratched] == [400] * sum(kept[0::4])
    assert len(metal.clean) == sum(kept[1::4])
    assert metal.passed_over == {"plant/crack": 10, "plant/rust": 10}


def test_cracks_that_are_told_to_be_dark_are_learnt_as_a_recipe_for_dark_ones_shows_them(tmp_path: Path) -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[20:30, 10:50] = 255
    cv2.imwrite(str(tmp_path / "a.png"), np.where(mask > 0, 40, 90).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "a_label.png"), mask)
    rows = [f"a.png,a_label.png,plant,{number},crack,dark" for number in range(8)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,mask_or_label,set,group,class,polarity", *rows]))
    image, marks, _ = RealMetal([tmp_path]).scratched[0]
    assert set(image[marks].tolist()) == {215}
    assert set(image[~marks].tolist()) == {165}


def test_one_group_in_five_of_photographs_alone_is_for_validation(tmp_path: Path) -> None:
    rows = ["image,mask_or_label,set,group,class"]
    for number in range(60):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((30, 30), number, np.uint8))
        rows.append(f"{number}.png,,plant,{number // 2},without_crack")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    parts: tuple[Literal["training", "validation"], ...] = ("training", "validation")
    training, validation = ({int(image[0, 0]) for image, _, _ in RealMetal([tmp_path], part=p).clean} for p in parts)
    every = {number for number in range(60) if not held_out(f"plant/{number // 2}")}
    assert training | validation == every
    assert not {number // 2 for number in training} & {number // 2 for number in validation}
    assert 0.1 < len(validation) / len(every) < 0.3


def test_cracks_are_painted_on_photographs_without_defects(tmp_path: Path) -> None:
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((200, 200), 90, np.uint8))
        cv2.imwrite(str(tmp_path / f"{number}_mask.png"), np.zeros((200, 200), np.uint8))
    rng = np.random.default_rng(0)
    assert not any(RealMetal([tmp_path])(rng, 128)[1].any() for _ in range(20))
    painted = [crop for crop in (RealMetal([tmp_path], paint_on_metal)(rng, 256) for _ in range(20)) if crop[1].any()]
    assert painted
    for grey, cracks, _ in painted:
        assert float(grey[cracks].mean()) > float(np.median(grey[~cracks]))
