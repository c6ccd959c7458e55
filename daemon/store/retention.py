"""Keeping results and pictures within the age and size that the configuration allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.schema import Retention
from daemon.store.pictures import prune_pictures, remove
from daemon.store.results import Store


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was deleted, and what could not be."""

    plates: int = 0
    """Plates whose pictures went because the plates were too old."""
    pictures: int = 0
    """Plates whose pictures alone went, because all pictures were too large."""
    errors: tuple[str, ...] = ()


def prune(store: Store, pictures: Path, retention: Retention, now: datetime | None = None) -> Pruning:
    """Delete plates beyond their age with their pictures, then the oldest pictures beyond the size.

    Rows go before their pictures, so that a stop between leaves pictures that the size limit finds. Raises StoreError.
    """
    now = datetime.now(UTC) if now is None else now
    gone = store.prune(now, retention)
    failures = [failure for failure in map(remove, gone) if failure is not None]
    sized = prune_pictures(pictures, retention.most_gb)
    return Pruning(len(gone), sized.directories, (*failures, *sized.errors))
