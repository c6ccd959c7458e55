"""What light, lens and dust make of every sheet that passes: the slow faults of a line's optics, on request."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from simulator.line.replay import Image, Picture
from simulator.sheets.reference import load_reference


@dataclass(frozen=True, slots=True)
class AgeingOptics:
    """Faults of the optics, the same for every sheet or growing from one to the next."""

    width: int
    """Columns of the camera."""
    after: int = 0
    """Sheets that pass before any of it begins."""
    light_a_sheet: float = 0.0
    """Share of the light that is lost with each sheet; negative: gained."""
    uneven: float = 0.0
    """Share of the light that is lost at the camera's last column, rising evenly from the first."""
    dust_column: int | None = None
    """First camera column that is shaded; None: no dust."""
    dust_width: int = 6
    """Columns that are shaded."""
    dust_share: float = 0.15
    """Share of the light that the dust takes."""
    defocus_a_sheet: float = 0.0
    """Px by which the blur's sigma grows with each sheet."""

    def seen(self, number: int, column: int, picture: Picture) -> Picture:
        """The picture of sheet `number`, from 0, whose first px lies in that camera column, as the camera sees it."""
        aged = number - self.after
        if aged < 0:
            return picture
        across = np.arange(column, column + picture.width)
        light = (1 - self.uneven * across / max(1, self.width - 1)) * max(0.0, 1 - self.light_a_sheet * (aged + 1))
        if self.dust_column is not None:
            shaded = (across >= self.dust_column) & (across < self.dust_column + self.dust_width)
            light = light * np.where(shaded, 1 - self.dust_share, 1.0)
        return _Seen(picture, light.astype(np.float32), self.defocus_a_sheet * (aged + 1), number)


class _Seen:
    """A picture through those optics."""

    def __init__(self, picture: Picture, light: NDArray[np.float32], sigma: float, number: int) -> None:
        self._picture, self._light, self._sigma, self._number = picture, light, sigma, number
        self.width, self.height = picture.width, picture.height

    def rows(self, first: int, last: int) -> Image:
        """Rows [first, last), blurred with those beside them."""
        reach = ceil(3 * self._sigma)
        top, bottom = max(0, first - reach), min(self.height, last + reach)
        grey = np.multiply(self._picture.rows(top, bottom), self._light, dtype=np.float32)
        if reach:
            cv2.GaussianBlur(grey, (0, 0), self._sigma, dst=grey, borderType=cv2.BORDER_REPLICATE)
            # The sensor's noise is added after the lens has blurred.
            sensor = load_reference().sensor
            rng = np.random.default_rng((self._number, first))
            noise = rng.standard_normal(grey.shape, np.float32)
            grey += noise * np.sqrt(sensor.dark_noise**2 + sensor.gain * np.maximum(grey, 0))
        return np.clip(np.rint(grey[first - top : last - top]), 0, 255).astype(np.uint8)

    def close(self) -> None:
        """Let go of the picture."""
        self._picture.close()
