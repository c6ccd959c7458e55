"""The detector: windows of a plate in, regions and picture quality out."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from models.detector.features import GREY_SCALE, FeatureNetwork
from models.detector.findings import VETO_ALLOWS, Integrity, Quality, Region
from models.detector.halo import HALO, Around
from models.detector.integrity import Axis, examine
from models.detector.known_window import known_window
from models.detector.quality import inside, measure
from models.detector.regions import Criteria, find_regions
from models.detector.strong_lines import CELL, Seen, cells_of, regions_of, strong_lines
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
    (models.detector.halo.own_area)."""
    around: Around | None = None
    """The window with the plate around it; None where only the window itself is to be seen."""
    along: tuple[Axis, ...] = ("rows", "columns")
    """What is compared in it (models.detector.integrity.axes_of)."""

    @property
    def seen(self) -> Around:
        """What the network sees of it."""
        return Around(self.pixels, 0, 0) if self.around is None else self.around


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
        network: FeatureNetwork,
        card: dict[str, Any],
        device: torch.device,
        dtype: torch.dtype,
        batch: int,
    ) -> None:
        self.recipe = recipe
        self.batch = batch
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
        self._most = recipe.windows.size + 2 * HALO
        side = -(-self._most // self._scale)
        self._grey = torch.zeros((batch, 1, side, side), dtype=torch.uint8, pin_memory=device.type == "cuda")
        self._array: NDArray[np.uint8] = self._grey.numpy()[:, 0]

    @classmethod
    def load(
        cls,
        recipe: Recipe,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        dtype: Literal["auto", "float32", "bfloat16"] = "auto",
        batch: int = 4,
        *,
        prove: bool = True,
    ) -> Detector:
        """The detector of a recipe, which has given its known answer.

        Args:
            recipe: names the resolution, the weights, the templates, thresholds and masks.
            device: `auto` takes a GPU where there is one.
            dtype: `auto` takes bfloat16 on a GPU and on processors that multiply it themselves, else float32.
            batch: windows computed at once; fewer are padded to it, so that results do not depend on it.
            prove: False only for weights whose known answer is still to be recorded.

        Raises:
            DetectorError: no weights for the resolution, weights that do not fit or differ from their card, that do
                not give their known answer, or a GPU asked for where there is none.
        """
        path = weights_path(recipe)
        keep_freed()
        network, card = cards.read(path, recipe)
        if device == "cuda" and not torch.cuda.is_available():
            raise DetectorError("the configuration asks for cuda, but torch sees no GPU: use `auto` or `cpu`")
        chosen = torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")
        if dtype == "auto":
            dtype = "bfloat16" if chosen.type == "cuda" or bfloat16_is_fast() else "float32"
        detector = cls(recipe, network, card, chosen, getattr(torch, dtype), batch)
        if prove:
            detector.known_answer()
        return detector

    def detect(self, views: Sequence[WindowView]) -> list[WindowFinding]:
        """The findings of up to `batch` windows, in their order; each is the same whatever its neighbours.

        Raises:
            ValueError: more windows than a batch holds, or a window of no or too many pixels.
        """
        if len(views) > self.batch:
            raise ValueError(f"{len(views)} windows are more than the batch of {self.batch}")
        masks = [
            inside(self.recipe.masks, view.x, view.y, view.pixels.shape[1], view.pixels.shape[0]) for view in views
        ]
        values = self._features(views)
        return [
            self._with_lines(place, view, self._finding(view, masked, part))
            for place, (view, masked, part) in enumerate(zip(views, masks, values, strict=True))
        ]

    def features(self, view: WindowView) -> NDArray[np.float32]:
        """Feature values of one window's valid pixels, (h, w) at the network's resolution; for studies and pictures."""
        return self._features([view])[0]

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
        sizes = [self._copy(place, view) for place, view in enumerate(views)]
        means = [cv2.mean(self._array[place, :rows, :columns])[0] for place, (rows, columns) in enumerate(sizes)] + [
            0.0
        ] * (self.batch - len(sizes))
        with torch.inference_mode():
            grey = self._grey.to(self.device, non_blocking=True).to(torch.float32)
            grey -= torch.tensor(means, dtype=torch.float32, device=self.device)[:, None, None, None]
            grey *= GREY_SCALE
            for place, (rows, columns) in enumerate(sizes):
                grey[place, :, rows:] = 0
                grey[place, :, :, columns:] = 0
            grey[len(sizes) :] = 0
            values = self._both(grey)
        return [self._inner(view, part) for view, part in zip(views, values, strict=False)]

    def _inner(self, view: WindowView, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The values of the window itself."""
        left, top = view.seen.left // self._scale, view.seen.top // self._scale
        height, width = (-(-length // self._scale) for length in view.pixels.shape)
        return values[top : top + height, left : left + width]

    def _both(self, grey: Tensor) -> NDArray[np.float32]:
        """Feature values of the recipe's polarity; for `both` the higher of the two."""
        shaped = grey.to(self.dtype).contiguous(memory_format=torch.channels_last)
        best = self._network(shaped)
        if self.recipe.polarity == "both":
            best = torch.maximum(best, self._network(-shaped))
        return np.asarray(best.cpu().numpy(), np.float32)

    def _copy(self, place: int, view: WindowView) -> tuple[int, int]:
        """Bring what is seen of a window to the network's resolution into the batch; rows and columns taken there."""
        height, width = view.pixels.shape
        size = self.recipe.windows.size
        if not (0 < height <= size and 0 < width <= size):
            raise ValueError(f"a window has 1 to {size} rows and columns; found {height} x {width}")
        pixels, left, top = view.seen
        height, width = pixels.shape
        scale = self._scale
        if not (0 <= left <= HALO and 0 <= top <= HALO and height <= self._most and width <= self._most):
            raise ValueError(f"at most {HALO} px around a window are seen; found {height} x {width} with {left}, {top}")
        rows, columns = -(-height // scale), -(-width // scale)
        if self.recipe.polarity == "dark":
            # Before the means of 2 x 2 px, which round up: so `dark` is `bright` on the negative to the bit.
            pixels = np.asarray(cv2.bitwise_not(pixels), np.uint8)
        if scale == 1:
            self._array[place, :rows, :columns] = pixels
            return rows, columns
        whole = pixels[: height // 2 * 2, : width // 2 * 2]
        if whole.size:
            target = self._array[place, : height // 2, : width // 2]
            cv2.resize(whole, (width // 2, height // 2), dst=target, interpolation=cv2.INTER_AREA)
        if height % 2:  # an odd last row or column stands for itself
            self._array[place, rows - 1, : width // 2] = pixels[-1, : width // 2 * 2 : 2]
        if width % 2:
            self._array[place, : height // 2, columns - 1] = pixels[: height // 2 * 2 : 2, -1]
        if height % 2 and width % 2:
            self._array[place, rows - 1, columns - 1] = pixels[-1, -1]
        return rows, columns

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
        regions, truncated = find_regions(values, width, height, criteria, zones)
        return WindowFinding(regions, truncated, quality, integrity, levels.seed)

    def _with_lines(self, place: int, view: WindowView, finding: WindowFinding) -> WindowFinding:
        """The finding with lines of great contrast, which the network does not know; not in the published modes."""
        recipe = self.recipe
        if recipe.threshold.mode != "adaptive" or not finding.scored:
            return finding
        around, left, top = view.seen
        rows, columns = (-(-length // self._scale) for length in around.shape)
        cells = cells_of(self._array[place, :rows, :columns], self._scale)
        masked = inside(recipe.masks, view.x - left, view.y - top, around.shape[1], around.shape[0])
        lines = strong_lines(
            cells,
            None if masked is None else ~_touched(masked, CELL)[: cells.shape[0], : cells.shape[1]],
            also_dark=recipe.polarity == "both",
        )
        if not lines:
            return finding
        floor, (height, width) = recipe.threshold.floor, view.pixels.shape
        more = regions_of(
            lines,
            Seen(left // CELL, top // CELL, width, height),
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
    around, left, top = view.seen
    right, bottom = around.shape[1] - left - width, around.shape[0] - top - height
    cut = [max(0, strip - halo) // scale for halo in (left, top, right, bottom)]
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
