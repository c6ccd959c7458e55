"""What every image reader shares: the face of an opened image, its error, grey values and the limit of memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from config.errors import shown_bytes
from models.machine.memory import available_bytes


class ImageError(Exception):
    """An image cannot be read; the message says what was wrong, what was found and what to do."""


@contextmanager
def decoding() -> Iterator[None]:
    """What goes wrong within is the image's fault, and becomes an ImageError: decoders raise whatever they like."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("not enough memory to decode the image; convert it to a TIFF of many strips") from error
    except Exception as error:
        text = str(error).strip()
        words = text.splitlines()[0][:200] if text else type(error).__name__
        raise ImageError(f"damaged or unsupported image: {words}; write the file again") from error


class ImageSource(ABC):
    """An opened image, read as rows of grey values.

    Rows are read in any order, cheapest from top to bottom; memory is bounded by the rows asked for (TIFF) or by
    the decoded image (other formats), and asked for only when the first rows are. Opening checks the header and that
    the file is whole as far as its header tells; damage inside compressed pixels shows when their rows are read.
    """

    width: int
    """px"""
    height: int
    """px"""
    bits: int
    """Bits of a sample that are taken as its full range; of one with more than 8, known once it is loaded."""
    depth_doubt: str = ""
    """Why the bits of its samples are not known (models/images/depth.py), once it is loaded; empty where they are."""
    warnings: tuple[str, ...] = ()
    """What the user should know of how the file was read."""
    further_pages: str = ""
    """Says that pages beyond the first are there, which are not read; empty for a file of one page."""

    def load(self) -> None:  # noqa: B027 - most have nothing to do before their rows
        """Take the memory and do the work that the first rows would cost, so that they come at once.

        Until then only the header was looked at.

        Raises:
            ImageError: the pixels are damaged, or do not fit in memory.
        """

    def rows(self, first: int, last: int) -> NDArray[np.uint8]:
        """Grey values of the rows [first, last), shape (last - first, width), read-only by convention.

        Raises:
            ImageError: the pixels are damaged, or the rows do not fit in memory.
            ValueError: the rows are not in the image.
        """
        if not 0 <= first <= last <= self.height:
            raise ValueError(f"rows [{first}, {last}) asked of an image of {self.height} rows")
        if first == last:
            return np.zeros((0, self.width), np.uint8)
        require_memory((last - first) * self.width, f"{last - first} rows of {self.width} px")
        with decoding():
            self.load()
            return self._rows(first, last)

    @abstractmethod
    def _rows(self, first: int, last: int) -> NDArray[np.uint8]: ...

    @abstractmethod
    def close(self) -> None:
        """Close the file and let go of the pixels."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def range_table(bits: int, *, inverted: bool = False) -> NDArray[np.uint8]:
    """Grey level of each of the 65,536 sample values when 2^bits - 1 is full scale; values beyond are clipped."""
    top = (1 << bits) - 1
    values = np.minimum(np.arange(65536, dtype=np.int64), top)
    grey = ((2 * 255 * values + top) // (2 * top)).astype(np.uint8)
    return 255 - grey if inverted else grey


def to_grey(samples: NDArray[Any], table: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Grey values of samples (n, w) or (n, w, channels): grey, grey and alpha, RGB or RGB and alpha.

    Colour is weighted by BT.601 (0.299 R + 0.587 G + 0.114 B) before `table` scales it; alpha is ignored, also
    where it says that a pixel is transparent.
    """
    if samples.ndim == 3 and samples.shape[2] >= 3:
        import cv2  # noqa: PLC0415 - only colour images pay for it

        grey: NDArray[Any] = np.asarray(cv2.cvtColor(np.ascontiguousarray(samples[:, :, :3]), cv2.COLOR_RGB2GRAY))
        grey = grey.reshape(samples.shape[:2])
    elif samples.ndim == 3:
        grey = samples[:, :, 0]
    else:
        grey = samples
    if table is not None:
        scaled: NDArray[np.uint8] = table[grey]
        return scaled
    plain: NDArray[np.uint8] = np.ascontiguousarray(grey, dtype=np.uint8)
    return plain


def cmyk_to_grey(samples: NDArray[Any], table: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Grey values of samples (n, w, 4) of cyan, magenta, yellow and black ink, full scale being full ink."""
    ink = samples[:, :, :4] if table is None else table[samples[:, :, :4]]
    paper = to_grey(255 - ink[:, :, :3], None).astype(np.uint16)
    light = np.uint16(255) - ink[:, :, 3]
    return ((paper * light + 127) // 255).astype(np.uint8)


def require_memory(needed: int, what: str) -> None:
    """Refuse what would not fit in the memory that is left, before it is allocated.

    Raises:
        ImageError: `needed` bytes are more than can be had.
    """
    if needed < 1 << 26:  # so little is always tried
        return
    available = available_bytes()
    if needed > available:
        raise ImageError(
            f"not enough memory: {what} need {shown_bytes(needed)}, {shown_bytes(available)} are available; "
            "check that the file's header is sound, or convert the image to a TIFF of many strips"
        )
