"""Training crops cut from rendered sheets of the products that detectors are trained on."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops import embossed, other_formulas, pressed, reflected, rough, strung, wild
from simulator.crops.labelled import LabelledCrop, around
from simulator.crops.ridges import log_uniform
from simulator.crops.wild import disturbance_of
from simulator.sheets.cracks import centre_line
from simulator.sheets.interference import Kind
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.sheet import Sheet, render

TRAINING_PRODUCTS = ("P10B", "U20B")
"""The others are kept for tests and are never cut here."""
_FIRST_SEED = 1_000_000
"""Far from the test seeds of reference.yaml."""
_ROWS = 3300
_CRACKS = 50
_CROPS_A_SHEET = 160
_CRACKED_SHARE = 0.45
_ODD_SHARE = 0.8
_FOLD_SHARE = 0.7
_ENDS_SHARE = 0.65
"""Of the stretches of products with zones at the ends of their sheets."""
_ROUGH_ON_SHEETS = 0.5
"""Share of the sheets' crops on which rough cracks are painted beside the sheet's own smooth ones."""
_ROUGH_ON_METAL = 0.75
_KINDS: dict[str, tuple[Kind, ...]] = {
    "plain": (),
    "noise": ("noise",),
    "light": ("light",),
    "both": ("light", "noise"),
}


def stretch_of(rng: np.random.Generator, product: Product, ends_share: float) -> Product:
    """A stretch of a product, which is enough to cut crops from.

    That share of the stretches of products with zones at the ends of their sheets shows them: narrower ridges, folded
    the other way.
    """
    stretch = replace(product, rows=min(product.rows, _ROWS))
    if stretch.upright and rng.random() < ends_share:
        stretch = replace(stretch, end_share=rng.uniform(0.2, 0.5))
    return stretch


class SheetCrops:
    """Crops of sheets that are rendered one after the other; a stretch of a sheet is enough of a long product."""

    def __init__(self, cracks: int = _CRACKS) -> None:
        """Sheets with so many cracks; 0 for defect-free ones."""
        self._cracks = cracks
        self._sheet: Sheet | None = None
        self._left = 0
        self._upright = True

    def __call__(self, rng: np.random.Generator, size: int) -> LabelledCrop:
        """One crop (size x size): picture, the cracks' pixels, and pixels that are not judged."""
        if self._sheet is None or self._left == 0:
            product = PRODUCTS[TRAINING_PRODUCTS[int(rng.integers(2))]]
            product = stretch_of(rng, product, _ENDS_SHARE)
            kind = rng.choice(["plain", "noise", "light", "both"], p=(0.5, 0.15, 0.2, 0.15))
            kinds = _KINDS[str(kind)]
            seed = _FIRST_SEED + int(rng.integers(1 << 30))
            self._sheet = render(product, seed, self._cracks, interference=kinds, strength=rng.uniform(0.3, 1.3))
            self._left, self._upright = _CROPS_A_SHEET, product.upright
        self._left -= 1
        return _cut(rng, self._sheet, size, self._upright)


def _cut(rng: np.random.Generator, sheet: Sheet, size: int, upright: bool) -> LabelledCrop:
    rows, columns = sheet.image.shape
    cracks = sheet.truth.cracks
    x, y = int(rng.integers(columns - size)), int(rng.integers(rows - size))
    if cracks and rng.random() < _CRACKED_SHARE:
        crack = cracks[int(rng.integers(len(cracks)))]
        x = crack.x + crack.width // 2 - int(rng.integers(size // 8, size - size // 8))
        y = crack.y + crack.height // 2 - int(rng.integers(size // 8, size - size // 8))
    elif rng.random() < _ODD_SHARE:  # the middle, where ridges fold, and the sheet's edges
        draw = rng.random()
        if draw < _FOLD_SHARE:  # faint, and as long as the sheet: the line most like a crack that a sheet has
            before = int(rng.integers(size // 8, 7 * size // 8))
            quarters = int(rng.choice((1, 2, 2, 2, 2, 3)))  # the one in the middle is often sharp
            if upright:
                x = quarters * columns // 4 - before
            else:
                y = quarters * rows // 4 - before
        elif draw < 0.85:
            x = int(rng.choice((0, columns - size)))
        else:
            y = int(rng.choice((0, rows // 2 - size // 2, rows - size)))
    x, y = min(max(x, 0), columns - size), min(max(y, 0), rows - size)
    mask = cracks_at(sheet, x, y, size)
    return sheet.image[y : y + size, x : x + size].copy(), mask, around(mask) & ~mask


def cracks_at(sheet: Sheet, x: int, y: int, size: int) -> NDArray[np.bool_]:
    """The cracks' pixels (size, size) of a square of a sheet, which may reach beyond it; (x, y) is its top left."""
    mask = np.zeros((size, size), np.bool_)
    for crack in sheet.truth.cracks:
        left, top = max(crack.x, x), max(crack.y, y)
        right, bottom = min(crack.x + crack.width, x + size), min(crack.y + crack.height, y + size)
        if left < right and top < bottom:
            part = crack.pixels[top - crack.y : bottom - crack.y, left - crack.x : right - crack.x]
            mask[top - y : bottom - y, left - x : right - x] |= part
    return mask


_sheets = SheetCrops()


def sheet_crop(rng: np.random.Generator, size: int, sheets: SheetCrops = _sheets) -> LabelledCrop:
    """A crop of sheets, half of them with rough cracks painted on it."""
    image, mask, ignore = sheets(rng, size)
    if rng.random() >= _ROUGH_ON_SHEETS:
        return image, mask, ignore
    picture = image.astype(np.float32)
    seen, unsure = rough.add_cracks(
        rng, picture, disturbance_of(picture, np.zeros_like(picture)), rng.uniform(0, np.pi)
    )
    mask = mask | seen
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8), mask, (ignore | unsure | around(seen)) & ~mask


_FAMILIES = (
    (0.24, sheet_crop),
    (0.06, other_formulas.training_window),
    (0.18, pressed.training_window),
    (0.14, wild.training_window),
    (0.12, reflected.training_window),
    (0.12, strung.training_window),
    (0.14, embossed.training_window),
)
"""What the shipped detector is trained on, with the share of each: the training products, and six families. Those share
no formula for the ground, but that embossed and reflected forms reflect light alike."""


def training_crop(rng: np.random.Generator, size: int) -> LabelledCrop:
    """A crop of one of the families, by their shares."""
    shares = [share for share, _ in _FAMILIES]
    return _FAMILIES[int(rng.choice(len(shares), p=shares))][1](rng, size)


def paint_on_metal(
    rng: np.random.Generator, picture: NDArray[np.float32], noise: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Paint cracks on a photograph (grey levels, changed in place) that will get noise of that sigma; most are rough.

    Returns:
        The cracks' pixels, and those too faint to be asked for.
    """
    flat = np.zeros_like(picture)
    disturbance = np.asarray(np.hypot(disturbance_of(picture, flat), np.float32(0.5 * noise)), np.float32)
    paint_cracks = rough.add_cracks if rng.random() < _ROUGH_ON_METAL else pressed.add_cracks
    return paint_cracks(rng, picture, disturbance, rng.uniform(0, np.pi))


def scratch_on_metal(rng: np.random.Generator, picture: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Paint a bright scratch on a photograph (grey levels, changed in place) as steel has them: thin, and often long.

    Returns:
        Its pixels.
    """
    height, width = picture.shape
    bend = 0.02 if rng.random() < 0.5 else abs(rng.normal(0, 0.3))
    line = centre_line(rng, rng.uniform(0, 2 * np.pi), log_uniform(rng, 50, 900), bend)
    xs, ys = line.moved(rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height).points(64)
    points = np.round(np.stack([xs, ys], axis=1) * 16).astype(np.int32).reshape(-1, 1, 2)
    drawn = np.zeros(picture.shape, np.uint8)
    cv2.polylines(drawn, [points], False, (255,), int(rng.integers(1, 7)), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(drawn, (0, 0), rng.uniform(0.4, 1.2)).astype(np.float32)
    soft /= max(float(soft.max()), 1.0)
    uneven = cv2.GaussianBlur(rng.standard_normal(picture.shape).astype(np.float32), (0, 0), rng.uniform(2, 12))
    uneven = np.clip(1 + rng.uniform(0, 0.5) * uneven / (float(uneven.std()) + 1e-6), 0.2, 1.5).astype(np.float32)
    picture += soft * uneven * np.float32(log_uniform(rng, 12, 110))
    return np.asarray(soft > 0.4)
