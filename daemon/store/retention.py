"""Keeping results and pictures within the age and size that the configuration allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from config.schema import Retention
from daemon.store.pictures import NOTHING, Pictures, Removed
from daemon.store.results import Store, StoreError


@dataclass(frozen=True, slots=True)
class Pruning:
    """What one pruning deleted."""

    plates: int = 0
    """Plates that were too old."""
    aged: Removed = NOTHING
    """Their pictures."""
    oversized: Removed = NOTHING
    """The oldest pictures of plates that stay, because all pictures took too much."""
    failure: StoreError | None = None
    """Why no more plates were deleted."""


def prune(
    store: Store,
    pictures: Pictures,
    retention: Retention,
    forget: Callable[[str, int], object] = lambda _run, _plate: None,
) -> Pruning:
    """Delete plates beyond their age with their pictures, then the oldest pictures beyond the size.

    `forget` is told the run and the number of each such plate, so that what others keep of it goes too.

    Rows go before their pictures, so that a stop between leaves pictures that the size limit finds.
    """
    plates, aged, oversized, failure = 0, NOTHING, NOTHING, None
    try:
        while retention.days is not None and pictures.rest() and (gone := store.prune(retention.days)):
            plates += len(gone)
            for run, plate in gone:
                aged += pictures.remove(run, plate)
                forget(run, plate)
    except StoreError as error:
        failure = error
    if retention.most_gb is not None:
        oversized = pictures.keep_within(retention.most_gb * 1e9)
    return Pruning(plates, aged, oversized, failure)
