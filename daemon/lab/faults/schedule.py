"""What one seed stands for: a line with its sheets, and the faults that strike it, each at its time."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "kill",
    "stop",
    "suspend",
    "cut",
    "slow",
    "garble",
    "store fails",
    "store answers not",
    "store is slow",
    "store refuses",
    "nonsense",
    "poison",
    "classifier lies",
    "classifier lost",
    "strips lost",
    "peer away",
    "peer echoes wrong",
]
"""What each means is told in docs/explanation/simulation.md."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; what `much` and `who` mean depends on the kind."""

    at: float
    """Seconds after the line begins."""
    kind: Kind
    who: str = ""
    """A process, a connection as PROCESS>ADDRESS, or how the store fails."""
    much: float = 0.0
    """Seconds, or a number."""

    def __str__(self) -> str:
        return f"{self.at:.3f} s {self.kind}" + f" {self.who}" * bool(self.who) + f" {self.much:g}" * bool(self.much)


@dataclass(frozen=True, slots=True)
class Setting:
    """How the line of one seed is set up."""

    seed: int
    plates: int
    workers: int = 2
    slots: int = 3
    live: bool = True
    """Sheets pass whether they are taken or not."""
    overload: Literal["wait", "skip"] = "wait"
    columns: int = 300
    classifier: Literal["off", "annotate", "veto", "confirm"] = "off"
    deadline_s: float | None = None
    output: bool = True
    says_late: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """A setting and the faults in the order of their times."""

    setting: Setting
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return "\n".join([str(self.setting), *(f"  {fault}" for fault in self.faults)])


PLATE_S = 0.35
"""About as long a sheet and the gap after it take to pass."""
_WEIGHTS: dict[Kind, float] = {
    "kill": 6,
    "stop": 4,
    "suspend": 0.2,
    "cut": 4,
    "slow": 2,
    "garble": 5,
    "store fails": 1.5,
    "store answers not": 1,
    "store is slow": 0.7,
    "store refuses": 1,
    "nonsense": 2,
    "poison": 0.5,
    "classifier lies": 1,
    "classifier lost": 0.15,
    "strips lost": 1,
    "peer away": 1,
    "peer echoes wrong": 0.5,
}
"""How often each is drawn, against the others."""
LASTING: frozenset[Kind] = frozenset(
    {"stop", "suspend", "slow", "store fails", "store answers not", "store is slow", "strips lost", "peer away"}
)
"""Those that last so many seconds as they say."""
_CLOSE = 0.35
"""Share of the faults that follow the one before it at once: two that meet find more."""


def drawn(seed: int, plates: int, *, calm: bool = False) -> Schedule:
    """The schedule of a seed; `calm`: without faults."""
    chance = random.Random(f"linesentry {seed}")  # noqa: S311 - it is to be repeated
    setting = Setting(
        seed,
        plates,
        workers=chance.choice((1, 1, 2, 3)),
        slots=chance.choice((2, 3, 4, 6)),
        live=chance.random() < 0.6,
        overload=chance.choice(("wait", "skip")),
        columns=chance.choice((150, 300)),
        classifier=chance.choice(("off", "off", "annotate", "veto", "confirm")),
        deadline_s=chance.choice((None, None, 5.0, 20.0)),
        output=chance.random() < 0.7,
        says_late=chance.random() < 0.3,
    )
    if calm:
        return Schedule(setting)
    at, faults = 0.0, []
    last = plates * PLATE_S
    for _ in range(chance.randint(1, 2 + plates // 3)):
        close = chance.random() < _CLOSE
        at = at + chance.random() * 0.3 if close else chance.random() * last
        kind = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        faults.append(_fault(kind, at, setting, chance))
    return Schedule(setting, tuple(sorted(faults, key=lambda fault: fault.at)))


def processes(setting: Setting) -> list[str]:
    """Names of all processes of a line."""
    names = ["line-0", "acquire-0", "tile-0", "merge-0", "record-0"]
    names += [f"detect-{index}" for index in range(setting.workers)]
    names += ["classify-0"] * (setting.classifier != "off") + ["output-0"] * setting.output
    return names


def connections(setting: Setting) -> list[str]:
    """All connections between them, as CLIENT>ADDRESS."""
    workers = [f"detect-{index}" for index in range(setting.workers)]
    found = ["acquire-0>camera", "acquire-0>tile", "tile-0>merge", "tile-0>record", "merge-0>record"]
    found += [f"{worker}>{address}" for worker in workers for address in ("leases", "results")]
    found += ["classify-0>crops"] * (setting.classifier != "off") + ["output-0>record"] * setting.output
    return found + [f"{name}>supervisor" for name in ("line-0", "acquire-0", "tile-0", "merge-0", "record-0")]


def _fault(kind: Kind, at: float, setting: Setting, chance: random.Random) -> Fault:
    who, much = "", 0.0
    match kind:
        case "kill":
            who = chance.choice(processes(setting))
        case "stop":
            who, much = chance.choice(processes(setting)), chance.choice((0.3, 1.5, 4.0, 8.0))
        case "cut":
            who = chance.choice(connections(setting))
        case "slow":
            who, much = chance.choice(connections(setting)), 0.1 + 2 * chance.random()
        case "garble":
            who, much = chance.choice(connections(setting)), chance.randint(1, 4)
        case "store fails" | "store answers not":
            who, much = chance.choice(("full", "locked", "broken")), chance.choice((0.2, 2.0, 14.0)) * chance.random()
        case "nonsense":
            who, much = f"detect-{chance.randrange(setting.workers)}", chance.randint(1, 4)
        case "poison":
            much = chance.randrange(setting.plates)
        case "store refuses" | "peer echoes wrong" | "classifier lies":
            much = chance.randint(1, 3)
        case "store is slow" | "peer away" | "strips lost" | "suspend":
            much = 0.2 + 3 * chance.random()
    return Fault(at, kind, who, round(much, 2))
