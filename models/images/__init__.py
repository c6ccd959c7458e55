"""Image files as rows of 8 bit grey values: TIFF in bands, PNG, BMP and JPEG decoded whole.

Deeper samples are scaled by their full range: the bits the caller knows, else what the file says, never by the
values that happen to be in it. EXIF orientation, gamma and colour profiles are ignored: pixels are taken as stored.
"""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from models.images.source import ImageError, ImageSource, cmyk_to_grey, require_memory, to_grey

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ImageError", "ImageSource", "open_image"]

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SUPPORTED = "TIFF, PNG, BMP or JPEG"
_MOST_JPEG = 512  # px a byte: each block of 8 x 8 px has a code of 1 bit at least


def open_image(path: Path | str, bits: int | None = None) -> ImageSource:
    """Open an image file by its content, whatever its name.

    Args:
        path: a regular file of 8 or 16 bit samples (or 1 to 16 bit as the format has them), grey or colour.
        bits: significant bits of samples deeper than 8 bit, 1 to 16. None: a TIFF's MaxSampleValue tag, else the
            bits of a sample. A PNG's sBIT chunk changes nothing: its samples are scaled to the full depth by the
            format's own rule.

    Raises:
        ImageError: the file cannot be read, is damaged, or does not fit in memory.
        ValueError: `bits` is out of range.
    """
    if bits is not None and not 1 <= bits <= 16:
        raise ValueError(f"bits must be from 1 to 16, not {bits}")
    file = _open_file(Path(path))
    try:
        return _open_by_content(file, bits)
    except ImageError:
        file.close()
        raise
    except MemoryError as error:
        file.close()
        raise ImageError("not enough memory to decode the image; convert it to a TIFF of many strips") from error
    except Exception as error:
        # decoders raise whatever they like on damaged files; none of it is a fault of this program
        file.close()
        raise ImageError(f"damaged or unsupported image: {_words(error)}; write the file again") from error


def _open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading; never waits, as opening a pipe would."""
    try:
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115 - handed on open
    except IsADirectoryError as error:
        raise ImageError("is a directory; name the image files in it") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(f"cannot open the file: {reason}; check the path and its permissions") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ImageError("is a pipe or device, not a regular file; save the image to a file first")
    return file


def _open_by_content(file: BinaryIO, bits: int | None) -> ImageSource:
    head = file.read(16)
    file.seek(0)
    if not head:
        raise ImageError("the file is empty (0 bytes); write it again")
    if head[:4] in TIFF_MAGIC:
        from models.images.tiff import TiffSource  # noqa: PLC0415 - its libraries are loaded for TIFF only

        return TiffSource(file, bits)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        from models.images.png import PngSource  # noqa: PLC0415 - the same

        return PngSource(file, bits)
    if head.startswith(b"BM"):
        return _PillowSource(file, "BMP")
    if head.startswith(b"\xff\xd8\xff"):
        return _PillowSource(file, "JPEG")
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
            require_memory(
                self.width * self.height * pixel,
                f"a {kind} of {self.width} x {self.height} px is decoded whole: its pixels",
            )
            try:
                image.load()
            except (OSError, ValueError, SyntaxError, EOFError) as error:
                raise ImageError(f"truncated or damaged {kind}: {_words(error)}; write the file again") from error
        file.close()
        self._image = image

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


def _words(error: BaseException) -> str:
    """The first line of a decoder's message, or its kind where it has none."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
