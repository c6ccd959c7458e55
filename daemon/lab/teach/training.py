"""The fine-tuning of the base's weights on the product's own ground."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import torch

from config.load import recipe_hash
from config.schema import Recipe
from config.weights import weights_path
from daemon.lab.orders import Teach
from daemon.lab.progress import Teller
from daemon.lab.teach.folder import Folder
from daemon.lab.teach.ground import marked_ground
from daemon.store.state import code_sha256
from models.machine.cpu import usable_cores
from models.training.detector.crops import CropSource
from models.training.detector.ground import ProductGround
from models.training.detector.plan import Plan
from models.training.detector.train import Outcome, train
from models.training.detector.train import Progress as Step
from models.training.learnt_groups import LearntGroups
from simulator.crops.cut import training_crop

SIMULATED: CropSource = training_crop
"""What the weights learnt before, mixed in so that they do not forget it."""
CROP, BATCH = 352, 12
_OWN_SHARE = 0.6
"""Of the crops; the others are simulated."""
_RATE = 7e-4
"""First learning rate, a third of that of a training from nothing."""


def network_of(recipe: Recipe) -> Recipe:
    """What the network is made by: of a recipe its templates, resolution and pitch alone."""
    return Recipe(name=recipe.name, resolution=recipe.resolution, templates=recipe.templates, pitch=recipe.pitch)


def trained(
    ground: ProductGround, order: Teach, base: Recipe, minutes: float, folder: Folder, teller: Teller
) -> Outcome:
    """Fine-tune all weights, or go on with what was begun of the same ground.

    Raises:
        TeachError: something else was begun in the folder.
        ValueError: the checkpoint there is damaged.
    """
    weights = weights_path(base)
    of = {
        "ground": ground.fingerprint(),
        "base": recipe_hash(base.model_copy(update={"weights": None})),
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "order": [order.minutes, order.steps, order.seed],
    }
    minutes, resumed = folder.begun(of, minutes)
    steps = order.steps
    teller.part("going on with the training" if resumed else "training", steps or 60 * minutes)

    def show(step: Step) -> None:
        teller.at(step.step if steps else step.seconds, f"step {step.step}  loss {step.loss:.3f}")

    plan = Plan(
        minutes=None if steps else minutes,
        steps=steps,
        seed=order.seed,
        metal_share=_OWN_SHARE,
        crop=CROP,
        batch=BATCH,
        recipe=network_of(base),
        rate=_RATE,
    )
    threads = torch.get_num_threads()
    # One core is for painting and simulating crops; threads that wait for each other there would stand still.
    torch.set_num_threads(max(1, usable_cores() - 1))
    try:
        return train(
            SIMULATED,
            plan,
            metal=ground,
            checkpoint=folder.checkpoint,
            resume=folder.checkpoint if resumed else weights,
            on_progress=show,
        )
    finally:
        torch.set_num_threads(threads)


def card_facts(outcome: Outcome, order: Teach, ground: ProductGround, base: Recipe) -> dict[str, Any]:
    """What the model card says of the training."""
    return {
        "started_from": list(outcome.started_from),
        **_groups(order, base),
        "trained_on": {
            "simulated": "simulator.crops.cut.training_crop",
            "own_ground": "good sheets of the product, half of the crops with painted cracks",
            "own_share": _OWN_SHARE,
            "marks": [one.name for one in order.data],
            "ground_sha256": ground.fingerprint(),
        },
        "seeds": [order.seed],
        "schedule": {
            "preset": "default",
            "rate": _RATE,
            **outcome.facts(),
            "crop_px": CROP,
            "batch": BATCH,
            "torch": torch.__version__,
        },
        "command": " ".join(["linesentry", *sys.argv[1:]]),
        "code_sha256": code_sha256(),
    }


def _groups(order: Teach, base: Recipe) -> dict[str, str]:
    """For the card, the groups that these weights have met: those of the base, and of what was marked.

    Nothing where the base's card lists none: what is half known would pass for all.
    """
    before = LearntGroups.of_card(json.loads(weights_path(base).with_suffix(".json").read_text("utf-8"))).keys
    return {} if before is None else {"groups": " ".join(sorted(before | marked_ground(order.data)[1]))}
