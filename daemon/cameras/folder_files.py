"""The images of a folder, as the folder camera shows them and as a configuration is checked."""

from __future__ import annotations

import re
from pathlib import Path

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})


def image_files(folder: Path) -> tuple[Path, ...]:
    """The images of a folder in natural order (2.png before 10.png). Masks (*_mask.*) are left out.

    Raises OSError for a folder that cannot be listed, and ValueError for one without images.
    """
    images = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and "_mask" not in path.stem]
    if not images:
        raise ValueError(f"{folder} holds no images: give a folder with {', '.join(sorted(SUFFIXES))} files")
    return tuple(sorted(images, key=_natural))


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Sorts numbers in names by their value; texts and numbers take turns, so that like meets like."""
    words = re.split(r"([0-9]+)", path.stem.casefold())
    return [int(word) if place % 2 else word for place, word in enumerate(words)], path.name
