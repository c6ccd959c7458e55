"""Crops as the classifier sees them: 224 px around a crack, or around what could be taken for one.

Cracks of every family, in both polarities; without a crack: folds, ridges, edges, port rims, oil, and what the
families of training windows hold of hair scratches, spots, rings, dirt and print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count as counting
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.crops import other_formulas, pressed, reflected, strung, wild
from simulator.crops.cut import TRAINING_PRODUCTS, cracks_at, stretch_of
from simulator.sheets.interference import Kind
from simulator.sheets.products import PRODUCTS, Product
from simulator.sheets.reference import load_reference
from simulator.sheets.relief import ports_of
from simulator.sheets.sheet import Sheet, render

SIDE = 224
"""Rows and columns of a crop, px of the sheet."""
TEST_PRODUCTS = tuple(name for name in PRODUCTS if name not in TRAINING_PRODUCTS)
"""Never trained on."""

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_FIRST_SEED = 6_000_000
"""Of sheets to train on: far from the test seeds of reference.yaml."""
_ENDS_SHARE = 0.5
"""Of the stretches of products with zones at the ends of their sheets, where ridges are narrower."""
_CRACKS = 40
_CROPS_A_SHEET = 40
_SHEET_SHARE = 0.6
_FAMILIES = (("samples", 0.2), ("otherwise", 0.12), ("pressed", 0.28), ("reflected", 0.2), ("strung", 0.2))
"""Families of windows and their shares; the first three are of simulator.crops.wild, other_formulas and pressed, under
their first names: groups of crops are named by them, and by the hashes of the groups cards say what weights have learnt
from.
"""
_LINES_SHARE = 0.7
"""Of the crops of families without a crack, so many lie around what looks most like a line, as a detector's do."""
_WINDOW = 288
"""Side of a family's window that a crop is cut from, so that a crack may lie anywhere in it."""
_DARK_SHARE = 0.25
"""Of the crops to train on whose polarity is turned round: cracks may be dark where a recipe says so."""
_JITTER = 14.0
"""Px by which a detector's peak misses the crack's pixel that the crop is cut around, standard deviation."""
_LEAST_PIXELS = 120
"""Of a crack inside its crop."""
_APART = 10
"""Px around a crop without a crack that hold none either."""
_LEAST_HEIGHT, _LEAST_TO_NOISE = 5.0, 1.5
"""Grey levels, and pixel noises, under which a crack cannot be asked for;"""
_LEAST_TO_SPREAD = 0.8
"""and, in a family's window, standard deviations of the metal beside it."""
_TRIES = 60
_PLACES = (("fold", 0.3), ("edge", 0.15), ("port", 0.15), ("oil", 0.1), ("ridges", 0.3))
_INTERFERENCE: tuple[tuple[Kind, ...], ...] = ((), (), ("oil",), ("noise",), ("light",), ("light", "oil"))


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One crop."""

    pixels: Image
    """(SIDE, SIDE)."""
    mask: Mask
    """The crack's pixels; none in a crop without one."""
    maker: str
    """Product of the sheet, or family of the window."""
    kind: str
    """`crack`, or what could be taken for one: `fold`, `edge`, `port`, `oil`, `ridges`, `lookalikes`."""
    group: str
    """Crops of one sheet bear the same."""

    @property
    def crack(self) -> bool:
        """Whether it shows one."""
        return bool(self.mask.any())


def training_crops(seed: int, count: int) -> Iterator[Cut]:
    """So many crops to train on, half with a crack: families of windows, and sheets of the training products."""
    of_sheets = round(_SHEET_SHARE * count)
    rng = np.random.default_rng([seed, 0])
    for cut in sheet_crops(TRAINING_PRODUCTS, _FIRST_SEED + 100_000 * seed, of_sheets):
        yield _turned_round(rng, cut)
    for index in range(count - of_sheets):
        rng = np.random.default_rng([seed, 1 + index])
        family = _drawn(rng, _FAMILIES)
        yield _turned_round(rng, _of_family(rng, family, f"{family}/{seed}-{index}", crack=index % 2 == 0))


def test_crops(count: int) -> Iterator[Cut]:
    """So many crops of sheets of the test products, half with a crack."""
    return sheet_crops(TEST_PRODUCTS, load_reference().test_seeds[TEST_PRODUCTS[0]][0], count)


def sheet_crops(products: Sequence[str], first_seed: int, count: int) -> Iterator[Cut]:
    """So many crops of sheets of these products in turn, half with a crack; a seed to each sheet."""
    found = stretches(products, first_seed, _CRACKS, _INTERFERENCE, stream=2)
    cuts = (cut for rng, sheet, product in found for cut in _of_sheet(rng, sheet, product))
    return islice(cuts, count)


def stretches(
    products: Sequence[str], first_seed: int, cracks: int, interference: Sequence[tuple[Kind, ...]], *, stream: int
) -> Iterator[tuple[np.random.Generator, Sheet, Product]]:
    """Stretches of sheets of these products in turn without end, a seed to each, half of them with a sheet's ends.

    Each with its product and what draws where to cut; streams of the same seed draw apart.
    """
    for seed in counting(first_seed):
        rng = np.random.default_rng([seed, stream])
        product = stretch_of(rng, PRODUCTS[products[seed % len(products)]], _ENDS_SHARE)
        kinds = interference[int(rng.integers(len(interference)))]
        yield rng, render(product, seed, cracks, interference=kinds, strength=rng.uniform(0.3, 1.0)), product


def _drawn(rng: np.random.Generator, shares: Sequence[tuple[str, float]]) -> str:
    return str(rng.choice([name for name, _ in shares], p=[share for _, share in shares]))


def _turned_round(rng: np.random.Generator, cut: Cut) -> Cut:
    return replace(cut, pixels=255 - cut.pixels) if rng.random() < _DARK_SHARE else cut


# --- sheets ------------------------------------------------------------------------------------------------------


def _of_sheet(rng: np.random.Generator, sheet: Sheet, product: Product) -> Iterator[Cut]:
    """Crops of one sheet, with and without a crack in turn; fewer where the sheet has too few places."""
    group = f"{product.name}/{sheet.truth.seed}"
    for index in range(_CROPS_A_SHEET):
        kind = "crack" if index % 2 == 0 else _drawn(rng, _PLACES)
        for _ in range(_TRIES):
            spot = _crack_spot(rng, sheet) if kind == "crack" else _spot(rng, sheet, product, kind)
            if spot is None:  # no crack to be seen, or no oil
                break
            x, y = _inside(spot, sheet.image.shape)
            mask = cracks_at(sheet, x - _APART, y - _APART, SIDE + 2 * _APART)
            inner = mask[_APART:-_APART, _APART:-_APART]
            if inner.sum() >= _LEAST_PIXELS if kind == "crack" else not mask.any():
                yield Cut(sheet.image[y : y + SIDE, x : x + SIDE].copy(), inner, product.name, kind, group)
                break


def _inside(spot: tuple[float, float], shape: tuple[int, ...]) -> tuple[int, int]:
    """Left and top of the crop around a place, shifted to lie on the sheet."""
    x, y = int(spot[0]) - SIDE // 2, int(spot[1]) - SIDE // 2
    return min(max(x, 0), shape[1] - SIDE), min(max(y, 0), shape[0] - SIDE)


def _crack_spot(rng: np.random.Generator, sheet: Sheet) -> tuple[float, float] | None:
    """Near a pixel of a crack that can be seen."""
    cracks = sheet.truth.cracks
    for index in rng.permutation(len(cracks))[:10].tolist():
        crack = cracks[index]
        ys, xs = np.nonzero(crack.pixels)
        at = int(rng.integers(len(ys)))
        x, y = crack.x + int(xs[at]), crack.y + int(ys[at])
        around = sheet.image[max(0, y - 40) : y + 40, max(0, x - 40) : x + 40].astype(np.float32)
        noise = 1.2 * float(np.std(around - cv2.GaussianBlur(around, (0, 0), 1.5)))
        if crack.visible > 0.6 and crack.height_grey > max(_LEAST_HEIGHT, _LEAST_TO_NOISE * noise):
            return x + rng.normal(0, _JITTER), y + rng.normal(0, _JITTER)
    return None


def _spot(rng: np.random.Generator, sheet: Sheet, product: Product, kind: str) -> tuple[float, float] | None:
    rows, columns = sheet.image.shape
    x, y = rng.uniform(0, columns), rng.uniform(0, rows)
    if kind == "fold":
        shift = int(rng.choice((1, 2, 2, 3))) / 4
        away = rng.normal(0, 25)
        return (shift * columns + away, y) if product.upright else (x, shift * rows + away)
    if kind == "edge":
        side = int(rng.integers(4))
        return ((0.0, y), (float(columns), y), (x, 0.0), (x, float(rows)))[side]
    if kind == "port":
        ports = ports_of(product)
        port = ports[int(rng.integers(len(ports)))]
        turn, reach = rng.uniform(0, 2 * math.pi), port.radius * rng.uniform(0.97, 1.3)
        return (
            (port.x + reach * math.cos(turn)) / product.column_mm,
            (port.y + reach * math.sin(turn)) / product.row_mm,
        )
    return _oil_spot(rng, sheet, product) if kind == "oil" else (x, y)


def _oil_spot(rng: np.random.Generator, sheet: Sheet, product: Product) -> tuple[float, float] | None:
    """On a dark block, or at its border; None where the sheet has none."""
    if "oil" not in sheet.truth.interference:
        return None
    coarse = cv2.resize(sheet.image, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    ys, xs = np.nonzero(coarse < 50)
    x, y = 16.0 * xs, 16.0 * ys
    free = np.minimum.reduce((x, y, sheet.image.shape[1] - x, sheet.image.shape[0] - y)) > 96
    for port in ports_of(product):
        free &= np.hypot(x * product.column_mm - port.x, y * product.row_mm - port.y) > 1.1 * port.radius
    places = np.flatnonzero(free)
    if places.size == 0:
        return None
    at = places[int(rng.integers(places.size))]
    return float(x[at]) + rng.normal(0, 60), float(y[at]) + rng.normal(0, 60)


# --- families of windows -----------------------------------------------------------------------------------------

_Window = Callable[..., tuple[Image, Mask, Mask]]
WINDOWS: dict[str, _Window] = {
    "samples": wild.training_window,
    "otherwise": other_formulas.training_window,
    "pressed": pressed.training_window,
    "reflected": reflected.training_window,
    "strung": strung.training_window,
}
"""What draws a window of each of them."""


def _of_family(rng: np.random.Generator, family: str, group: str, *, crack: bool) -> Cut:
    while True:
        # A dark line beside the cracks would be one in the other polarity, and scratches stand in for cracks.
        image, mask, ignore = WINDOWS[family](rng, _WINDOW, other_lines=False)
        if crack:
            ys, xs = np.nonzero(mask)
            if len(ys) == 0:
                continue
            at = int(rng.integers(len(ys)))
            spot = xs[at] + rng.normal(0, _JITTER), ys[at] + rng.normal(0, _JITTER)
        elif rng.random() < _LINES_SHARE:
            spot = _line_spot(rng, image)
        else:
            spot = rng.uniform(0, _WINDOW), rng.uniform(0, _WINDOW)
        x, y = _inside(spot, image.shape)
        part = slice(y, y + SIDE), slice(x, x + SIDE)
        enough = crack and _plain(image[part], mask[part]).sum() >= _LEAST_PIXELS
        if enough if crack else not (mask[part].any() or ignore[part].any()):
            kind = "crack" if crack else "lookalikes"
            return Cut(image[part].copy(), mask[part].copy(), family, kind, group)


def _line_spot(rng: np.random.Generator, image: Image) -> tuple[float, float]:
    """One of the brightest places of a window at a crack's scale."""
    band = cv2.GaussianBlur(image, (0, 0), 2).astype(np.float32) - cv2.GaussianBlur(image, (0, 0), 9)
    best = np.flatnonzero(band >= np.percentile(band, 98))
    y, x = divmod(int(best[int(rng.integers(best.size))]), image.shape[1])
    return x + rng.normal(0, _JITTER), y + rng.normal(0, _JITTER)


def _plain(image: Image, mask: Mask) -> Mask:
    """The pixels of those of a crop's cracks that stand out from what lies beside them."""
    found = np.zeros_like(mask)
    smooth = cv2.GaussianBlur(image, (0, 0), 1.5).astype(np.float32)
    count, labels = cv2.connectedComponents(mask.view(np.uint8))
    for label in range(1, count):
        own = labels == label
        beside = (cv2.dilate(own.view(np.uint8), np.ones((25, 25), np.uint8)) > 0) & ~mask
        if not beside.any():
            continue
        height = float(smooth[own].mean() - smooth[beside].mean())
        if height > max(_LEAST_HEIGHT, _LEAST_TO_SPREAD * float(smooth[beside].std())):
            found |= own
    return found
