"""Record's side of the check standard: no OK while it is overdue, and the golden sheet is checked as it passes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog

from config.schema import Golden, Recipe
from daemon.store.events import note
from daemon.store.golden import check_plate, why_overdue
from daemon.store.part_ids import part_id_of
from daemon.store.results import Store
from daemon.wire.channel import Client
from stages.events import ChecksOverdue, PlateSeen
from stages.golden import GoldenError, as_golden, without_check
from stages.plate import PlateResult

_REMEMBERED = 256
"""Plates whose part ids are known by heart."""
_LOOK_S = 2.0
"""Between two looks whether a check is overdue, for who asks."""


class GoldenWatch:
    """Of one run."""

    def __init__(self, settings: Golden, run: str, supervisor: Client) -> None:
        self._settings, self._run, self._supervisor = settings, run, supervisor
        self._part_ids: OrderedDict[int, str | None] = OrderedDict()
        self._passed: set[int] = set()
        """Golden sheets that are to be checked, once their verdict is committed."""
        self._said: ChecksOverdue | None = None
        self._look_at = 0.0
        self._log = structlog.get_logger()

    def saw(self, seen: PlateSeen) -> None:
        """What a PLC, or who asked for it, said of a plate."""
        self._part_ids[seen.plate] = None if seen.part is None else seen.part.part_id
        if len(self._part_ids) > _REMEMBERED:
            self._part_ids.popitem(last=False)

    def judged(self, store: Store, result: PlateResult, recipe: str, at: datetime) -> PlateResult:
        """The result as it is to be committed: of the golden sheet no product's. Raises StoreError."""
        plate = result.plate
        part_id = self._part_ids[plate] if plate in self._part_ids else part_id_of(store, plate)
        if part_id == self._settings.part_id:
            self._passed.add(plate)
            return as_golden(result)
        if self._settings.every_h is None:
            return result
        return without_check(result, why_overdue(store, recipe, self._settings.every_h, at))

    def tick(self, store: Store | None, recipes: Iterable[Recipe], now: float) -> None:
        """Check what has passed, and tell the supervisor what is overdue of loaded recipes. Raises StoreError."""
        if store is None:
            return
        checks = [plate for plate in sorted(self._passed) if self._check(store, plate)]
        self._passed.difference_update(checks)
        every_h = self._settings.every_h
        if every_h is None or (now < self._look_at and not checks):
            return
        self._look_at = now + _LOOK_S
        words = {one.name: why_overdue(store, one.name, every_h, datetime.now(UTC)) for one in recipes}
        overdue = ChecksOverdue({name: why for name, why in words.items() if why})
        if overdue != self._said:
            self._said = overdue
            self._supervisor.send(overdue, now)

    def _check(self, store: Store, plate: int) -> bool:
        """Check a plate; False where its verdict is not committed yet."""
        row = store.plate(plate)
        if row is None or row.verdict is None:
            return False
        try:
            check = check_plate(store, row).check
        except GoldenError as error:
            self._log.warning("the golden sheet passed, and is no check", plate=plate, reason=str(error))
            return True
        if check.passed:
            self._log.info("the check standard passed", plate=plate, recipe=row.recipe)
        else:
            self._log.error("the check standard failed", plate=plate, recipe=row.recipe, failures=list(check.failures))
        note(store, self._run, "golden", "; ".join(check.failures) or "passed", plate)
        return True
