"""The picture of an alarm of the optics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from daemon.store import optics_picture
from daemon.store.optics_picture import draw_profiles, keep_picture


def red(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where the latest plates are drawn."""
    return np.asarray((picture[..., 2] > 150) & (picture[..., 0] < 120), np.bool_)


def test_narrow_dust_of_a_wide_camera_is_seen_in_it() -> None:
    reference = np.full(16_000, 100.0)
    reference[:300] = 0
    dusty = reference.copy()
    dusty[8000:8004] = 60
    drawn = red(draw_profiles(reference, dusty, 300, "dust"))
    # Down to grey level 60 of 100, in the middle; nowhere else below 90.
    assert drawn[150:172, 590:610].any()
    assert not drawn[85:, :590].any()
    assert not drawn[85:340, 610:].any()


def test_what_is_not_known_is_not_drawn() -> None:
    assert not red(draw_profiles(np.zeros(500), np.zeros(500), 0, "light")).any()
    assert draw_profiles(np.zeros(0), np.zeros(0), 0, "light").any()


def test_only_the_latest_pictures_are_kept(tmp_path: Path) -> None:
    picture = draw_profiles(np.full(500, 90.0), np.full(500, 80.0), 0, "light")
    for number in range(optics_picture.MOST + 3):
        path = keep_picture(tmp_path, f"{number:08d}-light", picture)
    names = sorted(one.name for one in path.parent.iterdir())
    assert (len(names), names[0]) == (optics_picture.MOST, "00000003-light.png")
    read = cv2.imread(str(path))
    assert read is not None
    assert np.array_equal(read, picture)
