"""What candidates say of plates in the archive, and which plates a candidate has not judged yet."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from daemon.store.history import Selection, conditions_of
from daemon.store.results import Store
from daemon.store.rows import PlateRow, challenge_in
from daemon.store.schema import archive, challenges, plates
from stages.challenge import Challenge
from stages.plate import Verdict

_PARTS = 10_000
"""Shares are told apart to this fineness."""
_SPREAD = 7919
"""A prime: plates that follow each other, or that the archive takes at an even pace, are spread over the parts."""


@dataclass(frozen=True, slots=True)
class Unchallenged:
    """A plate that a candidate may judge."""

    row: PlateRow
    path: Path
    """Its file in the archive."""
    sha256: str
    """Of the file, hex."""


def enter_challenge(store: Store, plate: int, said: Challenge) -> None:
    """Store what a candidate says of a plate, in place of what the same one said before. Raises StoreError."""
    values = {
        "recipe": said.recipe,
        "at": datetime.now(UTC),
        "kind": said.kind.value,
        "verdict": said.verdict.value,
        "causes": [cause.value for cause in said.causes],
        "defects": msgspec.to_builtins(said.defects),
    }
    same = (challenges.c.plate == plate) & (challenges.c.candidate == said.candidate)
    with store.transaction() as connection:
        if not connection.execute(sa.update(challenges).where(same).values(**values)).rowcount:
            connection.execute(sa.insert(challenges).values(plate=plate, candidate=said.candidate, **values))


def unchallenged(
    store: Store, recipe_sha256: str, candidate: str, share: float, without: Collection[int] = ()
) -> Unchallenged | None:
    """The latest plate of that recipe with a file that the candidate has not judged, of its share; None: no other.

    Which plates are of the share is told by their number alone, so that it is the same after a restart.

    Raises:
        StoreError: the store cannot be read.
    """
    known = sa.exists().where(challenges.c.plate == archive.c.plate, challenges.c.candidate == candidate)
    spread = sa.cast(archive.c.plate, sa.BigInteger) * _SPREAD
    query = (
        sa.select(archive.c.plate, archive.c.path, archive.c.sha256)
        .join_from(archive, plates)
        .where(archive.c.path.is_not(None), plates.c.recipe_sha256 == recipe_sha256, ~known)
        .where(spread % _PARTS < max(1, round(share * _PARTS)), archive.c.plate.not_in(list(without)))
        .order_by(archive.c.plate.desc())
        .limit(1)
    )
    with store.transaction(write=False) as connection:
        found = connection.execute(query).one_or_none()
    row = None if found is None else store.plate(found.plate)
    if found is None or row is None:
        return None
    return Unchallenged(row, store.path.parent / found.path, found.sha256)


class Challenged(NamedTuple):
    """A plate with a verdict that a candidate has judged."""

    plate: int
    verdict: Verdict
    """The stored one."""
    said: Challenge


def challenged(store: Store, selection: Selection) -> list[Challenged]:
    """What candidates say of the selection's plates, the latest plate first.

    Raises:
        StoreError: the store cannot be read.
    """
    with store.transaction(write=False) as connection:
        if not sa.inspect(connection).has_table(challenges.name):
            return []  # a store of an earlier version
        query = (
            sa.select(challenges, plates.c.verdict.label("stored"))
            .join_from(challenges, plates)
            .where(plates.c.verdict.is_not(None), *conditions_of(connection, selection))
            .order_by(challenges.c.plate.desc(), challenges.c.at.desc())
        )
        rows = connection.execute(query).mappings()
        return [Challenged(row["plate"], Verdict(row["stored"]), challenge_in(row)) for row in rows]
