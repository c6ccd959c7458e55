"""What a page of one plate reads: its row, its neighbours, its recipe and the names of its pictures."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request

from config.errors import ConfigError
from config.load import load_recipes, recipe_hash
from config.schema import Config, Recipe
from daemon.store.archive_files import is_of
from daemon.store.history import Selection, neighbours
from daemon.store.pictures import plate_directory
from daemon.store.reading import reader
from daemon.store.results import store_path
from daemon.store.rows import PlateRow
from daemon.store.where import is_there
from daemon.web.site import Site

_NUMBER = re.compile(r"[1-9][0-9]{0,14}")
_KEPT, _KEPT_S = 32, 10.0
_RECIPES_S = 10


def number_in(text: str) -> int | None:
    """The number of a plate or a defect as an address has it; None where it is none."""
    return int(text) if _NUMBER.fullmatch(text) else None


def count_in(text: str) -> int | None:
    """The same, from 0 on."""
    return 0 if text == "0" else number_in(text)


@dataclass(frozen=True, slots=True)
class StoredPlate:
    """A plate of the store, and what is beside it."""

    row: PlateRow
    before: int | None
    """Number of the plate before it; likewise `after`."""
    after: int | None
    notes: Sequence[str]
    """What is wrong with the store, in words."""
    recipe: Recipe | None
    """That judged it; None where no file of the configuration has it any more."""
    pictures: frozenset[str]
    """Names of the pictures that are left of it."""


def read_plate(site: Site, number: int) -> StoredPlate | None:
    """The plate of that number; None where there is none. Raises StoreError."""
    if not is_there(store_path(site.state)):
        return None
    with reader(site.state) as results:
        row = next(results.plates(Selection(plate=number)), None)
        if row is None:
            return None
        before, after = neighbours(results.store, number)
        notes = tuple(results.notes)
    return StoredPlate(row, before, after, notes, recipe_of(site.config, row), _pictures(site, row))


def read_row(site: Site, number: int) -> PlateRow | None:
    """The row of that plate alone; None where there is none. Raises StoreError."""
    if not is_there(store_path(site.state)):
        return None
    with reader(site.state) as results:
        return next(results.plates(Selection(plate=number)), None)


def picture_path(site: Site, row: PlateRow, name: str) -> Path:
    """Where the plate's picture of that name lies, whatever the store says of its folder."""
    return plate_directory(site.state, row.run, row.plate) / name


def archive_file(site: Site, row: PlateRow) -> Path | None:
    """The plate's file in the archive; None where the store knows none, or the path is that of another file."""
    if row.archive is None or row.archive.path is None:
        return None
    path = site.state / row.archive.path
    return path if is_of(path, row.run, row.plate) else None


def recipe_of(config: Config, row: PlateRow) -> Recipe | None:
    """The recipe that judged the plate, if the files of the configuration still have it."""
    loaded = _recipes(config.recipe, config.recipes, int(time.monotonic()) // _RECIPES_S)
    return loaded.get(row.recipe_sha256 or "")


@lru_cache(maxsize=4)
def _recipes(first: str, further: tuple[str, ...], _period: int) -> dict[str, Recipe]:
    try:
        found = load_recipes(Config(recipe=first, recipes=further))
    except ConfigError:
        return {}
    return {recipe_hash(one): one for one in found}


def _pictures(site: Site, row: PlateRow) -> frozenset[str]:
    if row.pictures is None:
        return frozenset()
    try:
        return frozenset(one.name for one in plate_directory(site.state, row.run, row.plate).iterdir())
    except OSError:
        return frozenset()


class RowsKept:
    """Rows that were read a moment ago: a picture is asked for in a hundred tiles."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: OrderedDict[tuple[Path, int], tuple[float, PlateRow]] = OrderedDict()

    def row(self, site: Site, number: int) -> PlateRow | None:
        """The row of that plate, at most ten seconds old; None where there is none. Raises StoreError."""
        key = (site.state, number)
        with self._lock:
            kept = self._rows.get(key)
        if kept is not None and self._clock() - kept[0] < _KEPT_S:
            return kept[1]
        row = read_row(site, number)
        if row is not None:
            with self._lock:
                self._rows[key] = (self._clock(), row)
                self._rows.move_to_end(key)
                while len(self._rows) > _KEPT:
                    self._rows.popitem(last=False)
        return row


def number_of(request: Request) -> int | None:
    """The number of the plate that a request is about; None where its address has none."""
    return number_in(str(request.path_params["plate"]))
