"""The worst misses and the strongest false alarms of an evaluation, as crops at 1:1 with boxes drawn."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from daemon.offline.pages import png
from daemon.store.evidence import CROP_SIZE, crop_at
from models.measure.assessment import Found, Scored, TruthBox, outcome
from models.measure.matching import Box, meeting

What = Literal["miss", "false alarm"]
MOST = 24
"""Crops of a kind in the whole gallery."""
_SPARE = 8
"""Times that many are held, so that many groups have their share."""
_SHARED = 1e6
_LARGEST = 448
"""Side of a crop, px, however large what it shows."""
COLOURS = {"true": (64, 200, 64), "ignored": (200, 160, 64), "matched": (0, 200, 255), "false": (48, 48, 255)}
"""Blue, green, red of a box: a defect, a mark that counts neither way, a found box with a defect, one without."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One crop and what is known of it."""

    what: What
    picture: str
    interference: str
    box: Box
    facts: tuple[tuple[str, str], ...]
    image: str
    """PNG as a data URL."""


@dataclass(frozen=True, slots=True)
class _Kept:
    rank: float
    group: str
    exhibit: Exhibit


class Gallery:
    """Sees each picture once, and keeps crops of the worst."""

    def __init__(self, at: float = 0.5, most: int = MOST) -> None:
        self._at, self._most = at, most
        self._kept: dict[What, list[_Kept]] = {"miss": [], "false alarm": []}

    def look(self, image: NDArray[np.uint8], scored: Scored) -> None:
        """Keep crops of what was missed on this picture (rows, columns) and of what was false."""
        found, judgement = outcome(scored, self._at)
        for index in judgement.missed:
            one, shared = scored.judged[index], index in judgement.shared
            facts = _of_truth(one, scored.faint)
            if shared:
                facts.append(("under", "a found box that another defect has taken"))
            # What nothing lies on comes first.
            self._keep(image, scored, "miss", _plain_to_see(one) - _SHARED * shared, one.box, facts)
        for index in judgement.false:
            one_found = found[index]
            facts = [("score", f"{one_found.score:.3f}")]
            if index in judgement.fragments:
                facts.append(("on", "a defect that another box has taken"))
            self._keep(image, scored, "false alarm", one_found.score, one_found.box, facts)

    def exhibits(self, what: What) -> list[Exhibit]:
        """The worst first; while there are others, no group has more than its share of them."""
        kept = self._kept[what]
        fair = max(2, -(-self._most // max(1, len({one.group for one in kept}))))
        shown: dict[str, int] = {}
        first, rest = list[_Kept](), list[_Kept]()
        for one in kept:
            shown[one.group] = shown.get(one.group, 0) + 1
            (first if shown[one.group] <= fair else rest).append(one)
        chosen = sorted((first + rest)[: self._most], key=lambda one: -one.rank)
        return [one.exhibit for one in chosen]

    def _keep(
        self,
        image: NDArray[np.uint8],
        scored: Scored,
        what: What,
        rank: float,
        box: Box,
        facts: list[tuple[str, str]],
    ) -> None:
        kept = self._kept[what]
        of_group = [one for one in kept if one.group == scored.group]
        full = of_group if len(of_group) >= self._most else kept if len(kept) >= _SPARE * self._most else []
        if full and full[-1].rank >= rank:
            return
        if full:
            kept.remove(full[-1])
        picture = png(drawn(image, scored, box, self._at))
        exhibit = Exhibit(what, scored.name, scored.interference, box, tuple(facts), picture)
        # Of equal rank the one seen first comes first.
        bisect.insort(kept, _Kept(rank, scored.group, exhibit), key=lambda one: -one.rank)


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
        facts.append(("best score there", f"{max(scores):.3f}" if scores else "none"))
    return facts


def drawn(image: NDArray[np.uint8], scored: Scored, box: Box, at: float) -> NDArray[np.uint8]:
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
