"""The line's switch: which source says its level, whether the picture is asked too, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray
from structlog.typing import FilteringBoundLogger

from config.schema import Config, Recipe
from daemon.service.unusable import UnusableError
from daemon.switches.door import SwitchError
from daemon.switches.registry import missing_package, switch_input
from daemon.telemetry.counters import Tally
from stages.camera import Strip
from stages.picture_check import PictureCheck
from stages.picture_switch import PictureSwitch
from stages.switch_faults import SwitchFault, SwitchFaults, Told
from stages.switch_guard import SwitchGuard
from stages.switched_strips import SwitchedStrips, Waiting
from stages.timed_switch import TimedSwitch

_SILENT_S = 1.0
"""A switch that says nothing for so long is silent."""


class LineSwitch:
    """Strips go in as the camera gives them, and come out with the edges of the switch.

    Args:
        moved: called when a switch that is not wired to the camera has moved.

    Raises:
        UnusableError: a package is missing that it needs.
    """

    def __init__(
        self, config: Config, recipe: Recipe, *, log: FilteringBoundLogger, tally: Tally, moved: Callable[[], None]
    ) -> None:
        switch = config.camera.switch
        if (why := missing_package(switch)) is not None:
            raise UnusableError(f"camera.switch.source: {why}")
        self._log, self._tally, self._moved = log, tally, moved
        self._faults = SwitchFaults()
        self._input = switch_input(switch)
        timed = None if self._input is None else TimedSwitch(switch.latency_s, recipe.switch.debounce_rows)
        self._picture = self._check = None
        if switch.check or switch.source == "picture":
            self._picture = PictureSwitch(switch.picture.level, recipe.switch.debounce_rows)
        if self._picture is not None and switch.check:
            self._check = PictureCheck(
                self._picture,
                offset_rows=recipe.offset_rows,
                debounce_rows=recipe.switch.debounce_rows,
                tolerance_rows=switch.picture.tolerance_rows,
                uncertain_rows=lambda: 0 if timed is None else timed.uncertain_rows,
                faults=self._faults,
            )
        self._guard = SwitchGuard(recipe.switch.debounce_rows, self._faults)
        self._strips = SwitchedStrips(
            recipe.offset_rows, self._guard, timed=timed, picture=self._picture, check=self._check
        )
        self._width = config.camera.width
        self.expect([recipe])
        self._level: bool | None = None
        self._heard_at = 0.0

    @property
    def waits_for_time(self) -> bool:
        """A strip may be ready soon, without another one coming."""
        return self._strips.waits_for_time

    @property
    def words(self) -> list[str]:
        """What is wrong with it now."""
        return [str(fault) for fault in self._faults.standing]

    def expect(self, recipes: Collection[Recipe]) -> None:
        """Sheets of any of these may come; their switch is the same."""
        shortest = min(recipe.shortest_rows for recipe in recipes)
        most = [recipe.slot_rows for recipe in recipes if recipe.slot_rows is not None]
        self._guard.expect(shortest, max(most) if len(most) == len(recipes) else None)
        if self._check is not None:
            self._check.expect(shortest)
        if self._picture is not None:
            columns = [(one.first, one.last) for recipe in recipes if (one := recipe.columns) is not None]
            first, last = min(columns, default=(0, 0))[0], max((last for _, last in columns), default=self._width)
            self._picture.expect(first, min(last, self._width))

    def open(self) -> None:
        """Begin to look at a switch that has a wire of its own. Raises UnusableError."""
        self._heard_at = time.monotonic()
        for fault in SwitchFault:
            self._tally.set("line_faults_total", 0, fault)
        if self._input is None:
            return
        try:
            self._input.open()
        except SwitchError as error:
            raise UnusableError(str(error)) from error

    def close(self) -> None:
        """Look no more."""
        if self._input is not None:
            self._input.close()

    def take(self, strip: Strip, pixels: NDArray[np.uint8], buffer: int | None, at: float) -> None:
        """A strip has come: its pixels, uint8 (rows or more, camera's width), and its buffer, if it found one."""
        self._strips.take(strip, pixels, buffer, at)

    def ready(self, now: float, *, last: bool = False) -> list[Waiting]:
        """Strips of which it is known what the switch did; with `last`, all that wait."""
        if self._input is not None:
            for reading in self._input.readings():
                self._heard_at = reading.came
                if reading.level != self._level:
                    self._level = reading.level
                    self._moved()
                self._strips.read(reading)
            self._look_for_silence(self._input.fault, now)
        ready = self._strips.ready(now, last=last)
        for told in self._faults.news():
            self._tell(told)
        for fault, count in self._faults.counts.items():
            self._tally.set("line_faults_total", count, fault)
        return ready

    def _look_for_silence(self, fault: str | None, now: float) -> None:
        silent = now - self._heard_at > _SILENT_S
        if silent and SwitchFault.SILENT not in self._faults.standing:
            self._faults.found(SwitchFault.SILENT, fault or f"no level for {_SILENT_S:g} s")
        elif not silent:
            self._faults.over(SwitchFault.SILENT)

    def _tell(self, told: Told) -> None:
        if told.standing:
            self._log.error("the switch cannot be trusted", fault=told.fault, found=told.words)
        else:
            self._log.warning("the switch is well again", fault=told.fault)
