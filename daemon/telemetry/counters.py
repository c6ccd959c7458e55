"""What is counted: the table of all counters and histograms, and the tally that a process sends with its heartbeat.

A process counts in a `Tally` and sends its absolute values; the supervisor's `Metrics` makes monotonic metrics of
them. A key is the metric's name without its prefix, with the label's value after a slash: `rows_total`,
`plates_total/NG`. A histogram is sent as one key a bucket (`window_seconds/0.05`), not cumulative, and its sum.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from typing import get_args

from stages.archive import MISSING
from stages.camera import Loss
from stages.challenge import Kind
from stages.events import Outcome
from stages.plate import Cause, Verdict
from stages.record import StoreFailure


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter and its one label, if it has one."""

    help: str
    label: str | None = None
    known: tuple[str, ...] = ()
    """Values of the label, exported from the start as 0: a rate sees a series grow only if it was there before.

    Those of `role` are known once the supervisor has said which roles there are.
    """


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram of durations."""

    help: str
    buckets: tuple[float, ...]
    """Upper bounds, s, ascending; one without a bound follows."""


COUNTERS = {
    "inspected_area_mm2_total": Counter("Area of the sheets whose windows were scored, by the recipe's pitches"),
    "rows_total": Counter("Rows that the camera delivered"),
    "pixels_total": Counter("Pixels of plates whose windows were scored, each counted once"),
    "plates_seen_total": Counter("Plates that the switch saw"),
    "plates_total": Counter("Plates with a final verdict", "verdict", tuple(Verdict)),
    "plate_causes_total": Counter("Causes of verdicts; a plate may have several", "cause", tuple(Cause)),
    "windows_total": Counter(
        "Windows by what became of them", "outcome", ("scored", "not scored", "quarantined", "leased again")
    ),
    "defects_total": Counter("Defects found, without those that the classifier vetoed"),
    "messages_refused_total": Counter(
        "Messages that were not taken",
        "reason",
        ("malformed", "version", "run", "name", "malformed counter", "store behind", "no such slot", "lease repeated"),
    ),
    "results_dropped_total": Counter(
        "Results that came twice or too late",
        "reason",
        ("repeated", "plate final", "stale slot", "foreign run", "no such window", "another recipe"),
    ),
    "line_faults_total": Counter(
        "What the camera or the switch did not deliver, or not as it should",
        "kind",
        ("strip lost", "strip refused", "row lost", "row beyond the most", "edge not heard", *Loss),
    ),
    "crops_total": Counter(
        "Crops for the classifier by what became of them",
        "outcome",
        ("classified", "late", "left out", "nobody to ask"),
    ),
    "answers_refused_total": Counter(
        "Answers of the classifier that were not believed or came too late",
        "reason",
        ("plate decided", "merge restarted", "repeated", "not asked", "malformed"),
    ),
    "defects_vetoed_total": Counter("Defects that the classifier kept from making their plate NG"),
    "busy_seconds_total": Counter("Time a role's processes spent working", "role"),
    "store_failures_total": Counter(
        "Failures to write results or pictures, or to delete old ones; and verdicts that the store has lost",
        "kind",
        (*get_args(StoreFailure), "journal", "lost", "pictures", "pruning", "archive"),
    ),
    "verdicts_told_total": Counter(
        "Verdicts that an output is done with, by how that ended", "outcome", get_args(Outcome)
    ),
    "output_faults_total": Counter(
        "What went wrong between an output and its peer", "kind", ("cut off", "said again", "wrong echo")
    ),
    "recipe_changes_total": Counter(
        "Changes of recipes that were asked for, by what became of them",
        "outcome",
        ("changed", "unchanged", "restart", "refused"),
    ),
    "plates_pruned_total": Counter("Plates deleted because of their age"),
    "pictures_pruned_total": Counter(
        "Plates whose pictures were deleted: with an old plate, beyond the size allowed, or for want of room",
        "reason",
        ("age", "size", "room"),
    ),
    "archive_plates_total": Counter(
        "Plates chosen for the archive, by what became of them", "outcome", ("archived", *MISSING)
    ),
    "archive_bytes_total": Counter("Bytes of the files that were written to the archive"),
    "archive_deleted_total": Counter(
        "Files of the archive that were deleted: for their age, beyond the size allowed, or for want of room",
        "reason",
        ("age", "size", "room"),
    ),
    "challenger_plates_total": Counter(
        "Plates of the archive that a challenger judged, by what it would change of them",
        "outcome",
        tuple(kind.value for kind in Kind),
    ),
    "pictures_left_out_total": Counter("Plates of which pictures are missing for want of room on the disk"),
}

HISTOGRAMS = {
    "plate_latency_seconds": Histogram(
        "From the delivery of a plate's last row to its final verdict",
        # A replay as fast as it is taken keeps plates waiting for as long as the ring takes to inspect.
        (0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0),
    ),
    "acknowledge_seconds": Histogram(
        "From the commit of a verdict to its acknowledgement by an output's peer",
        (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    ),
    "crop_seconds": Histogram(
        "Time of the classifier for one crop in all its views",
        (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    ),
    "window_seconds": Histogram(
        "Time of the detector for one window",
        (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    ),
}

RESTART_REASONS = ("died", "hang", "start", "line restarted")
"""Why a process ended: by itself or killed; silent for too long; not up in time; its camera began anew (acquire)."""


def key(name: str, label: str = "") -> str:
    """The key of a counter: `key("plates_total", "NG")`."""
    return f"{name}/{label}" if label else name


class Tally:
    """The counters of one process since its start. Not for several threads at once."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def add(self, name: str, amount: float = 1.0, label: str = "") -> None:
        """Count; `label` is the value of the counter's label. Raises KeyError for a counter not in the table."""
        if (COUNTERS[name].label is None) != (label == ""):
            raise KeyError(f"{name} has the label {COUNTERS[name].label}, found the value {label!r}")
        self._grow(key(name, label), amount)

    def set(self, name: str, total: float, label: str = "") -> None:
        """Take the total of what is counted elsewhere in this process. Raises KeyError as `add` does."""
        self.add(name, 0.0, label)
        self._values[key(name, label)] = total

    def observe(self, name: str, seconds: float) -> None:
        """Count a duration into a histogram. Raises KeyError for one that is not in the table."""
        buckets = HISTOGRAMS[name].buckets
        place = bisect_left(buckets, seconds)
        bound = buckets[place] if place < len(buckets) else math.inf
        self._grow(f"{name}/{bound}", 1)
        self._grow(f"{name}/sum", seconds)

    def values(self) -> dict[str, float]:
        """All absolute values, for the heartbeat."""
        return dict(self._values)

    def _grow(self, name: str, amount: float) -> None:
        self._values[name] = self._values.get(name, 0.0) + amount
