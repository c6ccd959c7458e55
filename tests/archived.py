"""A state directory with small plates in its archive, judged by the detector that ships: quickly made, and real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from config.load import load_config, load_recipe
from config.schema import Config, Recipe
from daemon.offline.inspect import inspect_image
from daemon.offline.reinspect.plate import Inspector, Job, Outcome
from daemon.store.archive import enter
from daemon.store.archive_file import write_plate
from daemon.store.archive_files import archive_path
from daemon.store.results import PlateRow, RunFacts, Store, store_path
from models.detector.detector import Detector
from models.images import open_image
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from stages.plate import PlateResult
from stages.plc import Part

RUN = "c" * 32
SIDE = 700
SEEN_AT = datetime(2026, 11, 29, 6, tzinfo=UTC)
RECIPE = f"""
name: little
length: {{nominal_rows: {SIDE}}}
columns: {{first: 0, last: {SIDE}}}
classifier: {{mode: "off"}}
gates: {{action: warn}}
"""


@dataclass(frozen=True, slots=True)
class ArchivedPlates:
    """The state directory, and what is beside it."""

    state: Path
    config: Path
    recipe: Path
    rows: tuple[PlateRow, ...]

    @property
    def settings(self) -> Config:
        """The configuration as it is read."""
        return load_config(self.config)

    def file(self, plate: int) -> Path:
        """Of a plate in the archive."""
        return archive_path(self.state / "archive", RUN, plate)

    def candidate(self, text: str) -> Path:
        """A recipe beside the first, with more lines."""
        path = self.recipe.with_name("candidate.yaml")
        path.write_text(RECIPE.replace("little", "candidate") + text, encoding="utf-8")
        return path


def archived_plates(folder: Path, parts: Sequence[str | None] = (None, None, None)) -> ArchivedPlates:
    """A plate for each part: the first two have cracks, further ones are clean."""
    recipe, config = folder / "little.yaml", folder / "line.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    config.write_text("recipe: little.yaml\nworkers: {device: cpu}\nclassify: {device: cpu}\n", encoding="utf-8")
    state = folder / "state"
    state.mkdir()
    loaded = load_recipe(str(recipe))
    detector = Detector.load(loaded, "cpu")
    with Store.open(store_path(state)) as store:
        store.begin_run(RunFacts(RUN, "little", simulated=True, product="little"))
        for plate, part in enumerate(parts, start=1):
            path = archive_path(state / "archive", RUN, plate)
            path.parent.mkdir(parents=True, exist_ok=True)
            size, digest = write_plate(_sheet(plate), path, name=f"plate {plate}", about={})
            store.seen(RUN, plate, SEEN_AT, part=None if part is None else Part(part))
            store.commit_verdict(judged(path, loaded, detector, plate), decided_at=SEEN_AT)
            enter(store, plate, path, size, digest)
        rows = tuple(sorted(store.plates(), key=lambda row: row.plate))
    return ArchivedPlates(state, config, recipe, rows)


def judged(path: Path, recipe: Recipe, detector: Detector, plate: int) -> PlateResult:
    """As the line judges a plate."""
    with open_image(path) as image:
        return replace(inspect_image(image, recipe, [detector]), run=RUN, plate=plate)


def repeated(jobs: Sequence[Job], times: int) -> list[Job]:
    """The same plates so many times, each under a number of its own."""
    return [
        replace(job, stored=replace(job.stored, plate=job.plate + turn * len(jobs)))
        for turn in range(times)
        for job in jobs
    ]


def encoded(outcomes: Sequence[Outcome]) -> list[bytes]:
    """By plate, to the bit."""
    return [msgspec.msgpack.encode(one) for one in sorted(outcomes, key=lambda one: one.plate)]


def expected(inspector: Inspector, jobs: Sequence[Job], times: int) -> list[bytes]:
    """What one process says of plates that are repeated."""
    once = {job.file: inspector.inspect(job) for job in jobs}
    outcomes = []
    for job in repeated(jobs, times):
        found = once[job.file]
        assert found.candidate is not None
        outcomes.append(replace(found, plate=job.plate, candidate=replace(found.candidate, plate=job.plate)))
    return encoded(outcomes)


def _sheet(plate: int) -> NDArray[np.uint8]:
    made = render(Product("little", rows=SIDE, columns=SIDE), 3 + plate, 8 if plate < 3 else 0)
    return np.array(made.image)
