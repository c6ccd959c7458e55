"""Image files as rows of 8 bit grey values: TIFF in bands, PNG, BMP and JPEG decoded whole.

Deeper samples are scaled by the full range of the bits that they have, of which models/images/depth.py knows.
EXIF orientation, gamma and colour profiles are ignored: pixels are taken as stored.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from models.images.depth import USER
from models.images.kinds import HEAD_BYTES, NotRegularError, kind_of, open_regular
from models.images.source import ImageError, ImageSource, cmyk_to_grey, decoding, require_memory, to_grey

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ImageError", "ImageSource", "open_image"]

_SUPPORTED = "TIFF, PNG, BMP or JPEG"
_MOST_JPEG = 512  # px a byte: each block of 8 x 8 px has a code of 1 bit at least


def open_image(path: Path | str, bits: int | None = None) -> ImageSource:
    """Open an image file by its content, whatever its name.

    Args:
        path: a regular file of 8 or 16 bit samples (or 1 to 16 bit as the format has them), grey or colour.
        bits: significant bits of samples deeper than 8 bit, 1 to 16. None: what the file states, else the bits of a
            sample; where the values do not reach these, the image has a `depth_doubt` once it is loaded.

    Raises:
        ImageError: the file cannot be read, is damaged, or does not fit in memory.
        ValueError: `bits` is out of range.
    """
    if bits is not None and not 1 <= bits <= 16:
        raise ValueError(f"bits must be from 1 to 16, not {bits}")
    file = _open_file(Path(path))
    try:
        with decoding():
            source = _open_by_content(file, bits)
    except ImageError:
        file.close()
        raise
    if bits is not None and source.bits <= 8 < bits:
        source.warnings += (f"{USER} says {bits} bits, but the file's samples have {source.bits}",)
    return source


def _open_file(path: Path) -> BinaryIO:
    try:
        return open_regular(path)
    except NotRegularError as error:
        raise ImageError("is a pipe or device, not a regular file; save the image to a file first") from error
    except IsADirectoryError as error:
        raise ImageError("is a directory; name the image files in it") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(f"cannot open the file: {reason}; check the path and its permissions") from error


def _open_by_content(file: BinaryIO, bits: int | None) -> ImageSource:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if not head:
        raise ImageError("the file is empty (0 bytes); write it again")
    match kind_of(head):
        case "TIFF":
            from models.images.tiff import TiffSource  # noqa: PLC0415 - its libraries are loaded for TIFF only

            return TiffSource(file, bits)
        case "PNG":
            from models.images.png import PngSource  # noqa: PLC0415 - the same

            return PngSource(file, bits)
        case "BMP" | "JPEG" as kind:
            return _PillowSource(file, kind)
    raise ImageError(f"not a {_SUPPORTED} image: the file begins with {head[:8]!r}; convert it to one of these")


class _PillowSource(ImageSource):
    """A BMP or JPEG, decoded whole by Pillow, whose decoders refuse a file that ends early."""

    bits = 8

    def __init__(self, file: BinaryIO, kind: str) -> None:
        import PIL.Image  # noqa: PLC0415 - loaded for BMP and JPEG only

        # the memory that is left limits an image here, not a count of pixels
        PIL.Image.MAX_IMAGE_PIXELS = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that is not read here
            try:
                image: Image = PIL.Image.open(file, formats=(kind,))
            except PIL.UnidentifiedImageError as error:
                raise ImageError(f"truncated, damaged or unsupported {kind} header; write the file again") from error
            self.width, self.height = image.size
            _check_size(file, kind, self.width, self.height)
            pixel = 1 if image.mode in ("1", "L", "P") else 4
        self._needed = self.width * self.height * pixel
        self._file, self._kind, self._image, self._loaded = file, kind, image, False

    def load(self) -> None:
        """Decode the pixels."""
        if self._loaded:
            return
        kind = self._kind
        what = f"a {kind} of {self.width} x {self.height} px is decoded whole: its pixels"
        require_memory(self._needed, what)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._image.load()
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                raise ImageError(f"truncated or damaged {kind}: {error}; write the file again") from error
        self._file.close()
        self._loaded = True

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        band = self._image.crop((0, first, self.width, last))
        if band.mode == "CMYK":
            return cmyk_to_grey(np.asarray(band), None)
        if band.mode == "1":
            band = band.convert("L")
        elif band.mode not in ("L", "RGB"):
            band = band.convert("RGB")
        return to_grey(np.asarray(band), None)

    def close(self) -> None:
        self._file.close()
        self._image.close()
        self._image.im = None  # type: ignore[assignment]  # lets go of the pixels


def _check_size(file: BinaryIO, kind: str, width: int, height: int) -> None:
    """Refuse a header that claims more pixels than the file can hold, before memory is taken for them."""
    size = os.fstat(file.fileno()).st_size
    if kind == "JPEG":
        whole = size * _MOST_JPEG >= width * height
    else:
        place = file.tell()
        file.seek(0)
        head = file.read(34)
        file.seek(place)
        old = int.from_bytes(head[14:18], "little") < 40
        packed = not old and int.from_bytes(head[30:34], "little") in (1, 2)  # run lengths, no fixed size
        depth = int.from_bytes(head[24:26] if old else head[28:30], "little")
        whole = packed or size >= 26 + height * ((width * depth + 31) // 32 * 4)
    if not whole:
        raise ImageError(
            f"truncated {kind} or false header: {size:,} bytes cannot hold {width} x {height} px; write the file again"
        )
