"""The command `linesentry train detector`: from simulated crops and photographs to weights with their model card."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from rich.console import Console

from config.errors import ConfigError
from config.load import load_recipe
from config.schema import Recipe
from daemon.lab.orders import TrainDetector
from daemon.lab.progress import Teller
from daemon.store.state import code_sha256
from daemon.telemetry.printing import SafeConsole, say
from models.detector.features import FEATURE, Architecture
from models.detector.swaths import HALO
from models.study.unet import UNET
from models.training.detector.card import PLAIN, write
from models.training.detector.crops import CropSource, LabelledCrop
from models.training.detector.figures import Clean, evaluate, learn_threshold
from models.training.detector.metal import RealMetal
from models.training.detector.plan import Plan
from models.training.detector.train import Outcome, train
from models.training.detector.train import Progress as Step
from models.training.learnt_groups import LearntGroups
from simulator.crops import other_formulas, pressed, wild
from simulator.crops.cut import TRAINING_PRODUCTS, SheetCrops, paint_on_metal, training_crop

_CROP, _BATCH = 512, 6
_ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in (FEATURE, UNET)}
_VALIDATION = 96
"""Crops of each look; of 24 the loss rose while that of others fell. A look takes 0.7 s on one core, every two minutes.
"""
_SEEN = PLAIN.windows.size + 2 * HALO
"""Px of a crop for the floor and the figures: a window, and what the line sees around it."""
_MOST_ON_SHEETS, _MOST_ON_CROPS = 0.2, 0.25
"""Share of defect-free sheets of the training products, and of wild crops, on which a false alarm may remain. The
line's classifier takes nearly all of those on sheets; a floor for 0.05 misses cracks that are plain to see on other
metal."""
_SHEET_CROPS, _CROPS_A_SHEET = 24, 64
"""As many times more crops of sheets than of other kinds tell so low a share; half of those of a sheet lie at its folds
and edges, about as many as a whole sheet has there."""
_LEAST_CROPS, _MOST_CROPS, _CROPS_A_MINUTE = 4, 160, 16
"""Of a kind, for the floor and again for the figures: what a long training is worth, and a short trial can afford."""
_CLEAN_SEED, _HELD_OUT_SEED, _VALIDATION_SEED = 2_000_000_000, 3_000_000_000, 4_000_000_000
"""Added to the seed, far from those that training draws from."""


def train_detector_command(order: TrainDetector) -> None:
    """Train, learn the threshold on defect-free crops, measure on crops never trained on, and write it all.

    Raises:
        SystemExit: 2 when the data or the checkpoint cannot be used, 130 after Ctrl-C; both with a line on stderr.
    """
    console = SafeConsole(stderr=True)
    checkpoint, architecture = order.checkpoint, _ARCHITECTURES[order.network]
    code = code_sha256()
    try:
        recipe = _network(order)
        metal, checks = _metal(order)
        outcome = _trained(console, order, recipe, metal, checks)
    except KeyboardInterrupt:
        kept = f"go on with --resume {checkpoint}" if checkpoint.is_file() else "nothing was learnt yet"
        say(f"linesentry train: interrupted; {kept}")
        raise SystemExit(130) from None
    except (ConfigError, OSError, ValueError, RuntimeError) as error:
        say(f"linesentry train: {error}")
        raise SystemExit(2) from error
    count = int(min(_MOST_CROPS, max(_LEAST_CROPS, _CROPS_A_MINUTE * order.minutes)))
    with console.status("learning the threshold on defect-free crops"):
        seed = order.seed + _CLEAN_SEED
        clean = _clean(seed, count) if checks is None else [_wild("photographs", checks, seed, count)]
        threshold, by_floor = learn_threshold(outcome.state, clean, recipe=recipe, architecture=architecture)
    figures: dict[str, Any] = {}
    kinds = _kinds(cracks=None) if checks is None else {"photographs": checks}
    for name, source in kinds.items():
        with console.status(f"measuring on held-out crops: {name}"):
            crops = _drawn(source, order.seed + _HELD_OUT_SEED, count)
            figures[name] = evaluate(outcome.state, threshold, crops, recipe, architecture)
    facts = {**_facts(order, outcome, metal, code), "false_alarms_by_floor": by_floor, "figures": figures}
    path = write(order.out, outcome.state, threshold, facts, recipe, architecture)
    print(path)  # noqa: T201 - the command's answer
    say(f"card: {path.with_suffix('.json')}; checkpoint: {checkpoint}")


def _facts(order: TrainDetector, outcome: Outcome, metal: RealMetal | None, code: str) -> dict[str, Any]:
    """What the model card says of the training."""
    alone = order.metal_share == 1
    folders = order.data if metal else ()
    return {
        "started_from": list(outcome.started_from),
        **_groups(order, metal),
        "trained_on": {
            "simulated": None if alone else "simulator.crops.cut.training_crop",
            "products": [] if alone else list(TRAINING_PRODUCTS),
            "metal": [f"{one.name}, groups that are not held out (models.training.photographs)" for one in folders],
            "metal_share": order.metal_share if metal else 0.0,
            "photographs_sha256": metal.fingerprint() if metal else None,
        },
        "seeds": [order.seed],
        "schedule": {
            "preset": order.preset,
            **outcome.facts(),
            "crop_px": _CROP,
            "batch": _BATCH,
            "validation": [list(look) for look in outcome.history],
            "torch": torch.__version__,
        },
        "command": " ".join(["linesentry", *sys.argv[1:]]),
        "code_sha256": code,
    }


def _groups(order: TrainDetector, metal: RealMetal | None) -> dict[str, str]:
    """For the card, the groups that these weights have met, those of the weights that they started from included.

    Nothing where the start's card lists none: what is half known would pass for all.
    """
    met = frozenset[str]() if metal is None else metal.groups
    if order.resume is not None and (card := order.resume.with_suffix(".json")).is_file():
        before = LearntGroups.of_card(json.loads(card.read_text("utf-8"))).keys
        if before is None:
            return {}
        met |= before
    return {"groups": " ".join(sorted(met))}


def _network(order: TrainDetector) -> Recipe:
    """What the network is made by: of a recipe its templates and pitch alone, for the crops are of bright cracks."""
    if order.recipe is None:
        return PLAIN.model_copy(update={"resolution": order.resolution})
    recipe = load_recipe(order.recipe)
    if recipe.resolution != order.resolution:
        raise ValueError(
            f"recipe {recipe.name} asks for resolution {recipe.resolution}, the training for {order.resolution}: "
            f"add --resolution {recipe.resolution}, or change the recipe"
        )
    return Recipe(name=recipe.name, resolution=recipe.resolution, templates=recipe.templates, pitch=recipe.pitch)


def _metal(order: TrainDetector) -> tuple[RealMetal | None, RealMetal | None]:
    """Photographs to learn from; and, where nothing else is there, those that looks, floor and figures are of."""
    alone = order.metal_share == 1
    if alone and not order.data:
        raise ValueError("--metal-share 1 trains on photographs alone: name them with --data FOLDER")
    if not order.data or order.metal_share == 0:
        return None, None
    metal = RealMetal(order.data, paint_on_metal, "training" if alone else "all")
    if metal.passed_over:
        each = ", ".join(f"{count} of {name}" for name, count in sorted(metal.passed_over.items()))
        say(
            f"linesentry train: photographs passed over: {each}; used are known classes, and of any set class crack "
            "with a mask and class without_crack"
        )
    if metal.unnamed:
        say(
            f"linesentry train: {len(metal.unnamed)} pictures passed over that no manifest or mask names, "
            f"{metal.unnamed[0]} the first"
        )
    if metal.held_out:
        say(f"linesentry train: {metal.held_out} photographs of groups that are kept for tests")
    return metal, RealMetal(order.data, paint_on_metal, "validation") if alone else None


def _trained(
    console: Console, order: TrainDetector, recipe: Recipe, metal: RealMetal | None, checks: RealMetal | None
) -> Outcome:
    """Train, and tell on stderr how far it is."""
    with Teller("linesentry train", console) as teller:
        teller.part("training", 60 * order.minutes)

        def show(step: Step) -> None:
            teller.at(step.seconds, f"step {step.step}  loss {step.loss:.3f}  crops {step.drawn}")

        plan = Plan(
            minutes=order.minutes,
            seed=order.seed,
            metal_share=order.metal_share,
            crop=_CROP,
            batch=_BATCH,
            preset=order.preset,
            recipe=recipe,
            architecture=_ARCHITECTURES[order.network],
            patience=order.patience,
        )
        rng = np.random.default_rng(order.seed + _VALIDATION_SEED)
        looks = training_crop if checks is None else checks
        return train(
            training_crop,
            plan,
            metal=metal,
            validation=[looks(rng, _CROP) for _ in range(_VALIDATION)],
            checkpoint=order.checkpoint,
            resume=order.resume,
            on_progress=show,
        )


def _kinds(cracks: int | None) -> dict[str, CropSource]:
    """Sources of crops by name; with 0 cracks the sheets hold none."""
    sheets = SheetCrops() if cracks is None else SheetCrops(cracks)
    return {
        "sheets of " + " and ".join(TRAINING_PRODUCTS): sheets,
        "simulator.crops.wild": wild.training_window,
        "simulator.crops.other_formulas": other_formulas.training_window,
        "simulator.crops.pressed": pressed.training_window,
    }


def _clean(seed: int, count: int) -> Iterator[Clean]:
    """Defect-free crops of each kind; sheets, which a line sees day and night, must be far cleaner than wild crops."""
    for number, (name, source) in enumerate(_kinds(cracks=0).items()):
        if number == 0:
            sheets = max(1, round(_SHEET_CROPS * count / _CROPS_A_SHEET))
            groups = (_drawn(SheetCrops(cracks=0), seed + sheet, _CROPS_A_SHEET) for sheet in range(sheets))
            yield Clean(name, groups, _MOST_ON_SHEETS)
        else:
            yield _wild(name, source, seed, count)


def _wild(name: str, source: CropSource, seed: int, count: int) -> Clean:
    # A crop whose cracks are too faint to be judged is not sure to be free of them.
    crops = _drawn(source, seed, 2 * count)
    return Clean(name, ([crop] for crop in crops if not crop[1].any() and not crop[2].any()), _MOST_ON_CROPS)


def _drawn(source: CropSource, seed: int, count: int) -> Iterator[LabelledCrop]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield source(rng, _SEEN)
