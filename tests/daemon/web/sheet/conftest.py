"""A store with archived plates and their pictures, made once for all tests of a process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from config.load import load_recipe, recipe_hash
from daemon.store.evidence import write_evidence
from daemon.store.pictures import plate_directory
from daemon.store.results import Store, store_path
from daemon.store.rows import PlateRow, Telling, result_of
from daemon.store.schema import archive, plates
from daemon.store.tellings import Tellings
from models.images import open_image
from stages.plate import HEAT_CELLS, Heat
from tests.archived import RUN, SEEN_AT, ArchivedPlates, archived_plates

HOSTILE = "<img src=x onerror=alert(1)>\"'</script>\u202e" + "x" * 160
WITH_CRACKS, OVERVIEW_ALONE, ANOTHER = 1, 2, 3
"""Two plates with cracks, of which the second has no file in the archive, and a clean one with hostile words."""


@dataclass(frozen=True)
class Sheets:
    """The state directory, and the plates in it."""

    made: ArchivedPlates

    @property
    def state(self) -> Path:
        return self.made.state

    def row(self, plate: int = WITH_CRACKS) -> PlateRow:
        """As it is stored now."""
        with Store.open(store_path(self.state), read_only=True) as store:
            found = store.plate(plate)
        assert found is not None
        return found

    def pixels(self, plate: int = WITH_CRACKS) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Of the plate in the archive, uint8 (rows, columns)."""
        with open_image(self.made.file(plate)) as image:
            return np.ascontiguousarray(image.rows(0, image.height))


@pytest.fixture(scope="session")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> Sheets:
    made = archived_plates(tmp_path_factory.mktemp("sheets"), ("P-1", None, HOSTILE))
    found = Sheets(made)
    digest = recipe_hash(load_recipe(str(made.recipe)))
    with Store.open(store_path(made.state)) as store:
        for row in made.rows:
            heat = Heat(350, 350, bytes(range(HEAT_CELLS**2)))
            result = replace(result_of(row), defects=tuple(replace(one, heat=heat) for one in row.defects))
            write_evidence(found.pixels(row.plate), result, plate_directory(made.state, RUN, row.plate))
            store.set_pictures(row.plate, plate_directory(made.state, RUN, row.plate))
        tellings = Tellings(store)
        tellings.begin(["plc"])
        answered = Telling("plc", "acknowledged", True, 1, SEEN_AT, SEEN_AT + timedelta(seconds=1), HOSTILE)
        tellings.store([(WITH_CRACKS, answered)])
        with store.transaction() as connection:
            connection.execute(sa.update(plates).values(recipe_sha256=digest))
            hostile = {"recipe": HOSTILE, "image": HOSTILE, "batch_id": HOSTILE, "recipe_sha256": None}
            connection.execute(sa.update(plates).where(plates.c.plate == ANOTHER).values(**hostile))
            connection.execute(sa.delete(archive).where(archive.c.plate == OVERVIEW_ALONE))
    return found
