"""A teacher: weights that know the task say of each crop what a network that starts from nothing is to answer.

Distillation (Hinton et al., arXiv:1503.02531): teacher and student see the same changed crop, so that there is an
answer for any crop, mixed ones too (Beyer et al., CVPR 2022, "a good teacher is patient and consistent"). A crop's
answer is one number; what the teacher's maps hold is asked for as well (Romero et al., "FitNets", ICLR 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.classifier import card as cards
from models.classifier.networks import Network
from models.machine.cpu import bfloat16_is_fast
from models.training.classifier.examples import Example
from models.training.classifier.validation import logits_of

_TEMPERATURE = 2.0
"""By which log-odds are divided before they are compared: answers that are all but certain still say which is more."""
_LABELLED, _MAPS = 0.5, 1.0
"""Weights of the labels' cross-entropy, and of the maps at the beginning, beside the teacher's answers."""
_MIXED_SHARE = 0.5
"""Of a batch: crops with another one laid over them, for which there is a teacher's answer and no label."""


class Loss(NamedTuple):
    """How far a student is from its teacher."""

    answers: Tensor
    """Kullback-Leibler divergence of the answers, times the square of the temperature."""
    maps: Tensor
    """The part of the spread of the teacher's maps that the student's do not explain: 1 says nothing, 0 all of it."""

    def with_labels(self, entropy: Tensor, share: float) -> Tensor:
        """What a step is to make smaller, at that share of the training: maps count less and less.

        Args:
            entropy: cross-entropy of the labels.
            share: of the training, 0..1.
        """
        return self.answers + _LABELLED * entropy + _MAPS * (1 - share) * self.maps


class Teacher:
    """Weights with their card, asked without gradients."""

    def __init__(self, weights: Path) -> None:
        """Read the weights.

        Raises:
            ClassifierError: weights that are missing or differ from their card.
        """
        network, card = cards.read(weights)
        self._name, self._state = str(card["network"]), network.state_dict()
        self._network = network.folded(torch.bfloat16 if bfloat16_is_fast() else torch.float32)
        self._dtype = next(self._network.parameters()).dtype
        self._middle = torch.empty(0)
        self._network.get_submodule(network.MIDDLE).register_forward_hook(self._listen)
        self._of_validation: dict[int, Tensor] = {}

    def _listen(self, _module: nn.Module, _inputs: object, maps: Tensor) -> None:
        self._middle = maps

    @torch.no_grad()
    def answer(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, 2), middle maps (n, c, h / 16, w / 16) and last maps (n, d, h / 32, w / 32), float32."""
        last = self._network.features(crops.to(self._dtype).contiguous(memory_format=torch.channels_last)).float()
        return self._network.head(last), self._middle.float(), last

    def of_validation(self, validation: Sequence[Example], side: int) -> Tensor:
        """Logits (n, 2) of the examples that a training is looked at by, computed once for each side."""
        if side not in self._of_validation:
            self._of_validation[side] = logits_of(self._name, self._state, validation, side)
        return self._of_validation[side]


class Pupil(nn.Module):
    """Layers that make the teacher's maps of the student's; they are thrown away with the training."""

    def __init__(self, teacher: Teacher, student: Network) -> None:
        super().__init__()
        self._teacher = teacher
        probe = torch.zeros(1, 3, 64, 64)
        _, middle, last = teacher.answer(probe)
        own = _maps_of(student, probe)
        sizes = zip(own, (middle, last), strict=True)
        self._layers = nn.ModuleList(nn.Conv2d(mine.shape[1], theirs.shape[1], 1) for mine, theirs in sizes)

    def loss(self, crops: Tensor, logits: Tensor, middle: Tensor, last: Tensor) -> Loss:
        """How far the student is from the teacher.

        Args:
            crops: (n, 3, h, w), of which all else was computed.
            logits: the student's, (n, 2).
            middle: its maps of `Network.MIDDLE`.
            last: its last maps.

        Raises:
            ValueError: no crop.
        """
        if not len(crops):
            raise ValueError("a teacher is asked about one crop at least")
        said, *theirs = self._teacher.answer(crops)
        wanted = functional.log_softmax(said / _TEMPERATURE, 1)
        found = functional.log_softmax(logits.float() / _TEMPERATURE, 1)
        answers = functional.kl_div(found, wanted, reduction="batchmean", log_target=True) * _TEMPERATURE**2
        own = [layer(maps).float() for layer, maps in zip(self._layers, (middle, last), strict=True)]
        unexplained = [
            (mine - their).square().mean() / (their - their.mean((0, 2, 3), keepdim=True)).square().mean()
            for mine, their in zip(own, theirs, strict=True)
        ]
        return Loss(answers, torch.stack(unexplained).mean())


def mixed(crops: Tensor, places: Tensor, key: Sequence[int], taught: int) -> tuple[Tensor, Tensor, int]:
    """Lay crops over others in the first part of a batch, by its key alone.

    Args:
        crops: (n, 3, h, w).
        places: (n, 1, h / 8, w / 8) of Batch.
        key: of the batch.
        taught: so many of the crops, the first, may be mixed with each other.

    Returns:
        The crops; the places, of which nothing is known where crops are mixed; how many are mixed.
    """
    count = min(int(_MIXED_SHARE * len(crops)), taught)
    share = torch.from_numpy(np.random.default_rng(key).random((count, 1, 1, 1), np.float32))
    over = crops[:taught].roll(1, 0)[:count]
    return (
        torch.cat((torch.lerp(over, crops[:count], share), crops[count:])).contiguous(
            memory_format=torch.channels_last
        ),
        torch.cat((torch.full_like(places[:count], torch.nan), places[count:])),
        count,
    )


def _maps_of(network: Network, crops: Tensor) -> tuple[Tensor, Tensor]:
    """Middle and last maps of a network, one after the other."""
    heard: list[Tensor] = []
    handle = network.get_submodule(network.MIDDLE).register_forward_hook(lambda *said: heard.append(said[2]))
    with torch.no_grad():
        last = network.eval().features(crops)
    handle.remove()
    return heard[0], last
