"""The folders of pictures: one a plate, where it lies, and how old ones go. Nothing here reads a picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted to keep within the size allowed."""

    directories: int = 0
    bytes: int = 0
    errors: tuple[str, ...] = ()


def plate_directory(state_directory: Path, run: str, plate: int) -> Path:
    """Where the pictures of a plate lie: STATE/pictures/<first 8 digits of the run>/<plate, six digits>."""
    return state_directory / "pictures" / run[:8] / f"{plate:06d}"


def prune_pictures(pictures: Path, most_gb: float | None) -> Pruned:
    """Delete the pictures of whole plates, the oldest first, until all take at most `most_gb` (10^9 bytes)."""
    if most_gb is None or not pictures.is_dir():
        return Pruned()
    plates = sorted(_sizes(pictures))
    excess = sum(size for _, _, size in plates) - most_gb * 1e9
    count, freed, errors = 0, 0, list[str]()
    for _, directory, size in plates:
        if freed >= excess:
            break
        failure = remove(directory)
        if failure is None:
            count += 1
            freed += size
        else:
            errors.append(failure)
    return Pruned(count, freed, tuple(errors))


def remove(directory: Path) -> str | None:
    """Delete the pictures of a plate, and their run's directory when it was the last; a sentence if that fails."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{directory}: {error.strerror}; its pictures stay"
    with suppress(OSError):  # other plates of the run are still there
        directory.parent.rmdir()
    return None


def _sizes(pictures: Path) -> Iterable[tuple[float, Path, int]]:
    """Time, directory and bytes of the pictures of each plate; what vanishes meanwhile is left out."""
    for directory in pictures.glob("*/*"):
        try:
            size = sum(file.stat().st_size for file in directory.iterdir())
            yield directory.stat().st_mtime, directory, size
        except OSError:
            continue
