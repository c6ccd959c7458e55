"""Where cracks go: on flanks and crests, apart from each other, and as strong as an eye needs."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.strangers.shaded_cracks import Layer, crack, draw
from simulator.strangers.shaded_fields import Field

APART = 80
"""Least distance of two cracks, pixels."""
WEAKEST, STRONGEST = 7.0, 46.0
"""Least and most mean strength of a crack, grey levels."""
EDGE = 30
"""Least distance of a crack from the edge of the picture, pixels."""
TRIES = 2000


def noise_of(metal: Field, where: NDArray[np.bool_]) -> float:
    """Sigma of what is finer than 4 px there, grey levels: by the median, so that one crest line does not count."""
    fine = (metal - cv2.GaussianBlur(metal, (0, 0), 4.0))[where]
    return 1.4826 * float(np.median(np.abs(fine - np.median(fine))))


class Places:
    """Puts cracks on a picture, one by one."""

    def __init__(self, image: Field, height: Field, taken: NDArray[np.bool_], depth: float, period: float) -> None:
        """Takes the picture without cracks, (rows, columns), the metal's height and where no crack may lie."""
        self.image = image
        self.height = height
        self.taken = taken
        self.depth = depth
        self.period = period
        self.instances = np.zeros(image.shape, dtype=np.uint16)
        self.last: tuple[float, float] | None = None

    def put(self, rng: np.random.Generator, number: int) -> None:
        """Puts crack `number` on the picture.

        Raises:
            ValueError: There is no place left for it.
        """
        rows, columns = self.image.shape
        strands = crack(rng)
        relative = math.radians(float(rng.choice([90.0, 0.0, rng.uniform(20, 70)], p=[0.4, 0.25, 0.35])))
        relative += 0.15 * float(rng.normal())
        strength = float(np.exp(rng.uniform(math.log(WEAKEST), math.log(STRONGEST))))
        wanted = str(rng.choice(["flank", "crest", "any"], p=[0.5, 0.38, 0.12]))
        flock = self.last is not None and rng.random() < 0.25
        for attempt in range(TRIES):
            if attempt and attempt % 40 == 0:
                strands, wanted, flock = crack(rng), "any", False
            x, y = rng.uniform(EDGE, columns - EDGE), rng.uniform(EDGE, rows - EDGE)
            if flock and self.last is not None and attempt < 30:
                x, y = (float(v) for v in np.array(self.last) + rng.normal(size=2) * 150)
            if not self.suits(x, y, wanted):
                continue
            layer = draw(rng, strands, self.ridge(x, y) + relative)
            if self.add(layer, round(x), round(y), strength, number):
                self.last = (x, y)
                return
        raise ValueError(
            f"no place for crack {number} on a sheet of {rows} by {columns} px after {TRIES} tries: "
            "ask for fewer cracks or a larger sheet"
        )

    def suits(self, x: float, y: float, wanted: str) -> bool:
        """Whether that point lies free, and on a flank or a crest as wanted."""
        rows, columns = self.image.shape
        if not (EDGE <= x < columns - EDGE and EDGE <= y < rows - EDGE) or self.taken[int(y), int(x)]:
            return False
        level = float(self.height[int(y), int(x)]) / self.depth
        if wanted == "any":
            return True
        return 0.2 < level < 0.8 if wanted == "flank" else level > 0.85

    def ridge(self, x: float, y: float) -> float:
        """Direction of the ridge there, radians."""
        reach = int(self.period * 0.45)
        part = self.height[max(0, int(y) - reach) : int(y) + reach : 3, max(0, int(x) - reach) : int(x) + reach : 3]
        q, p = np.gradient(cv2.GaussianBlur(part, (0, 0), 2.0))
        return 0.5 * math.atan2(2 * float((p * q).sum()), float((p * p - q * q).sum())) + math.pi / 2

    def add(self, layer: Layer, x: int, y: int, strength: float, number: int) -> bool:
        """Adds a drawn crack about that point if it lies free and can be seen there; says whether it did."""
        rows, columns = self.image.shape
        half = layer.mask.shape[0] // 2
        where_y, where_x = np.nonzero(layer.mask)
        if not len(where_y):
            return False
        low = (where_y.min() + y - half, where_x.min() + x - half)
        high = (where_y.max() + y - half, where_x.max() + x - half)
        if min(low) < EDGE or high[0] >= rows - EDGE or high[1] >= columns - EDGE:
            return False
        # The canvas, cut to the picture.
        top, left = max(0, y - half), max(0, x - half)
        bottom, right = min(rows, y + half + 1), min(columns, x + half + 1)
        inner = np.s_[top - y + half : bottom - y + half, left - x + half : right - x + half]
        light, mask, box = layer.light[inner], layer.mask[inner], np.s_[top:bottom, left:right]
        if self.taken[box][mask].any():
            return False
        lit = self.seen(self.image[box], light, mask, strength)
        if lit is None:
            return False
        self.image[box] = lit
        self.instances[box][mask] = number
        self.block(mask, top, left)
        return True

    @staticmethod
    def seen(metal: Field, light: Field, mask: NDArray[np.bool_], strength: float) -> Field | None:
        """The metal with the crack on it, made as strong as it has to be there to be seen; None where it cannot be."""
        near = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25))) > 0
        rough = noise_of(metal, near)
        long = math.hypot(*(float(np.ptp(axis)) for axis in np.nonzero(mask)))
        least = max(WEAKEST, 2 * rough) * (1.08 + 10 / (long + 5))  # an eye needs more of a short line
        ring = near & ~(cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0)
        beside = float(metal[mask].mean() - metal[ring].mean())
        needed = max(least, least - beside + 0.5)  # on a dark line it has to make up for the dark as well
        level = max(strength, needed)
        if level > STRONGEST or beside < -8 or float(np.percentile(metal[mask], 90)) + 1.5 * level > 250:
            return None
        return metal + light * np.float32(level)

    def block(self, mask: NDArray[np.bool_], top: int, left: int) -> None:
        """Keeps the next crack away from this one."""
        rows, columns = self.image.shape
        margin = APART + 2
        above, before = min(margin, top), min(margin, left)
        below = min(margin, rows - top - mask.shape[0])
        after = min(margin, columns - left - mask.shape[1])
        wide = np.pad(~mask, ((above, below), (before, after)), constant_values=True)
        near = cv2.distanceTransform(wide.astype(np.uint8), cv2.DIST_L2, 5) < margin
        self.taken[top - above : top + mask.shape[0] + below, left - before : left + mask.shape[1] + after] |= near
