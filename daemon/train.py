"""The command `linesentry train detector`: from simulated crops and photographs to weights with their model card."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from models.training.card import write
from models.training.detector import Outcome, train
from models.training.detector import Progress as Step
from models.training.measure import evaluate, learn_threshold
from models.training.samples import Crop, RealMetal
from simulator import otherwise, pressed, samples
from simulator.crops import TRAINING_PRODUCTS, SheetCrops, paint_on_metal, training_crop

CHECKPOINT = "detector-half.ckpt"
_METAL_SHARE = 0.25
_CROP, _BATCH = 512, 6
_WINDOW = 650
_LEAST_CROPS, _MOST_CROPS, _CROPS_A_MINUTE = 4, 160, 16
"""Of a kind, for the floor and again for the figures: what a long training is worth, and a short trial can afford."""
_CLEAN_SEED, _HELD_OUT_SEED = 2_000_000_000, 3_000_000_000
"""Added to the seed, far from those that training draws from."""

Source = Callable[[np.random.Generator, int], Crop]


def train_detector_command(
    out: Path,
    *,
    data: Sequence[Path],
    minutes: float,
    seed: int,
    preset: Literal["default", "paper"],
    resume: Path | None,
) -> None:
    """Train, learn the threshold on defect-free crops, measure on crops never trained on, and write it all.

    Args:
        out: folder for detector-half.pt, its card detector-half.json, and the checkpoint while it trains.
        data: folders of photographs of real metal, each with a manifest.csv.
        minutes: time to train, that before a resume included.
        seed: of the network, the crops and their order.
        preset: the project's schedule or the published one.
        resume: a checkpoint to go on from.

    Raises:
        SystemExit: 2 when the data or the checkpoint cannot be used, 130 after Ctrl-C; both with a line on stderr.
    """
    console = Console(stderr=True)
    checkpoint = out / CHECKPOINT
    try:
        outcome = _trained(console, checkpoint, data, minutes, seed, preset, resume)
    except KeyboardInterrupt:
        kept = f"go on with --resume {checkpoint}" if checkpoint.is_file() else "nothing was learnt yet"
        print(f"linesentry train: interrupted; {kept}", file=sys.stderr)  # noqa: T201 - a command speaks
        raise SystemExit(130) from None
    except (OSError, ValueError, KeyError, RuntimeError, UnpicklingError) as error:
        print(f"linesentry train: {error}", file=sys.stderr)  # noqa: T201 - a command speaks
        raise SystemExit(2) from error
    count = int(min(_MOST_CROPS, max(_LEAST_CROPS, _CROPS_A_MINUTE * minutes)))
    with console.status("learning the threshold on defect-free crops"):
        threshold, by_floor = learn_threshold(outcome.state, _clean(seed + _CLEAN_SEED, count))
    figures: dict[str, Any] = {}
    for name, source in _kinds(cracks=None).items():
        with console.status(f"measuring on held-out crops: {name}"):
            figures[name] = evaluate(outcome.state, threshold, _drawn(source, seed + _HELD_OUT_SEED, count))
    facts = {
        "trained_on": {
            "simulated": "simulator.crops.training_crop",
            "products": list(TRAINING_PRODUCTS),
            "metal": [f"{folder.name}, groups that are not held out (models.training.samples)" for folder in data],
            "metal_share": _METAL_SHARE if data else 0.0,
        },
        "seeds": [seed],
        "schedule": {
            "preset": preset,
            "minutes": round(outcome.seconds / 60, 2),
            "steps": outcome.steps,
            "crops": outcome.crops,
            "crop_px": _CROP,
            "batch": _BATCH,
            "loss": round(outcome.loss, 4),
            "torch": torch.__version__,
        },
        "command": " ".join(["linesentry", *sys.argv[1:]]),
        "false_regions_per_mpx_by_floor": by_floor,
        "figures": figures,
    }
    path = write(out, outcome.state, threshold, facts)
    print(path)  # noqa: T201 - the command's answer
    print(f"card: {path.with_suffix('.json')}; checkpoint: {checkpoint}", file=sys.stderr)  # noqa: T201 - a command speaks


def _trained(
    console: Console,
    checkpoint: Path,
    data: Sequence[Path],
    minutes: float,
    seed: int,
    preset: Literal["default", "paper"],
    resume: Path | None,
) -> Outcome:
    """Train with a bar on stderr."""
    words = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*words, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("training: first crops", total=60 * minutes)

        def show(step: Step) -> None:
            words = f"step {step.step}  loss {step.loss:.3f}  crops {step.drawn}"
            bar.update(task, completed=step.seconds, description=words)

        return train(
            training_crop,
            minutes=minutes,
            seed=seed,
            metal=RealMetal(data, paint_on_metal) if data else None,
            metal_share=_METAL_SHARE,
            crop=_CROP,
            batch=_BATCH,
            preset=preset,
            checkpoint=checkpoint,
            resume=resume,
            on_progress=show,
        )


def _kinds(cracks: int | None) -> dict[str, Source]:
    """Sources of crops by name; with 0 cracks the sheets hold none."""
    sheets = SheetCrops() if cracks is None else SheetCrops(cracks)
    return {
        "sheets of " + " and ".join(TRAINING_PRODUCTS): sheets,
        "simulator.samples": samples.training_window,
        "simulator.otherwise": otherwise.training_window,
        "simulator.pressed": pressed.training_window,
    }


def _clean(seed: int, count: int) -> Iterator[Crop]:
    """Defect-free crops of each kind."""
    for source in _kinds(cracks=0).values():
        # A crop whose cracks are too faint to be judged is not sure to be free of them.
        yield from (crop for crop in _drawn(source, seed, 2 * count) if not crop[1].any() and not crop[2].any())


def _drawn(source: Source, seed: int, count: int) -> Iterator[Crop]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield source(rng, _WINDOW)
