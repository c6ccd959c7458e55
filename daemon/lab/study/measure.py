"""What a cell measures: the setting that cells share, and recall, precision and their kin on the unseen products."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from daemon.lab.study.methods import Method, choose, score
from daemon.lab.study.sheets import CROP_PX, Plate, Scale, training_crops, tuning_plates, unseen_plates
from models.measure.assessment import Scored, Summary, summary
from models.study.training import Outcome
from models.training.detector.crops import LabelledCrop
from simulator.sheets.interference import Kind

Record = dict[str, Any]
"""A cell's figures: plain JSON values."""
OnProgress = Callable[[str, float], None]
"""What is being done, and the share of it that is done."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all cells of a run share."""

    scale: Scale = "small"
    minutes: float = 4.0
    """Training time of each trained cell."""
    steps: int | None = None
    """Instead of minutes."""
    on_progress: OnProgress | None = None
    kept: Path | None = None
    """Folder where weights that several cells share are kept for the next one; None keeps none."""
    plates: Callable[[Scale, Sequence[Kind]], Iterable[Plate]] = unseen_plates
    tuning: Callable[[], Iterable[Plate]] = tuning_plates
    crops: Callable[[Scale, int], Sequence[LabelledCrop]] = training_crops

    def say(self, what: str, share: float = 0.0) -> None:
        """Tell whoever listens."""
        if self.on_progress is not None:
            self.on_progress(what, share)


def measured(method: Method, setting: Setting, kinds: tuple[Kind, ...] = ()) -> Record:
    """Choose the level where there is a choice, and measure on the unseen products."""
    setting.say("choosing the level")
    level, tuned = choose(method, setting.tuning())
    started = time.monotonic()
    scored = []
    for plate in setting.plates(setting.scale, kinds):
        setting.say(f"looking at {plate.name}")
        scored.append(score(method, level, plate, "+".join(kinds) or "none"))
    facts: Record = {"level": list(level)}
    if len(method.levels) > 1:
        facts["f1_where_level_was_chosen"] = round(tuned.f1, 4)
    return facts | figures(scored) | {"measuring_seconds": round(time.monotonic() - started, 1)}


def training_facts(
    setting: Setting, outcome: Outcome, crops: Sequence[LabelledCrop], network: nn.Module, batch: int
) -> Record:
    """What a trained cell keeps of its training; `batch` counts crops or patches of a step."""
    return {
        "minutes": None if setting.steps is not None else setting.minutes,
        "training_seconds": round(outcome.seconds, 1),
        "steps": outcome.steps,
        "batch": batch,
        "crops": len(crops),
        "crop_px": CROP_PX,
        "loss": round(outcome.loss, 4),
        "parameters": sum(part.numel() for part in network.parameters()),
    }


def figures(scored: Sequence[Scored], *, each: bool = True) -> Record:
    """R, P, F1, FPB, MDB with their intervals, TP/FP/FN of `each` plate; everything found counts."""
    whole = _summary(scored)
    found: Record = {
        "images": whole.plates,
        "mpx": round(sum(one.rows * one.columns for one in scored) / 1e6, 1),
        "cracks": whole.defects,
        "hidden": whole.hidden,
        "true": whole.match.true,
        "missed": whole.match.missed,
        "false": whole.match.false,
        "fragments": whole.fragments,
        "recall": round(whole.recall, 4),
        "precision": round(whole.precision, 4),
        "f1": round(whole.f1, 4),
        "fpb": round(whole.fpb, 3),
        "mdb": round(whole.mdb, 3),
        "intervals": {name: [round(bound, 4) for bound in bounds] for name, bounds in whole.intervals.items()},
    }
    if each:
        found["tp_fp_fn_by_image"] = {one.name: _counts(_summary([one])) for one in scored}
    return found


def _summary(scored: Sequence[Scored]) -> Summary:
    return summary(scored, at=float("-inf"))


def _counts(whole: Summary) -> str:
    return f"{whole.match.true}/{whole.match.false}/{whole.match.missed}"
