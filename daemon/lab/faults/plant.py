"""All that the processes of one simulated line share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

from config.schema import Classifier, Columns, Config, Decision, Gates, Length, Recipe, Switch, Windows
from daemon.lab.faults.belt import (
    DEBOUNCE_ROWS,
    MOST_ROWS,
    NOMINAL_ROWS,
    OFFSET_ROWS,
    SIZE,
    STRIDE,
    STRIP_ROWS,
    TOLERANCE,
    Belt,
    BeltCamera,
)
from daemon.lab.faults.history import History
from daemon.lab.faults.memory import SimulatedMemory
from daemon.lab.faults.network import Network
from daemon.lab.faults.schedule import Setting
from daemon.lab.faults.store import Disk
from daemon.lab.faults.world import World
from daemon.wire.plate_memory import Shape

RUN = "simulated"
BUFFERS = 6
_HANG_S = 3.0


@dataclass(slots=True)
class Plant:
    """One line at work."""

    current: ClassVar[Plant]

    setting: Setting
    world: World
    history: History
    config: Config
    recipe: Recipe
    network: Network
    memory: SimulatedMemory
    disk: Disk
    belt: Belt
    cameras: list[BeltCamera] = field(default_factory=list)
    """Of each incarnation of the line, the latest last."""
    machines: dict[str, Any] = field(default_factory=dict)
    """The state machine of each process that has one, by the process's name."""
    nonsense: dict[str, int] = field(default_factory=dict)
    """Swaths that a worker has yet to answer with nonsense."""
    poisoned: set[str] = field(default_factory=set)
    """Sheets on whose middle window every worker dies."""
    lies: int = 0
    """Answers that the classifier has yet to give falsely."""
    peer_away_until: float = 0.0
    wrong_echoes: int = 0

    @classmethod
    def of(cls, setting: Setting) -> Plant:
        """A line that is about to begin."""
        world = World(setting.seed)
        history = History(outputs=setting.output)
        # What it depends on alone, so that others are the same.
        config, recipe = _configured(replace(setting, seed=0, plates=0, workers=0, says_late=False))
        shape = Shape(setting.slots, MOST_ROWS, setting.columns)
        plant = cls(
            setting,
            world,
            history,
            config,
            recipe,
            Network(world),
            SimulatedMemory(shape, setting.workers),
            Disk(world, history),
            Belt(setting, world, history),
        )
        Plant.current = plant
        return plant


@lru_cache(maxsize=256)
def _configured(setting: Setting) -> tuple[Config, Recipe]:
    recipe = Recipe(
        name="simulated",
        length=Length(nominal_rows=NOMINAL_ROWS, tolerance=TOLERANCE),
        columns=Columns(last=setting.columns),
        switch=Switch(offset_rows=OFFSET_ROWS, debounce_rows=DEBOUNCE_ROWS),
        most_rows=MOST_ROWS,
        windows=Windows(size=SIZE, stride=STRIDE),
        gates=Gates(action="warn", integrity="warn"),
        decision=Decision(deadline_s=setting.deadline_s),
        classifier=Classifier(mode=setting.classifier),
    )
    gate = {"name": "gate", "host": "peer", "port": 1, "deadline_s": 5.0}
    settings = {
        "camera": {
            "width": setting.columns,
            "strip_rows": STRIP_ROWS,
            "buffers": BUFFERS,
            "line_rate_hz": 1.0 if setting.live else None,
        },
        "slots": setting.slots,
        "overload": setting.overload,
        "lease": {"least_s": 0.5, "factor": 10.0},
        "restart": {"budget": 1_000_000, "hang_s": _HANG_S},
        "archive": {"verdicts": []},
        "outputs": {"text": [gate] if setting.output else []},
    }
    return Config.model_validate(settings), recipe
