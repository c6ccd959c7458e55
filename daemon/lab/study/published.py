"""The network trained as the paper trains it, at full resolution: trained once a seed and kept for all its cells."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from daemon.lab.study.measure import Record, Setting, training_facts
from models.detector.features import FeatureNetwork, network_for
from models.study.published import FULL, train_published
from models.training.checkpoints import save_whole
from models.training.detector.crops import LabelledCrop
from models.training.detector.patches import PATCHES


def published_form(setting: Setting, seed: int) -> tuple[FeatureNetwork, Record]:
    """The network and the facts of its training; the weights of an earlier cell where they are of the same training.

    A file of another training, or a damaged one, is trained anew and written over.
    """
    setting.say("drawing crops")
    crops = setting.crops(setting.scale, seed)
    minutes = None if setting.steps is not None else setting.minutes
    kind = {"seed": seed, "minutes": minutes, "asked_steps": setting.steps, "crops_sha256": _sha256(crops)}
    path = None if setting.kept is None else setting.kept / f"published-{setting.scale}-{seed}.pt"
    network = network_for(FULL)
    saved = None if path is None else _kept(path, kind, network)
    if path is not None and saved is not None:
        setting.say(f"weights of an earlier cell: {path}")
        return network.eval(), saved["facts"] | {"weights_kept": path.name}
    state, outcome = train_published(
        crops,
        minutes=minutes,
        steps=setting.steps,
        seed=seed,
        on_progress=lambda share: setting.say("training at full resolution, as published", share),
    )
    network.load_state_dict(state)
    facts = training_facts(setting, outcome, crops, network, PATCHES)
    if path is not None:
        save_whole(path, {"kind": kind, "state": state, "facts": facts})
        setting.say(f"weights kept in {path}")
    return network.eval(), facts


def _kept(path: Path, kind: Mapping[str, Any], network: FeatureNetwork) -> dict[str, Any] | None:
    """What is kept of this very training, its weights taken into the network."""
    if not path.is_file():
        return None
    try:
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        if saved["kind"] != dict(kind):
            return None
        network.load_state_dict(saved["state"])
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, UnpicklingError):
        return None
    return saved


def _sha256(crops: Sequence[LabelledCrop]) -> str:
    whole = hashlib.sha256()
    for crop in crops:
        for part in crop:
            whole.update(part.tobytes())
    return whole.hexdigest()
