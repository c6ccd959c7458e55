"""Which files of a folder are sheets, in which order they pass, and which are left out and why."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass, field
from pathlib import Path

from config.errors import printable
from models.images.kinds import looks_like_image

_TYPES = mimetypes.MimeTypes(filenames=())
"""The types that Python knows by itself, the same on every machine."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder."""

    images: tuple[Path, ...]
    """In natural order: 2.png before 10.png."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Names of what is no sheet, in order, by the reason."""


def listed(folder: Path) -> Listing:
    """List a folder.

    An image is whatever has an image's name or an image's content; whether it can be read shows when it is opened.
    Left out are hidden files, files that are no images, folders, and the truth masks that belong to images:
    NAME_mask.* beside NAME.*.

    Raises:
        OSError: it cannot be listed.
        ValueError: no image is in it.
    """
    images: list[Path] = []
    left_out: dict[str, list[str]] = {}
    found = sorted(folder.iterdir(), key=_natural)
    stems = {path.stem for path in found if _named_as_image(path)}
    for path in found:
        why = _why_not(path, stems)
        if why:
            left_out.setdefault(why, []).append(path.name)
        else:
            images.append(path)
    if not images:
        raise ValueError(f"{printable(str(folder))} holds no images: name a folder with TIFF, PNG, BMP or JPEG files")
    return Listing(tuple(images), left_out)


def _why_not(path: Path, stems: set[str]) -> str:
    """Why it is no sheet; empty for one that is."""
    if path.name.startswith("."):
        return "hidden"
    stem = path.stem
    if stem.lower().endswith("_mask") and stem[: -len("_mask")] in stems:
        return "truth masks of images"
    if _named_as_image(path) or looks_like_image(path):
        return ""
    return "folders" if path.is_dir() else "no images"


def _named_as_image(path: Path) -> bool:
    kind, _ = _TYPES.guess_type("file" + "".join(path.suffixes[-2:]), strict=False)
    return kind is not None and kind.startswith("image/")


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sorts numbers in names by their value; texts and numbers take turns, so that like meets like."""
    words = re.split(r"([0-9]+)", path.stem.casefold())
    return [int(word) if place % 2 else word for place, word in enumerate(words)], path.name
