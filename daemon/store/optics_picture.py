"""A picture of an alarm of the optics: the light over the camera's columns, by the first plates and by the latest."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.machine.files import whole

MOST = 100
"""Pictures that are kept; the oldest go."""
_WIDTH, _HEIGHT, _EDGE = 1200, 400, 50
_REFERENCE, _PRESENT, _DARK = (160, 160, 160), (40, 40, 220), (90, 90, 90)
"""BGR."""

Profile = NDArray[np.float64]


def draw_profiles(reference: Profile, present: Profile, first: int, title: str) -> NDArray[np.uint8]:
    """Both profiles, grey levels by column, as a BGR picture; 0 is not drawn.

    Of each stretch of columns that falls on one px the darkest is shown, for dust is narrow. `first` is the camera
    column of the plate's first.
    """
    picture = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    most = max(1.0, float(max(reference.max(initial=0), present.max(initial=0))))
    for profile, colour in ((reference, _REFERENCE), (present, _PRESENT)):
        places = np.linspace(0, len(profile), _WIDTH - 2 * _EDGE + 1).astype(int)
        shown = [profile[a : max(a + 1, b)] for a, b in pairwise(places.tolist())]
        darkest = np.array([part[part > 0].min(initial=np.inf) for part in shown])
        points = np.column_stack(
            [np.arange(len(darkest)) + _EDGE, _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * darkest / most]
        )
        cv2.polylines(picture, [np.rint(points[np.isfinite(darkest)]).astype(np.int32)], False, colour, 1, cv2.LINE_AA)
    words = (
        (title, (_EDGE, 24)),
        (f"camera column {first}", (_EDGE, _HEIGHT - 16)),
        (str(first + len(present) - 1), (_WIDTH - _EDGE - 60, _HEIGHT - 16)),
        (f"{most:.0f}", (8, _EDGE)),
        ("0", (8, _HEIGHT - _EDGE)),
        ("grey: first plates, red: latest plates", (_WIDTH // 2 - 160, _HEIGHT - 16)),
    )
    for text, place in words:
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _DARK, 1, cv2.LINE_AA)
    return picture


def keep_picture(state: Path, name: str, picture: NDArray[np.uint8]) -> Path:
    """Write it into the folder `optics` of the state directory, and delete the oldest there; its path.

    Raises:
        OSError: it cannot be written.
    """
    folder = state / "optics"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.png"
    done, content = cv2.imencode(".png", picture)
    assert done, "a picture in memory is always encoded"
    with whole(path) as part:
        part.write_bytes(content.tobytes())
    for old in sorted(folder.glob("*.png"))[:-MOST]:
        with suppress(OSError):
            old.unlink()
    return path
