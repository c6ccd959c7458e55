"""The one Prometheus registry, owned by the supervisor and fed by the heartbeats of its children.

No multiprocess mode and so no files of dead processes: see docs/decisions/0001-one-metrics-registry.md.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.telemetry.counters import COUNTERS, HISTOGRAMS, RESTART_REASONS
from stages.optics import OpticalFault, OpticsState
from stages.plate import Cause, Verdict

PREFIX = "linesentry_"
SLOT_STATES = ("free", "filling", "held")
MOST_LABELS = 64
"""Values of one label that are told apart; further ones count as `other`, so that no message can grow the registry."""


class Metrics(Collector):
    """All metrics of a service. Every method may be called from any thread."""

    def __init__(self, version: str, recipe: str, *, line_waits: bool = False) -> None:
        """For a service of that version and recipe, whose line is, or is not, a replay that waits for it."""
        self.registry = CollectorRegistry()
        self._lock = threading.Lock()
        self._totals: dict[str, dict[str, float]] = {
            **{
                name: dict.fromkeys(counter.known or ([] if counter.label else [""]), 0.0)
                for name, counter in COUNTERS.items()
            },
            **{name: {} for name in HISTOGRAMS},
        }
        self._reported: dict[tuple[str, int], dict[str, float]] = {}
        self._ended: set[tuple[str, int]] = set()
        self._restarts: dict[tuple[str, str], float] = {}
        self._slots = dict.fromkeys(SLOT_STATES, 0)
        self._open_plates = 0
        self._overdue_s = 0.0
        self._roles: dict[str, tuple[int, int, int]] = {}
        self._vram: tuple[int, int] | None = None
        self._optics: OpticsState | None = None
        self._build = (version, recipe)
        self._recipe = (recipe, "")
        self._started_at = time.time()
        self._previous_run = "unknown"
        self._closed_at_start = 0
        self._line_waits = line_waits
        self.registry.register(self)

    def begun(self, previous_run: str, closed: int) -> None:
        """The run has begun in the store.

        Args:
            previous_run: how the run before ended, in one word.
            closed: plates that earlier runs saw, and that got their verdict at this start. They count as INCONCLUSIVE
                (service died) here, for nobody else counts their verdict: at all times, plates seen and those closed
                at the start are the plates with a verdict and the open ones.
        """
        with self._lock:
            self._previous_run, self._closed_at_start = previous_run, closed
            self._grow("plates_total", Verdict.INCONCLUSIVE, closed)
            self._grow("plate_causes_total", Cause.SERVICE_DIED, closed)

    def heartbeat(self, role: str, incarnation: int, counters: Mapping[str, float]) -> int:
        """Take the absolute counters of one process; returns how many were refused (and counted so).

        Unknown keys and values that are no finite, non-negative numbers are refused; a value below the one before is
        passed over. What comes after `ended` is late and changes nothing.
        """
        refused = 0
        with self._lock:
            who = (role, incarnation)
            if who in self._ended:
                return 0
            reported = self._reported.setdefault(who, {})
            for name, value in counters.items():
                metric, _, label = name.partition("/")
                if not _countable(metric, label, value):
                    refused += 1
                    continue
                grown = value - reported.get(name, 0.0)
                if grown > 0:
                    reported[name] = value
                    self._grow(metric, label, grown)
            if refused:
                self._grow("messages_refused_total", "malformed counter", refused)
        return refused

    def ended(self, role: str, incarnation: int) -> None:
        """A process has ended: its counts stay, and nothing more is taken from it."""
        with self._lock:
            self._reported.pop((role, incarnation), None)
            self._ended.add((role, incarnation))

    def count(self, name: str, amount: float = 1.0, label: str = "") -> None:
        """Count something that the supervisor itself saw. Raises KeyError for a counter that is not in the table."""
        if (COUNTERS[name].label is None) != (label == ""):
            raise KeyError(f"{name} has the label {COUNTERS[name].label}, found the value {label!r}")
        with self._lock:
            self._grow(name, label, amount)

    def restarted(self, role: str, reason: str) -> None:
        """A process of that role ended and is started again unless its role is lost; the reason is one of few words."""
        with self._lock:
            place = (role, reason)
            if place not in self._restarts and len(self._restarts) >= MOST_LABELS:
                place = (role, "other")
            self._restarts[place] = self._restarts.get(place, 0.0) + 1

    def set_role(self, role: str, up: int, wanted: int, memory_bytes: int) -> None:
        """How many processes of a role are up and how many should be, and their private memory together, bytes.

        The first time, the role's counters begin, at 0.
        """
        with self._lock:
            if role not in self._roles:
                self._grow("busy_seconds_total", role, 0.0)
                for reason in RESTART_REASONS:
                    self._restarts.setdefault((role, reason), 0.0)
            self._roles[role] = (up, wanted, memory_bytes)

    def memory_of(self, role: str) -> int:
        """Private memory of the processes of a role together, bytes, as it was said last; 0 before."""
        with self._lock:
            return self._roles.get(role, (0, 0, 0))[2]

    def set_slots(self, free: int, filling: int, held: int) -> None:
        """Plate slots by state."""
        with self._lock:
            self._slots = {"free": free, "filling": filling, "held": held}

    def set_open_plates(self, plates: int) -> None:
        """Plates that were seen and have no verdict yet."""
        with self._lock:
            self._open_plates = plates

    def set_overdue(self, seconds: float) -> None:
        """For how long a plate has had no verdict beyond its time; 0 while none has."""
        with self._lock:
            self._overdue_s = seconds

    def set_optics(self, state: OpticsState) -> None:
        """How the optics are after the latest plate that says something of them."""
        with self._lock:
            self._optics = state

    def set_recipe(self, name: str, sha256: str) -> None:
        """By which recipe the plates to come are judged, and the SHA-256 of its content."""
        with self._lock:
            self._build = (self._build[0], name)
            self._recipe = (name, sha256)

    def set_vram(self, used_bytes: int | None) -> None:
        """GPU memory of the service now; None where there is no GPU. The peak is the highest value set."""
        with self._lock:
            if used_bytes is not None:
                self._vram = (used_bytes, max(used_bytes, self._vram[1] if self._vram else 0))

    def total(self, name: str, label: str = "") -> float:
        """The value of a counter now; 0 for a label that was never counted."""
        with self._lock:
            return self._totals[name].get(label, 0.0)

    def collect(self) -> Iterable[Metric]:
        """The metrics as prometheus_client wants them, all of one moment."""
        with self._lock:
            return [*self._counters(), *self._histograms(), *self._gauges()]

    def _grow(self, metric: str, label: str, amount: float) -> None:
        totals = self._totals[metric]
        if label not in totals and len(totals) >= MOST_LABELS:
            label = "other"
        totals[label] = totals.get(label, 0.0) + amount

    def _counters(self) -> Iterable[Metric]:
        for name, counter in COUNTERS.items():
            family = CounterMetricFamily(PREFIX + name, counter.help, labels=[counter.label] if counter.label else [])
            for label, total in self._totals[name].items():
                family.add_metric([label] if counter.label else [], total)
            yield family
        family = CounterMetricFamily(
            f"{PREFIX}restarts_total", "Processes that ended, but for those of a stop", labels=["role", "reason"]
        )
        for (role, reason), total in self._restarts.items():
            family.add_metric([role, reason], total)
        yield family

    def _histograms(self) -> Iterable[Metric]:
        for name, histogram in HISTOGRAMS.items():
            totals = self._totals[name]
            below, buckets = 0.0, []
            for bound in (*histogram.buckets, math.inf):
                below += totals.get(str(bound), 0.0)
                buckets.append(("+Inf" if bound == math.inf else str(bound), below))
            family = HistogramMetricFamily(PREFIX + name, histogram.help)
            family.add_metric([], buckets, sum_value=totals.get("sum", 0.0))
            yield family

    def _gauges(self) -> Iterable[Metric]:
        yield _gauge(
            "build_info", "1; version of the code and name of the recipe", ("version", "recipe"), {self._build: 1}
        )
        yield _gauge(
            "recipe_info",
            "1; name and SHA-256 of the recipe by which the plates to come are judged",
            ("recipe", "sha256"),
            {self._recipe: 1},
        )
        yield _gauge("start_time_seconds", "Unix time at which the service started", (), {(): self._started_at})
        yield _gauge(
            "previous_run_info",
            "1; how the run before ended: stopped, failed, died, or unknown",
            ("end",),
            {(self._previous_run,): 1},
        )
        yield _gauge(
            "plates_closed_at_start",
            "Plates that an earlier run left open and this start made INCONCLUSIVE (service died)",
            (),
            {(): self._closed_at_start},
        )
        yield _gauge(
            "line_waits",
            "1 where the line waits for the inspection (a replay as fast as it is taken), else 0",
            (),
            {(): int(self._line_waits)},
        )
        slots: dict[tuple[str, ...], int] = {(state,): count for state, count in self._slots.items()}
        yield _gauge("slots", "Plate slots by state", ("state",), slots)
        yield _gauge("open_plates", "Plates that were seen and have no verdict yet", (), {(): self._open_plates})
        yield _gauge(
            "plate_overdue_seconds",
            "For how long a plate has waited for its verdict, where that is longer than it may; 0 where none is",
            (),
            {(): self._overdue_s},
        )
        roles = self._roles.items()
        yield _gauge(
            "process_up", "Processes of a role that are up", ("role",), {(role,): up for role, (up, _, _) in roles}
        )
        yield _gauge(
            "process_wanted",
            "Processes of a role that should be up",
            ("role",),
            {(role,): n for role, (_, n, _) in roles},
        )
        yield _gauge(
            "process_memory_bytes",
            "Private memory of a role's processes, plate memory not included",
            ("role",),
            {(role,): memory for role, (_, _, memory) in roles},
        )
        yield from self._of_optics()
        if self._vram is not None:
            yield _gauge("vram_used_bytes", "GPU memory of the service", (), {(): self._vram[0]})
            yield _gauge(
                "vram_peak_bytes", "Highest GPU memory of the service since its start", (), {(): self._vram[1]}
            )

    def _of_optics(self) -> Iterable[Metric]:
        state = self._optics or OpticsState(0, {})
        changes: dict[tuple[str, ...], float] = {
            (fault.value,): change for fault, change in state.changes.items() if change is not None
        }
        yield _gauge(
            "optics_change",
            "How much the optics have changed: light, focus and dust as lost share, length as share beyond nominal",
            ("fault",),
            changes,
        )
        standing: dict[tuple[str, ...], float] = {(fault.value,): int(fault in state.faults) for fault in OpticalFault}
        yield _gauge("optics_alarm", "1 where a change of the optics is beyond its limit", ("fault",), standing)
        yield _gauge(
            "optics_reference_plates", "Plates that the reference of the optics is the mean of", (), {(): state.learnt}
        )


def private_memory(pids: Collection[int]) -> int:
    """Private bytes of these processes together (smaps_rollup); one that has ended adds nothing.

    Anonymous pages, and file pages that no other process maps. Private_Dirty is not asked: the kernel counts into it
    any page of the plate memory that only one process has touched so far.
    """
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Anonymous:", "Private_Clean:")))
    return total


def _gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for labelled, value in values.items():
        family.add_metric(labelled, value)
    return family


def _countable(metric: str, label: str, value: object) -> bool:
    if not isinstance(value, int | float) or not 0 <= value < 2**63:  # NaN is in no range
        return False
    if metric in HISTOGRAMS:
        return label == "sum" or label in map(str, (*HISTOGRAMS[metric].buckets, math.inf))
    return metric in COUNTERS and (COUNTERS[metric].label is None) == (label == "")
