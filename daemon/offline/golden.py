"""Setting and checking the check standard from plates that the line has seen, and its control chart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from daemon.store.golden import StoredCheck, check_plate, checks_of, pass_of, set_standard, standard_of
from daemon.store.results import PlateRow, Store, store_path
from daemon.store.shared import open_shared
from stages.golden import Check, GoldenError, Limit, Standard, control_limits, standard_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_LOOK_S, _CHECKED_S = 0.25, 3.0
"""Between two looks at the store; and within which a service has checked a sheet that has its verdict."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check came to, beside the limits and what is usual."""

    plate: int
    check: Check
    limits: dict[str, Limit]
    control: dict[str, Limit]
    """Of the quantities for which enough checks have passed."""

    @property
    def unusual(self) -> tuple[str, ...]:
        """Quantities within their limits that lie where chance does not bring them."""
        return tuple(
            name
            for name, usual in self.control.items()
            if name in self.check.values and not usual.least <= self.check.values[name] <= usual.most
        )


def set_golden(state: Path, recipe: str, plates: Sequence[int]) -> tuple[list[int], Standard]:
    """Set a recipe's standard from these plates, or from the latest; their numbers and the standard.

    Raises:
        GoldenError: there is no such plate, or it is no pass of a golden sheet.
        StoreError: the store cannot be read or written.
    """
    with open_shared(state) as store:
        rows = [_row(store, recipe, plate) for plate in plates] or [_row(store, recipe, None)]
        standard = standard_from([pass_of(row) for row in rows])
        numbers = [row.plate for row in rows]
        set_standard(store, recipe, numbers, standard)
    return numbers, standard


def run_golden(state: Path, recipe: str, plate: int | None) -> Outcome:
    """Check a plate, or the latest, against its recipe's standard, and store the check.

    Raises:
        GoldenError: there is no standard or no such plate; or it passed before the standard was set, was checked
            before, or was not seen whole.
        StoreError: the store cannot be read or written.
    """
    with open_shared(state) as store:
        row = _row(store, recipe, plate)
        done = check_plate(store, row)
    return Outcome(row.plate, done.check, done.standard.limits, _control(done.before))


def await_golden(state: Path, recipe: str, part_id: str, after: int) -> Outcome:
    """The check of the golden sheet that passes next, once a service has made it; waits for it.

    Args:
        state: the service's state directory.
        recipe: by which it judges.
        part_id: of the golden sheet.
        after: number of a plate that was seen before.

    Raises:
        GoldenError: the sheet passed, and it is no check.
        StoreError: the store cannot be read.
    """
    unchecked = 0
    while True:
        with Store.open(store_path(state), read_only=True) as store:
            found = standard_of(store, recipe)
            checks = checks_of(store, recipe, found[0]) if found is not None else []
            latest = [one for one in store.plates(limit=64) if one.plate > after and one.part_id == part_id]
        plate = next((one.plate for one in reversed(latest) if one.verdict is not None), None)
        for number, one in enumerate(checks):
            if one.plate == plate and found is not None:
                return Outcome(one.plate, one.check, found[1].limits, _control(checks[:number]))
        unchecked += plate is not None
        if unchecked * _LOOK_S > _CHECKED_S:
            return run_golden(state, recipe, plate)  # which says why it is no check
        time.sleep(_LOOK_S)


def draw_golden(state: Path, recipe: str, out: Path) -> int:
    """Draw the control chart of a recipe's standard, as the file's ending says; how many checks it shows.

    Raises:
        GoldenError: there is no standard, or no check of it yet.
        StoreError: the store cannot be read.
        OSError: the chart cannot be written.
        ValueError: the ending is of no kind of picture.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - only who draws loads it

    with Store.open(store_path(state), read_only=True) as store:
        found = standard_of(store, recipe)
        checks = checks_of(store, recipe, found[0]) if found is not None else []
    if found is None or not checks:
        raise GoldenError(
            f"no check of a standard of {recipe} is stored: pass the golden sheet, `linesentry golden run`"
        )
    with rc_context({"svg.hashsalt": "golden"}):
        _chart(found[1], checks, recipe).savefig(out)
    return len(checks)


def _control(checks: Sequence[StoredCheck]) -> dict[str, Limit]:
    passed = [one.check.values for one in checks if one.check.passed]
    names = passed[-1].keys() if passed else ()
    limits = {name: control_limits([one[name] for one in passed if name in one]) for name in names}
    return {name: limit for name, limit in limits.items() if limit is not None}


def _chart(standard: Standard, checks: Sequence[StoredCheck], recipe: str) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - only who draws loads it

    figure = Figure(figsize=(9, 1.7 * len(standard.limits)), layout="constrained")
    control = _control(checks)
    times = _times(checks)
    for number, (name, limit) in enumerate(standard.limits.items(), start=1):
        axes = figure.add_subplot(len(standard.limits), 1, number)
        axes.plot(times, [one.check.values.get(name, float("nan")) for one in checks], "-", color="0.6", lw=0.8)
        for passed, colour in ((True, "tab:green"), (False, "tab:red")):
            chosen = [one for one in checks if one.check.passed is passed and name in one.check.values]
            axes.plot(
                _times(chosen),
                [one.check.values[name] for one in chosen],
                "o",
                ms=3,
                color=colour,
            )
        for bound in (limit.least, limit.most):
            axes.axhline(bound, color="tab:red", lw=0.8)
        for bound in (control[name].least, control[name].most) if name in control else ():
            axes.axhline(bound, color="0.4", lw=0.8, ls="--")
        axes.set_ylabel(name)
        axes.tick_params(labelsize=7)
        # A single check, or several of one hour, need not be shown over years.
        axes.set_xlim(times[0] - np.timedelta64(6, "h"), times[-1] + np.timedelta64(6, "h"))
    figure.suptitle(f"Check standard of {recipe}: limits red, what is usual dashed", fontsize=10)
    return figure


def _times(checks: Sequence[StoredCheck]) -> NDArray[np.datetime64]:
    """UTC, as matplotlib takes it."""
    return np.array([one.at.replace(tzinfo=None) for one in checks], "datetime64[s]")


def _row(store: Store, recipe: str, plate: int | None) -> PlateRow:
    """That plate, or the latest with a verdict."""
    if plate is None:
        row = next((one for one in store.plates(limit=16) if one.verdict is not None), None)
    else:
        row = store.plate(plate)
    if row is None or row.verdict is None:
        raise GoldenError(
            "no plate has a verdict yet" if plate is None else f"there is no plate {plate} with a verdict"
        )
    if row.recipe != recipe:
        raise GoldenError(f"plate {row.plate} is of the recipe {row.recipe}, not of {recipe}: name its configuration")
    return row
