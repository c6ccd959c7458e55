"""The cells of the study: what is done in each, from sheets to figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from daemon.lab.study.distributions import distributions, fractions
from daemon.lab.study.measure import Record, Setting, measured, training_facts
from daemon.lab.study.methods import (
    FLOORS,
    BoxMethod,
    ClassicalMethod,
    PixelMethod,
    Rule,
    detector_of,
    shipped,
    shipped_learnt,
)
from daemon.lab.study.product import as_shipped
from daemon.lab.study.published import published_form
from models.detector.features import FeatureNetwork
from models.study.anchor_based import AnchorBased, fit_anchors
from models.study.anchor_free import AnchorFree
from models.study.classical import METHODS, halved
from models.study.efficientdet import EfficientDet
from models.study.receptive_field import with_receptive_field
from models.study.training import BATCH, box_loss, boxes_of, pixel_loss, train
from models.study.variants import StudyNetwork
from models.training.detector.crops import LabelledCrop
from simulator.sheets.interference import Kind

Needs = Literal["nothing", "weights", "product", "training"]
"""What a cell's figures depend on beside the code; `product` is all that ships."""
Do = Callable[[Setting, int], Record]
_ADAPTIVE = Rule()


@dataclass(frozen=True, slots=True)
class Cell:
    """One job: a variant of an experiment, with a seed where there is something to seed."""

    experiment: str
    variant: str
    needs: Needs
    do: Do

    @property
    def name(self) -> str:
        """What stands in the tables' rows."""
        return f"{self.experiment}/{self.variant}"


# --- with the weights that ship --------------------------------------------------------------------------------------


def _shipped(rule: Rule = _ADAPTIVE, *, tuned: bool = False, kinds: tuple[Kind, ...] = ()) -> Do:
    def do(setting: Setting, seed: int) -> Record:
        del seed
        method = PixelMethod(shipped(), shipped_learnt(), rule, FLOORS if tuned else ())
        return measured(method, setting, kinds)

    return do


def _classical(name: str) -> Do:
    def do(setting: Setting, seed: int) -> Record:
        del seed
        return measured(ClassicalMethod(name), setting)

    return do


# --- trained here ----------------------------------------------------------------------------------------------------


def _pixels(make: Callable[[], FeatureNetwork]) -> Do:
    """Train a network that gives a value a pixel, choose its floor, measure."""

    def do(setting: Setting, seed: int) -> Record:
        torch.manual_seed(seed)
        network = make()
        facts = _trained(network, setting, seed, boxes=False)
        return facts | measured(PixelMethod(detector_of(network), shipped_learnt(), Rule(), FLOORS), setting)

    return do


def _published(rule: Rule, *, tuned: bool = False) -> Do:
    """The network trained as the paper trains it, with a rule; only the adaptive one has a floor to choose."""

    def do(setting: Setting, seed: int) -> Record:
        network, facts = published_form(setting, seed)
        method = PixelMethod(detector_of(network), shipped_learnt(), rule, FLOORS if tuned else ())
        return facts | measured(method, setting)

    return do


def _boxes(make: Callable[[Sequence[LabelledCrop]], nn.Module]) -> Do:
    """Train a general detector, choose its least score, measure."""

    def do(setting: Setting, seed: int) -> Record:
        torch.manual_seed(seed)
        network = make(setting.crops(setting.scale, seed))
        facts = _trained(network, setting, seed, boxes=True)
        return facts | measured(BoxMethod(network), setting)

    return do


def _anchor_based(crops: Sequence[LabelledCrop]) -> AnchorBased:
    sides = []
    for _, mask, _ in crops:
        boxes = boxes_of((halved(mask.astype(np.uint8)) >= 0.5).astype(np.float32))
        sides.append(boxes[:, 2:] - boxes[:, :2])
    return AnchorBased(fit_anchors(np.concatenate(sides)))


def _trained(network: nn.Module, setting: Setting, seed: int, *, boxes: bool) -> Record:
    setting.say("drawing crops")
    crops = setting.crops(setting.scale, seed)
    outcome = train(
        network,
        box_loss if boxes else pixel_loss,
        crops,
        minutes=None if setting.steps is not None else setting.minutes,
        steps=setting.steps,
        seed=seed,
        on_progress=lambda share: setting.say("training", share),
    )
    return training_facts(setting, outcome, crops, network, BATCH)


# --- all of them -----------------------------------------------------------------------------------------------------


def cells() -> tuple[Cell, ...]:
    """All cells, in the order in which they run: what needs no training first."""
    without_training = [
        Cell("table1", "bare", "weights", _shipped(_ADAPTIVE)),
        Cell("table1", "as_shipped", "product", as_shipped),
        Cell("table1", "mu_3sigma", "weights", _shipped(Rule("mu_3sigma"))),
        Cell("table1", "top_fraction", "weights", _shipped(Rule("top_fraction"))),
        Cell("table1", "top_fraction_foreground", "weights", _shipped(Rule("top_fraction_foreground"))),
        *(Cell("classical", name, "nothing", _classical(name)) for name in METHODS),
        *(
            Cell("table4", f"patches_{stride}", "weights", _shipped(Rule(patch_stride=stride)))
            for stride in (32, 64, 128)
        ),
        Cell("table4", "windows_650", "weights", _shipped(Rule(window_stride=650))),
        Cell("ablation", "with_shape", "weights", _shipped(_ADAPTIVE, tuned=True)),
        Cell("ablation", "without_shape", "weights", _shipped(Rule(line_like=False), tuned=True)),
        *(Cell("table5", kind, "weights", _shipped(_ADAPTIVE, kinds=(kind,))) for kind in _KINDS),
        Cell("figures", "distributions", "weights", distributions),
        Cell("figures", "fractions", "weights", fractions),
    ]
    training = [
        Cell("table1", "full_adaptive", "training", _published(_ADAPTIVE, tuned=True)),
        Cell("table1", "full_mu_3sigma", "training", _published(Rule("mu_3sigma"))),
        Cell("table1", "full_top_fraction", "training", _published(Rule("top_fraction"))),
        Cell("table2", "ours", "training", _pixels(StudyNetwork)),
        Cell("table2", "anchor_free", "training", _boxes(lambda _: AnchorFree())),
        Cell("table2", "anchor_based", "training", _boxes(_anchor_based)),
        Cell("table2", "efficientdet", "training", _boxes(lambda _: EfficientDet())),
        Cell("table3", "aspp", "training", _pixels(lambda: with_receptive_field(StudyNetwork(), "aspp"))),
        Cell("table3", "rfb", "training", _pixels(lambda: with_receptive_field(StudyNetwork(), "rfb"))),
        Cell("table3", "drconv", "training", _pixels(lambda: with_receptive_field(StudyNetwork(), "drconv"))),
        Cell("ablation", "one_template", "training", _pixels(lambda: StudyNetwork("one"))),
        Cell("ablation", "no_templates", "training", _pixels(lambda: StudyNetwork("none"))),
    ]
    return (*without_training, *training)


_KINDS: tuple[Kind, ...] = ("oil", "noise", "light")
