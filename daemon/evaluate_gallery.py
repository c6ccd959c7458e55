"""The worst misses and the strongest false alarms of an evaluation, as crops at 1:1 with boxes drawn."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.evidence import CROP_SIZE, crop_at
from models.assessment import Found, Scored, TruthBox, outcome
from models.evaluation import Box, meeting

MOST = 24
"""Crops of a kind in the whole gallery."""
MOST_OF_A_PICTURE = 4
_LARGEST = 448
"""Side of a crop, px, however large what it shows."""
COLOURS = {"true": (64, 200, 64), "ignored": (200, 160, 64), "matched": (0, 200, 255), "false": (48, 48, 255)}
"""Blue, green, red of a box: a defect, a mark that counts neither way, a found box with a defect, one without."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One crop and what is known of it."""

    what: Literal["miss", "false alarm"]
    rank: float
    """The higher the worse."""
    picture: str
    interference: str
    box: Box
    facts: tuple[tuple[str, str], ...]
    image: str
    """PNG as a data URL."""


class Gallery:
    """Sees each picture once, and keeps crops of the worst."""

    def __init__(self, at: float = 0.5, most: int = MOST) -> None:
        self._at, self._most = at, most
        self._kept: dict[str, list[tuple[float, int, Exhibit]]] = {"miss": [], "false alarm": []}
        self._seen = 0

    def look(self, image: NDArray[np.uint8], scored: Scored) -> None:
        """Keep crops of what was missed on this picture (rows, columns) and of what was false."""
        found, judgement = outcome(scored, self._at)
        taken = set(judgement.taken)
        missed = [one for index, one in enumerate(scored.judged) if index not in taken]
        for one in heapq.nlargest(MOST_OF_A_PICTURE, missed, key=_plain_to_see):
            self._keep(image, scored, "miss", _plain_to_see(one), one.box, _of_truth(one, scored.faint))
        fragments = set(judgement.fragments)
        for index in heapq.nlargest(MOST_OF_A_PICTURE, judgement.false, key=lambda index: found[index].score):
            facts = [("score", f"{found[index].score:.3f}"), ("size", _size(found[index].box))]
            if index in fragments:
                facts.append(("lies on", "a defect that another box has taken"))
            self._keep(image, scored, "false alarm", found[index].score, found[index].box, facts)

    def exhibits(self, what: Literal["miss", "false alarm"]) -> list[Exhibit]:
        """The worst first."""
        return [exhibit for _, _, exhibit in sorted(self._kept[what], key=lambda kept: (-kept[0], -kept[1]))]

    def _keep(
        self,
        image: NDArray[np.uint8],
        scored: Scored,
        what: Literal["miss", "false alarm"],
        rank: float,
        box: Box,
        facts: Iterable[tuple[str, str]],
    ) -> None:
        kept = self._kept[what]
        if len(kept) >= self._most and kept[0][0] >= rank:
            return
        picture = _png(_drawn(image, scored, box, self._at))
        exhibit = Exhibit(what, rank, scored.name, scored.interference, box, tuple(facts), picture)
        self._seen += 1
        # Of equal rank the one seen first stays.
        heapq.heappush(kept, (rank, -self._seen, exhibit))
        if len(kept) > self._most:
            heapq.heappop(kept)


def _plain_to_see(one: TruthBox) -> float:
    """The plainer a missed defect is, the worse its miss."""
    return one.contrast_to_noise if one.contrast_to_noise is not None else one.height_grey or 0.0


def _of_truth(one: TruthBox, faint: tuple[Found, ...] | None) -> list[tuple[str, str]]:
    known = (
        ("width", one.width_px, "{:.1f} px"),
        ("height", one.height_grey, "{:.0f} grey levels"),
        ("contrast to noise", one.contrast_to_noise, "{:.1f}"),
        ("length", one.length_mm, "{:.1f} mm"),
        ("length", one.length_px if one.length_mm is None else None, "{:.0f} px"),
    )
    facts = [(name, words.format(value)) for name, value, words in known if value is not None]
    if one.visible < 1:
        facts.append(("visible", f"{one.visible:.0%}"))
    if faint is not None:
        meets = meeting([other.box for other in faint], [one.box])
        scores = [other.score for other, near in zip(faint, meets[:, 0], strict=True) if near]
        facts.append(("best score there", f"{max(scores):.3f}" if scores else "none, however low the floor"))
    return facts


def _size(box: Box) -> str:
    return f"{box[2]} x {box[3]} px"


def _drawn(image: NDArray[np.uint8], scored: Scored, box: Box, at: float) -> NDArray[np.uint8]:
    """A crop around a box, (size, size, 3), with all boxes that reach into it."""
    size = min(_LARGEST, max(CROP_SIZE, max(box[2:]) + 40))
    x, y = box[0] + box[2] // 2, box[1] + box[3] // 2
    crop = np.asarray(cv2.cvtColor(crop_at(image, x, y, size), cv2.COLOR_GRAY2BGR), np.uint8)
    left, top = x - size // 2, y - size // 2
    found, judgement = outcome(scored, at)
    kinds = ["matched" if index >= 0 else "false" for index in judgement.taken]
    boxes = [(one.box, "true" if one.counts else "ignored") for one in scored.truth]
    boxes += [(one.box, kind) for one, kind in zip(found, kinds, strict=True)]
    for other, kind in boxes:
        # One px outside, so that the frame hides nothing.
        start = (other[0] - left - 1, other[1] - top - 1)
        end = (other[0] + other[2] - left, other[1] + other[3] - top)
        cv2.rectangle(crop, start, end, COLOURS[kind], 1)
    return crop


def _png(picture: NDArray[np.uint8]) -> str:
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
