"""The detector: windows of a plate in, regions and picture quality out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.schema import Recipe, Windows
from config.weights import weights_path
from models.detector import card as cards
from models.detector.errors import DetectorError
from models.detector.features import FEATURE, GREY_SCALE, Architecture, Part
from models.detector.findings import VETO_ALLOWS, Integrity, Quality, Region
from models.detector.integrity import Axis, examine
from models.detector.known_window import known_window
from models.detector.quality import inside, measure
from models.detector.reference import Lying
from models.detector.regions import Criteria, find_regions
from models.detector.repeats import Around, Repeats
from models.detector.strong_lines import CELL, VIEW, Cells, Seen, cells_of, regions_of, strong_lines, unusual
from models.detector.swaths import Shape, Swath, shape_of
from models.detector.threshold import threshold_levels
from models.detector.zones import Zones
from models.machine.allocator import keep_freed
from models.machine.cpu import bfloat16_is_fast

__all__ = ["Detector", "DetectorError", "WindowFinding", "WindowView", "known_values", "without_borders"]


class WindowView(NamedTuple):
    """A window where it lies: its valid pixels, its place, and the part of it that is counted here."""

    pixels: NDArray[np.uint8]
    """(h, w), at most size x size; may be a view of shared memory with any row stride. Read once, never written."""
    x: int
    y: int
    """Its top left in plate coordinates."""
    own: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the part counted once on the plate, half-open, px of the window
    (models.detector.swaths.own_area)."""
    swath: Swath | None = None
    """The piece of the plate that it is computed with; None where only the window itself is to be seen."""
    along: tuple[Axis, ...] = ("rows", "columns")
    """What is compared in it (models.detector.integrity.axes_of)."""

    @property
    def seen(self) -> Swath:
        """What the network sees of it."""
        if self.swath is not None:
            return self.swath
        height, width = self.pixels.shape
        return Swath(self.pixels, self.x, self.y, (0, 0, width, height), shape_of(self.pixels, max(height, width)))

    @property
    def place(self) -> tuple[int, int]:
        """Its left and top in what is seen of it, px."""
        return (0, 0) if self.swath is None else (self.x - self.swath.x, self.y - self.swath.y)


@dataclass(frozen=True, slots=True)
class WindowFinding:
    """What was found in one window."""

    regions: tuple[Region, ...]
    truncated: bool
    quality: Quality
    integrity: Integrity
    threshold: float
    """Feature value that a region which is not faint must reach; infinite where nothing could be looked at."""
    scored: bool = True
    """False where a feature value is no finite number: then nothing is known of the window."""


class Detector:
    """One recipe's detector on one device. Not for several threads at once."""

    def __init__(
        self,
        recipe: Recipe,
        weights: cards.Weights,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        network, card, self._reference = weights
        self.recipe = recipe
        self.device = device
        self.dtype = dtype
        self.facts: dict[str, Any] = {
            "weights_sha256": card["sha256"],
            "model_card": card["path"],
            "dtype": str(dtype).removeprefix("torch."),
            "device": str(device) if device.type == "cpu" else torch.cuda.get_device_name(device),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "resolution": recipe.resolution,
        }
        self._zones = Zones(recipe.zones)
        self._learnt = cards.learnt(card)
        self._known = card.get("known_answer")
        self._scale = 2 if recipe.resolution == "half" else 1
        self._network = network.folded(dtype).to(device)
        self._room = torch.empty(0, dtype=torch.uint8)
        self._grey: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._cells: Cells | None = None
        self._lying: Lying | None = None
        self._repeats: Around | None = None
        """What the last swath's values repeat, and where its judged part begins in it, in values."""

    @classmethod
    def load(
        cls,
        recipe: Recipe,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
        *,
        prove: bool = True,
        architecture: Architecture = FEATURE,
    ) -> Detector:
        """The detector of a recipe, which has given its known answer.

        Args:
            recipe: names the resolution, the weights, the templates, thresholds and masks.
            device: `auto` takes a GPU where there is one.
            dtype: `auto` takes bfloat16 on a GPU and on processors that multiply it themselves, else float32.
            prove: False only for weights whose known answer is still to be recorded.
            architecture: of the network, for comparisons.

        Raises:
            DetectorError: no weights for the resolution, weights that do not fit or differ from their card, that do
                not give their known answer, or a GPU asked for where there is none.
        """
        path = weights_path(recipe)
        keep_freed()
        weights = cards.read(path, recipe, architecture)
        if device == "cuda" and not torch.cuda.is_available():
            raise DetectorError("the configuration asks for cuda, but torch sees no GPU: use `auto` or `cpu`")
        chosen = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        if dtype == "auto":
            dtype = "bfloat16" if chosen.type == "cuda" or bfloat16_is_fast() else "float32"
        detector = cls(recipe, weights, chosen, getattr(torch, dtype))
        if prove:
            detector.known_answer()
        return detector

    def detect(self, views: Sequence[WindowView], judging: Callable[[int], None] | None = None) -> list[WindowFinding]:
        """The findings of windows of one swath, in their order; each is the same whichever others are asked for.

        Args:
            views: windows that are seen with the same piece of the plate, or one that is seen alone.
            judging: told the place of each among them, when the network has seen all and it alone is worked on.

        Raises:
            ValueError: windows of several swaths, or one of no or too many pixels.
        """
        findings = []
        for place, (view, values) in enumerate(zip(views, self._features(views), strict=True)):
            if judging is not None:
                judging(place)
            masked = inside(self.recipe.masks, view.x, view.y, view.pixels.shape[1], view.pixels.shape[0])
            findings.append(self._with_lines(view, self._finding(view, masked, values)))
        return findings

    def features(self, view: WindowView) -> NDArray[np.float32]:
        """Feature values of one window's valid pixels, (h, w) at the network's resolution; for studies and pictures."""
        return self._features([view])[0]

    def features_of(self, views: Sequence[WindowView]) -> list[NDArray[np.float32]]:
        """The same of windows of one swath, computed once. Raises ValueError as `detect` does."""
        return self._features(views)

    def known_answer(self) -> None:
        """Compute a built-in window and compare with what was recorded when the weights were made.

        Raises:
            DetectorError: the answer differs by more than the number format and a recipe's own templates explain, or
                what was recorded tells a crack from nothing.
        """
        if self._known is None:
            raise DetectorError(f"{self.facts['model_card']} records no known answer: train the weights again")
        if not cards.tells(self._known):
            raise DetectorError(
                f"{self.facts['model_card']} records a known answer in which no crack stands out ({self._known}): "
                "the training has come to nothing, train the weights again"
            )
        found = known_values(self)
        # A recipe's own templates move the values by up to a twentieth of their range.
        allowed = 0.1 * abs(self._known["crack"] - self._known["median"])
        wrong = [
            f"{name}: {found[name]:.3f} instead of {self._known[name]:.3f}"
            for name in self._known
            if not abs(found[name] - self._known[name]) <= max(0.3, allowed)
        ]
        if wrong:
            raise DetectorError(
                f"the known-answer window gives wrong values ({'; '.join(wrong)}): restart, check memory"
            )

    def _features(self, views: Sequence[WindowView]) -> list[NDArray[np.float32]]:
        for view in views:
            height, width = view.pixels.shape
            size = self.recipe.windows.size
            if not (0 < height <= size and 0 < width <= size):
                raise ValueError(f"a window has 1 to {size} rows and columns; found {height} x {width}")
            if view.seen.pixels is not views[0].seen.pixels:
                raise ValueError("windows of several swaths are computed one swath after the other")
        if not views:
            return []
        swath = views[0].seen
        room = self._reserved(swath.shape)
        height, width = (-(-length // self._scale) for length in swath.pixels.shape)
        grey = self._grey = self._reduced(swath.pixels, room.numpy()[0, 0, :height, :width])
        self._cells = None
        x0, y0, x1, y1 = swath.inner
        part = Part(*(first // self._scale for first in (x0, y0)), *(-(-last // self._scale) for last in (x1, y1)))
        with torch.inference_mode():
            seen = room.to(self.device, non_blocking=True).to(torch.float32)
            seen -= cv2.mean(grey)[0]
            seen *= GREY_SCALE
            seen[..., height:, :] = 0
            seen[..., width:] = 0
            values = self._both(seen, part)[0]
        left, top = swath.x + part.left * self._scale, swath.y + part.top * self._scale
        taught = self._reference
        self._lying = None if taught is None else Lying(taught, values, self._scale, left, top)
        self._repeats = Around(Repeats(values, self._scale, self._lying), part.left, part.top)
        return [self._inner(view, part, values) for view in views]

    def _inner(self, view: WindowView, part: Part, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The values of the window itself."""
        left, top = (place // self._scale for place in view.place)
        height, width = (-(-length // self._scale) for length in view.pixels.shape)
        return values[top - part.top : top - part.top + height, left - part.left : left - part.left + width]

    def _around(self, view: WindowView) -> Around | None:
        """Where a window of the last swath lies in its values."""
        if self._repeats is None:
            return None
        left, top = (place // self._scale for place in view.place)
        return self._repeats._replace(left=left - self._repeats.left, top=top - self._repeats.top)

    def _both(self, grey: Tensor, part: Part) -> NDArray[np.float32]:
        """Feature values of a part, of the recipe's polarity; for `both` the higher of the two."""
        shaped = grey.to(self.dtype).contiguous(memory_format=torch.channels_last)
        best = self._network(shaped, part)
        if self.recipe.polarity == "both":
            best = torch.maximum(best, self._network(-shaped, part))
        return np.asarray(best.cpu().numpy(), np.float32)

    def _reserved(self, shape: Shape) -> Tensor:
        """Room for a piece at the network's resolution, (1, 1, h, w) uint8, which the next one overwrites."""
        rows, columns = (-(-length // self._scale) for length in shape)
        if self._room.numel() < rows * columns:
            self._room = torch.zeros(rows * columns, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        return self._room[: rows * columns].view(1, 1, rows, columns)

    def _reduced(self, pixels: NDArray[np.uint8], grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels at the network's resolution, in `grey`."""
        height, width = pixels.shape
        scale, (rows, columns) = self._scale, grey.shape
        if self.recipe.polarity == "dark":
            # Before the means of 2 x 2 px, which round up: so `dark` is `bright` on the negative to the bit.
            pixels = np.asarray(cv2.bitwise_not(pixels), np.uint8)
        if scale == 1:
            grey[:] = pixels
            return grey
        whole = pixels[: height // 2 * 2, : width // 2 * 2]
        if whole.size:
            target = grey[: height // 2, : width // 2]
            cv2.resize(whole, (width // 2, height // 2), dst=target, interpolation=cv2.INTER_AREA)
        if height % 2:  # an odd last row or column stands for itself
            grey[rows - 1, : width // 2] = pixels[-1, : width // 2 * 2 : 2]
        if width % 2:
            grey[: height // 2, columns - 1] = pixels[: height // 2 * 2 : 2, -1]
        if height % 2 and width % 2:
            grey[rows - 1, columns - 1] = pixels[-1, -1]
        return grey

    def _finding(
        self, view: WindowView, masked: NDArray[np.bool_] | None, values: NDArray[np.float32]
    ) -> WindowFinding:
        height, width = view.pixels.shape
        quality, integrity = _picture(view, masked)
        # One sum tells of any value that is none: it is what the value is.
        if not math.isfinite(float(values.sum(dtype=np.float64))):
            return WindowFinding((), False, quality, integrity, threshold=math.inf, scored=False)
        values = without_borders(view, values, self.recipe.windows, self._scale)
        if masked is not None:
            values[_touched(masked, self._scale)] = np.nan
        levels = threshold_levels(values, self.recipe.threshold, self._learnt)
        post = self.recipe.post
        published = self.recipe.threshold.mode != "adaptive"
        criteria = Criteria(
            scale=self._scale,
            seed=levels.seed,
            grow=levels.grow,
            floor=self._learnt.floor + levels.rise,
            least_area=post.least_area,
            opening=published if post.opening is None else post.opening,
            line_like=not published,
            # The published modes know no floor below which something could be fainter.
            allow=0.0 if published or self.recipe.classifier.mode != "veto" else VETO_ALLOWS,
        )
        zones = self._zones.at(view.x, view.y, width, height, self._scale)
        regions, truncated = find_regions(values, width, height, criteria, zones, self._around(view))
        return WindowFinding(regions, truncated, quality, integrity, levels.seed)

    def _with_lines(self, view: WindowView, finding: WindowFinding) -> WindowFinding:
        """The finding with lines of great contrast, which the network does not know; not in the published modes."""
        recipe = self.recipe
        if recipe.threshold.mode != "adaptive" or not finding.scored:
            return finding
        if self._cells is None:  # once for a swath
            self._cells = cells_of(self._grey, self._scale)
        (height, width), (left, top) = view.pixels.shape, (place // CELL for place in view.place)
        first_row, first_column = max(0, top - VIEW), max(0, left - VIEW)
        cells = self._cells[first_row : top + height // CELL + VIEW, first_column : left + width // CELL + VIEW]
        x, y = view.seen.x + first_column * CELL, view.seen.y + first_row * CELL
        masked = inside(recipe.masks, x, y, cells.shape[1] * CELL, cells.shape[0] * CELL)
        valid = None if masked is None else ~_touched(masked, CELL)
        lines = strong_lines(cells, valid)
        if lines and self._lying is not None and (usual := self._lying.bright(x, y, cells.shape, CELL)) is not None:
            lines = unusual(lines, usual)
        if recipe.polarity == "both":  # of dark lines nothing is noted
            lines += strong_lines(np.asarray(cv2.bitwise_not(cells), np.uint8), valid)
        if not lines:
            return finding
        floor = recipe.threshold.floor
        more = regions_of(
            lines,
            Seen(left - first_column, top - first_row, width, height),
            finding.regions,
            0.0 if floor is None else floor - self._learnt.floor,
            self._zones.at(view.x, view.y, width, height, CELL),
        )
        regions = sorted((*finding.regions, *more), key=lambda region: (region.y, region.x))
        return replace(finding, regions=tuple(regions))


def _picture(view: WindowView, masked: NDArray[np.bool_] | None) -> tuple[Quality, Integrity]:
    """What the part that a window alone counts says of the picture itself, and of the camera."""
    x0, y0, x1, y1 = view.own
    quality = measure(view.pixels[y0:y1, x0:x1], None if masked is None else masked[y0:y1, x0:x1])
    integrity = examine(view.pixels, view.own, masked, view.along)
    # What stands still shows nothing of the sheet, and noise neither.
    judged = 0 if integrity.noise else max(0, quality.judged - integrity.still_px)
    return replace(quality, judged=judged), integrity


def without_borders(view: WindowView, values: NDArray[np.float32], windows: Windows, scale: int) -> NDArray[np.float32]:
    """A copy of a window's values; NaN along borders beyond which the plate goes on and is not seen.

    What is cut there looks like a line. The neighbouring window sees it whole, and both still share a strip in which
    the halves of a crack meet: 10 px where windows overlap by 50.
    """
    strip = 2 * (windows.size - windows.stride) // 5
    height, width = view.pixels.shape
    (rows, columns), (left, top) = view.seen.pixels.shape, view.place
    right, bottom = columns - left - width, rows - top - height
    cut = [max(0, strip - seen) // scale for seen in (left, top, right, bottom)]
    values = values.copy()
    if view.x > 0:
        values[:, : cut[0]] = np.nan
    if view.y > 0:
        values[: cut[1]] = np.nan
    # Under `ceil` a full window has a neighbour; under `cover` it may be the last.
    if windows.rule == "ceil" and width == windows.size:
        values[:, values.shape[1] - cut[2] :] = np.nan
    if windows.rule == "ceil" and height == windows.size:
        values[values.shape[0] - cut[3] :] = np.nan
    return values


def _touched(masked: NDArray[np.bool_], scale: int) -> NDArray[np.bool_]:
    """Which feature values see a masked pixel: one for each scale x scale px."""
    touched = masked[::scale, ::scale].copy()
    for row in range(scale):
        for column in range(scale):
            part = masked[row::scale, column::scale]
            touched[: part.shape[0], : part.shape[1]] |= part
    return touched


def known_values(detector: Detector) -> dict[str, float]:
    """What the detector says of the known window: to be recorded with the weights, and compared later."""
    size = detector.recipe.windows.size
    pixels = known_window(size)
    if detector.recipe.polarity == "dark":
        pixels = 255 - pixels
    values = detector.features(WindowView(pixels, 0, 0, (0, 0, size, size)))
    middle = values.shape[0] // 2
    highest = values[middle - 8 : middle + 8, middle - 8 : middle + 8]
    return {"crack": float(highest.max()), "median": float(np.median(values))}
