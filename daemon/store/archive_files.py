"""Where the archive's files lie, the room they may take, and how one is deleted. Knows nothing of the result store."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from config.schema import Archive
from daemon.store.pictures import free_bytes, kept_free

_SUFFIX = ".ome.tif"
_RUN = re.compile(r"[0-9a-f]{8}")
_NAME = re.compile(r"([0-9]{6,})\.ome\.tif")
_SHARE = 10
"""By default the files take a tenth of their disk, and leave as much free."""


def archive_directory(settings: Archive, state: Path) -> Path:
    """Where the files of a state directory lie."""
    return settings.directory or state / "archive"


def archive_path(directory: Path, run: str, plate: int) -> Path:
    """Of a plate's file: DIRECTORY/<first 8 digits of the run>/<plate, six digits>.ome.tif."""
    return directory / run[:8] / f"{plate:06d}{_SUFFIX}"


def archive_room(settings: Archive, directory: Path) -> int:
    """Bytes that files may still take of the disk; below 0 where too little is free. Raises OSError."""
    if settings.least_free_gb is not None:
        least = int(settings.least_free_gb * 1e9)
    else:
        least = kept_free(directory) + disk_bytes(directory) // _SHARE
    return free_bytes(directory) - least


def most_bytes(settings: Archive, directory: Path) -> int:
    """Bytes that all files may take together. Raises OSError."""
    return disk_bytes(directory) // _SHARE if settings.most_gb is None else int(settings.most_gb * 1e9)


def disk_bytes(directory: Path) -> int:
    """Size of the disk of a directory, or of the nearest one above it that is there. Raises OSError."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    found = os.statvfs(directory)
    return found.f_blocks * found.f_frsize


def remove_parts(directory: Path) -> None:
    """Delete what an archiver that is no more has left half written."""
    for folder in _runs(directory):
        with suppress(OSError):
            for part in folder.glob(f".*{_SUFFIX}.part"):
                part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plate_of(path: Path) -> int:
    """Number of the plate whose file has that name."""
    return int(path.name.removesuffix(_SUFFIX))


def is_of(path: Path, run: str, plate: int) -> bool:
    """Whether a path that the store gives is that of the plate's file: somebody may have changed the store."""
    return (path.parent.name, path.name) == (run[:8], f"{plate:06d}{_SUFFIX}")


def remove(path: Path, run: str, plate: int, errors: list[str]) -> bool:
    """Delete a plate's file, and nothing else, whatever path the store gives; False where it is still there."""
    if not is_of(path, run, plate):
        errors.append(f"{path} is no file of plate {plate}: it is left alone")
        return False
    return unlinked(path, errors)


def _runs(directory: Path) -> list[Path]:
    """Folders of runs there, links left out."""
    try:
        with os.scandir(directory) as entries:
            found = [one.name for one in entries if one.is_dir(follow_symlinks=False) and _RUN.fullmatch(one.name)]
    except OSError:
        return []
    return [directory / name for name in sorted(found)]


def files_in(directory: Path) -> Iterator[Path]:
    """Whole files there, run by run."""
    for folder in _runs(directory):
        with suppress(OSError):
            names = sorted(one.name for one in folder.iterdir() if _NAME.fullmatch(one.name) and not one.is_symlink())
            yield from (folder / name for name in names)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 where it is gone."""
    try:
        return path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def unlinked(path: Path, errors: list[str]) -> bool:
    """Delete the file, and its folder when it was the last there. No link to another folder is followed."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    except OSError as error:
        errors.append(f"{path}: {error.strerror or error}; the file stays")
        return False
    try:
        os.unlink(path.name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        errors.append(f"{path}: {error.strerror or error}; the file stays")
        return False
    finally:
        os.close(folder)
    with suppress(OSError):  # other plates of the run are still there
        path.parent.rmdir()
    return True
