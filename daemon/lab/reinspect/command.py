"""From the plates of a selection to what came of each: what is kept is taken, the rest is inspected anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from config.schema import Recipe
from daemon.lab.progress import Teller
from daemon.lab.reinspect.held import Held, LeftOut, held, job_of
from daemon.offline.inspect import CAMERA_WIDTH
from daemon.offline.reinspect.kept import Kept
from daemon.offline.reinspect.plate import Job, Outcome
from daemon.store.rows import PlateRow
from stages.image_sheet import WidthError, plate_columns

Engine = Callable[[Sequence[Job]], Iterator[Outcome]]


def left_out(row: PlateRow, recipe: Recipe) -> Held | None:
    """The plate, where it is not to be inspected anew; None where it is."""
    if row.verdict is None:
        return Held(row, left_out=LeftOut.OPEN, words="it has no verdict yet")
    if row.archive is None or row.archive.path is None or row.archive.sha256 is None:
        why = None if row.archive is None else row.archive.missing
        return Held(row, left_out=LeftOut.NOT_ARCHIVED, words=why or "it was not chosen for the archive")
    try:
        plate_columns(row.columns or 0, recipe, CAMERA_WIDTH)
    except WidthError as error:
        return Held(row, left_out=LeftOut.OTHER_WIDTH, words=str(error))
    return None


def file_of(row: PlateRow, state: Path, archive: str | None) -> str:
    """Where a plate's file lies: as the store says, or below the address of the archive."""
    assert row.archive is not None
    assert row.archive.path is not None
    path = state / row.archive.path
    return str(path.absolute()) if archive is None else "/".join((archive.rstrip("/"), *path.parts[-2:]))


def reinspect(
    rows: Iterable[PlateRow],
    recipe: Recipe,
    kept: Kept,
    engine: Engine,
    file: Callable[[PlateRow], str],
    teller: Teller,
) -> list[Held]:
    """The plates with what came of each, in their order. What comes is kept at once.

    Raises:
        OSError: an outcome cannot be kept.
    """
    plates: dict[int, Held | None] = {}
    jobs: dict[int, tuple[PlateRow, Job]] = {}
    for row in rows:
        plates[row.plate] = left_out(row, recipe)
        if plates[row.plate] is not None:
            continue
        job = job_of(row, file(row))
        if (known := kept.get(job)) is not None:
            plates[row.plate] = _held(row, known)
        else:
            jobs[row.plate] = row, job
    if jobs:
        done = sum(one is not None and one.outcome is not None for one in plates.values())
        teller.part("inspecting anew", done + len(jobs))
        teller.at(done, f"{done} were there already" if done else "")
        for outcome in engine([job for _, job in jobs.values()]):
            row, job = jobs[outcome.plate]
            kept.put(job, outcome)
            plates[outcome.plate] = _held(row, outcome)
            teller.step(f"plate {outcome.plate}")
    # An engine that forgets a plate would pass it as none of the selection.
    assert all(one is not None for one in plates.values())
    return [one for one in plates.values() if one is not None]


def _held(row: PlateRow, outcome: Outcome) -> Held:
    """Without the pictures, which are kept: those of thousands of plates do not fit in memory."""
    return held(row, replace(outcome, pictures=()))
