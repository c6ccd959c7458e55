"""The re-inspection as one HTML page that needs no other file, with pictures side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from config.errors import printable
from daemon.lab.reinspect.figures import Figures, as_json, words_of
from daemon.lab.reinspect.held import Held, is_faulty, job_of
from daemon.lab.reinspect.tables import change_words, changes_of, headline, rate_words
from daemon.offline import pages
from daemon.offline.reinspect.kept import Kept
from daemon.offline.reinspect.plate import Picture
from stages.comparison import Kind
from stages.plate import Defect, worst_first

_MOST = 120
"""Pairs of pictures; more make a page that no browser likes."""
_BETWEEN = 8
_COUNTS, _VETOED = (48, 48, 255), (255, 160, 48)
"""Blue, green, red of a box that counts, of one that was vetoed."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One place of a plate by both."""

    plate: int
    before: str
    candidate: str
    words: str
    image: str
    """PNG as a data URL: the stored result left, the candidate's right."""


def page(plates: Sequence[Held], found: Figures, facts: dict[str, Any], kept: Kept) -> str:
    """The HTML page, with the pictures that are kept. All text of plates is escaped."""
    changed = [plate for plate in plates if plate.difference is not None and plate.difference.kind is not Kind.SAME]
    exhibits = list(islice(_exhibits(changed, kept), _MOST))
    listed = [(plate, changes_of(plate)) for plate in plates]
    return pages.page(
        "reinspect.html.j2",
        "daemon.lab.reinspect",
        "daemon.lab.evaluate",
        result={"facts": facts},
        headline=headline(found),
        found=found,
        figures=as_json(found),
        marks=[(words_of(kind), rate_words(rate)) for kind, rate in found.marks.items()],
        rate_words=rate_words,
        exhibits=exhibits,
        more=len(exhibits) == _MOST,
        listed=[
            {
                "plate": plate.row.plate,
                "seen": f"{plate.row.seen_at.astimezone():%Y-%m-%d %H:%M:%S}",
                "part": printable(plate.row.part_id or ""),
                "before": plate.row.verdict or "-",
                "candidate": "-" if plate.difference is None else plate.difference.verdict,
                "lines": [printable(line) for line in lines],
                "faulty": is_faulty(plate),
            }
            for plate, lines in listed
            if lines
        ],
        colours={"counts": _rgb(_COUNTS), "vetoed": _rgb(_VETOED)},
    )


def _rgb(colour: tuple[int, int, int]) -> str:
    blue, green, red = colour
    return f"rgb({red},{green},{blue})"


def _exhibits(plates: Sequence[Held], kept: Kept) -> Iterator[Exhibit]:
    """Of verdicts that would change first, each by plate."""
    ordered = sorted(plates, key=lambda one: one.difference is not None and one.difference.kind is not Kind.VERDICT)
    return (exhibit for plate in ordered for exhibit in _of_plate(plate, kept))


def _of_plate(plate: Held, kept: Kept) -> Iterator[Exhibit]:
    difference, known = plate.difference, kept.get(job_of(plate.row))
    assert difference is not None
    pictures = () if known is None else known.pictures
    words = [change_words(plate, one) for one in difference.changed] or ["the whole plate"]
    for said, picture in zip(words, pictures, strict=False):
        image = _side_by_side(plate, picture)
        yield Exhibit(plate.row.plate, difference.before, difference.verdict, printable(said), image)


def _side_by_side(plate: Held, picture: Picture) -> str:
    assert plate.candidate is not None
    grey = cv2.imdecode(np.frombuffer(picture.png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    shown = [_drawn(np.asarray(grey, np.uint8), picture, one) for one in (plate.row.defects, plate.candidate.defects)]
    gap = np.full((shown[0].shape[0], _BETWEEN, 3), 255, np.uint8)
    return pages.png(np.concatenate([shown[0], gap, shown[1]], axis=1, dtype=np.uint8))


def _drawn(grey: NDArray[np.uint8], picture: Picture, defects: Sequence[Defect]) -> NDArray[np.uint8]:
    """The picture with the boxes of the defects that it shows."""
    drawn = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    across, down = grey.shape[1] / picture.width, grey.shape[0] / picture.height
    for one in reversed(worst_first(defects)):
        left, top = (one.x - picture.x) * across, (one.y - picture.y) * down
        right, bottom = left + one.width * across, top + one.height * down
        if right < 0 or bottom < 0 or left > grey.shape[1] or top > grey.shape[0]:
            continue
        # Outside the defect, so that the frame hides nothing.
        corners = (round(left) - 4, round(top) - 4), (round(right) + 3, round(bottom) + 3)
        cv2.rectangle(drawn, *corners, _VETOED if one.vetoed else _COUNTS, 1)
    return drawn
