"""Random lines and fields that the drawn family is made of: slow processes, patchy fields, spectra, nearest points."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

Field = NDArray[np.float32]


def settle(values: NDArray[Any]) -> Field:
    """`values` less their mean, in units of their standard deviation, float32."""
    spread = float(values.std())
    return np.asarray((values - values.mean()) / max(spread, 1e-6), np.float32)


def process(rng: np.random.Generator, lines: int, length: int, scale: float) -> Field:
    """(lines, length) smooth random processes of about unit deviation, that turn every `scale` samples."""
    knots = rng.standard_normal((lines, int(length / scale) + 5), dtype=np.float32)
    wide = round(knots.shape[1] * scale)
    fine = cv2.resize(knots, (max(wide, length + 2), lines), interpolation=cv2.INTER_CUBIC)
    start = int(rng.integers(0, fine.shape[1] - length))
    return np.asarray(fine[:, start : start + length], np.float32)


def patchy(rng: np.random.Generator, rows: int, columns: int, cell: float) -> Field:
    """(rows, columns) smooth random field of about unit deviation, that turns every `cell` pixels."""
    knots = rng.standard_normal((int(rows / cell) + 4, int(columns / cell) + 4), dtype=np.float32)
    size = (max(round(knots.shape[1] * cell), columns), max(round(knots.shape[0] * cell), rows))
    return np.asarray(cv2.resize(knots, size, interpolation=cv2.INTER_CUBIC)[:rows, :columns], np.float32)


def spectral(
    rng: np.random.Generator,
    rows: int,
    columns: int,
    wavelengths: tuple[float, float],
    slope: float,
    stretch: float = 1,
) -> Field:
    """(rows, columns) unit noise of the `wavelengths` (px, from, to), its amplitude falling by f^-slope.

    It is made at half size: no wavelength under 4 px. `stretch` over 1 draws it out along the columns.
    """
    high, wide = fft.next_fast_len(rows // 2 + 1, real=True), fft.next_fast_len(columns // 2 + 1, real=True)
    across, down = fft.rfftfreq(wide).astype(np.float32) * stretch, fft.fftfreq(high).astype(np.float32)
    frequency = np.maximum(np.sqrt(across[None] ** 2 + down[:, None] ** 2), 1e-5)
    low, top = 2 / wavelengths[1], 2 / wavelengths[0]
    envelope = frequency**-slope * np.exp(-((frequency / top) ** 2)) * (1 - np.exp(-((frequency / low) ** 2)))
    white = rng.standard_normal((*envelope.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    noise = settle(fft.irfft2(white * envelope.astype(np.float32), s=(high, wide)))
    whole = cv2.resize(noise, (2 * wide, 2 * high), interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[:rows, :columns], np.float32)


def nearest(points: NDArray[Any], rows: int, columns: int) -> tuple[Field, NDArray[np.intp]]:
    """For each pixel of (rows, columns): the signed distance (px) to the line through `points`, and the nearest point.

    Args:
        points: (n, 2) x, y, at most about 2 px apart; those outside are left out.
        rows: height.
        columns: width.

    Returns:
        Distance, float32, over 0 on the right of the line; and an index into `points`. Distances are 1e6 if no point
        is inside.
    """
    cell = np.rint(points).astype(int)
    kept = np.flatnonzero((cell[:, 0] >= 0) & (cell[:, 0] < columns) & (cell[:, 1] >= 0) & (cell[:, 1] < rows))
    if kept.size == 0:
        return np.full((rows, columns), 1e6, np.float32), np.zeros((rows, columns), np.intp)
    x, y = cell[kept, 0], cell[kept, 1]
    open_ = np.ones((rows, columns), np.uint8)
    open_[y, x] = 0
    _, labels = cv2.distanceTransformWithLabels(open_, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(labels.max()) + 1, np.intp)
    table[labels[y, x]] = kept
    index = table[labels]
    tangent = np.gradient(points.astype(np.float32), axis=0) if len(points) > 1 else np.ones((1, 2), np.float32)
    where = points.astype(np.float32)[index]
    dx = np.arange(columns, dtype=np.float32)[None] - where[..., 0]
    dy = np.arange(rows, dtype=np.float32)[:, None] - where[..., 1]
    side = np.where(tangent[index, 0] * dy - tangent[index, 1] * dx >= 0, 1, -1)
    return np.asarray(np.hypot(dx, dy) * side, np.float32), index
