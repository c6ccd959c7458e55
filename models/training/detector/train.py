"""Training of the detector's feature network (docs/decisions/0012-training.md)."""

from __future__ import annotations

import hashlib
import io
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name torch's users know

from config.schema import Recipe
from models.detector.detector import bfloat16_is_fast
from models.detector.features import network_for
from models.machine.allocator import keep_freed
from models.training.checkpoints import Average, save_whole, slowed
from models.training.detector.card import PLAIN
from models.training.detector.examples import stacked
from models.training.detector.patches import patches_of
from models.training.photographs import Crop, Source, Stream

_POOL = 600
"""Crops that are kept and drawn again, so that a slow source does not hold up the network."""
_PAPER_EPOCHS = 250
_START_RATE = 7e-4
"""First learning rate of a training that starts from weights."""
_PATCHES = 128
"""Patches of a step of the published preset."""
_REPORT_S, _SAVE_S, _LOOK_S = 2.0, 60.0, 120.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands."""

    step: int
    steps: int | None
    seconds: float
    loss: float
    """Running mean."""
    drawn: int
    """Crops that were made, those of photographs too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training has done."""

    state: dict[str, Tensor]
    steps: int
    seconds: float
    crops: int
    loss: float
    history: tuple[tuple[int, float], ...] = ()
    """Step and loss of each look at the validation crops; `state` is that of the lowest."""
    started_from: tuple[dict[str, str], ...] = ()
    """`name` and `sha256` of each file that the training started from or was gone on with, the first one first."""


def train(
    samples: Source,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    metal: Source | None = None,
    metal_share: float = 0.25,
    crop: int = 352,
    batch: int = 12,
    preset: Literal["default", "paper"] = "default",
    recipe: Recipe = PLAIN,
    validation: Sequence[Crop] = (),
    patience: int = 10,
    rate: float | None = None,
    checkpoint: Path | None = None,
    resume: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Train the feature network.

    Args:
        samples: draws one crop (grey uint8, cracks' pixels, pixels not judged), size x size; a plain function of a
            module, for it runs in a process of its own.
        minutes: when to stop; or
        steps: how many batches to take.
        seed: of the network, the source and the order.
        metal: draws crops of photographs of real metal (models.training.detector.metal.RealMetal), in this process.
        metal_share: share of the crops that comes from there; at 1 `samples` is never asked.
        crop: side of a crop, px, even.
        batch: crops of a step.
        preset: `default` is AdamW with a warm-up and a cosine on whole crops; `paper` is 27 x 27 patches around the
            cracks' skeletons (M 106) and SGD, momentum 0.9, learning rate 0.01, divided by 5 every 50 epochs (M 107),
            an epoch being a 250th of the training.
        recipe: whose resolution, templates and pitch the network has; for `half` crops are reduced to means of 2 x 2
            px.
        validation: crops that tell how far it has come, of the size of the others; every two minutes.
        patience: the training ends early after so many looks at them without the loss falling.
        rate: first learning rate, None for the preset's; lower it to go on from weights that are good already.
        checkpoint: file that is written every minute, and at the end whatever ends the training.
        resume: a checkpoint to go on from, with its best weights and looks; or weights (a state dict) to start from,
            at a lower rate.
        on_progress: called about every two seconds.

    Raises:
        ValueError: neither or both of minutes and steps are given, the crop is odd, or what is to be gone on with is no
            checkpoint or of another preset, resolution or templates.
    """
    if (minutes is None) == (steps is None):
        raise ValueError(f"give either minutes or steps; found minutes={minutes}, steps={steps}")
    if crop % 2 and recipe.resolution == "half":
        raise ValueError(f"the crop must be even, for the network works at half resolution; found {crop}")
    keep_freed()
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    run = _Run(preset, rate, resume, recipe)
    watch = _Watch(validation, patience, run.scale)
    shares = (batch, metal_share if metal is not None else 0.0)
    stream = None if shares[1] >= 1 else Stream(samples, crop, seed + run.step)
    feed = _Feed(stream, metal or samples, rng, crop, shares, run.scale, preset)
    last_report = last_save = last_look = time.monotonic()
    try:
        while (share := run.share(minutes, steps)) < 1:
            feed.learnt(run.learn(feed.take(), share))
            now = time.monotonic()
            if validation and now - last_look > _LOOK_S:
                last_look = now
                if watch.ends(run):
                    break
            if on_progress is not None and now - last_report > _REPORT_S:
                last_report = now
                on_progress(Progress(run.step, steps, run.seconds(), run.loss, run.drawn + feed.drawn))
            if checkpoint is not None and now - last_save > _SAVE_S:
                last_save = now
                run.save(checkpoint, feed.drawn)
        if validation:
            watch.ends(run)
    finally:
        feed.close()
        if checkpoint is not None and run.step:  # also of a training that was interrupted
            run.save(checkpoint, feed.drawn)
    return Outcome(
        state=run.best or run.averaged(),
        steps=run.step,
        seconds=run.seconds(),
        crops=run.drawn + feed.drawn,
        loss=run.loss,
        history=tuple(run.history),
        started_from=run.started_from,
    )


_Batch = tuple[Tensor, Tensor, Tensor]
"""Grey values, what each pixel should be, and how much it counts (models.training.detector.examples)."""


class _Run:
    """The network, its optimiser and how far they have come."""

    def __init__(self, preset: str, rate: float | None, resume: Path | None, recipe: Recipe) -> None:
        self.recipe = recipe
        self.scale = 2 if recipe.resolution == "half" else 1
        self.preset = preset
        self.rate = rate if rate is not None else 0.01 if preset == "paper" else 2e-3
        self.network = network_for(recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser: torch.optim.Optimizer
        if preset == "paper":
            self.optimiser = torch.optim.SGD(self.network.parameters(), lr=self.rate, momentum=0.9)
        else:
            self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.rate, weight_decay=1e-4)
        self.step = 0
        self._average = Average()
        self.loss = math.nan
        self.drawn = 0
        """Crops that were made before a resume."""
        self.best: dict[str, Tensor] | None = None
        """Weights of the look with the lowest loss."""
        self.history: list[tuple[int, float]] = []
        """Step and loss of each look at the validation crops."""
        self.started_from: tuple[dict[str, str], ...] = ()
        self._spent = 0.0
        if resume is not None:
            self._go_on(resume, rate)
        self._began = time.monotonic()
        self.network.train()

    def _go_on(self, path: Path, rate: float | None) -> None:
        content = path.read_bytes()
        try:
            saved = torch.load(io.BytesIO(content), weights_only=True)
            if "network" not in saved:  # weights alone are a start, not a training to go on with
                saved = {"network": saved}
                self.rate = rate if rate is not None else _START_RATE
            self._refuse_another(path, saved)
            self.network.load_state_dict(saved["network"])
            if "optimiser" in saved:
                self.optimiser.load_state_dict(saved["optimiser"])
                self.step, self._spent = saved["step"], saved["seconds"]
            self._average = Average(saved.get("average"))
        except (RuntimeError, KeyError, TypeError, AttributeError, EOFError, UnpicklingError) as error:
            raise ValueError(
                f"{path} is neither a checkpoint nor weights of `linesentry train detector`, or is damaged: name "
                "another, or train without --resume"
            ) from error
        self.drawn, self.best = saved.get("drawn", 0), saved.get("best")
        self.history = [(step, loss) for step, loss in saved.get("history", ())]
        named = {"name": path.name, "sha256": hashlib.sha256(content).hexdigest()}
        self.started_from = (*saved.get("started_from", ()), named)

    def _refuse_another(self, path: Path, saved: dict[str, Any]) -> None:
        asked = self._kind()
        # Weights, and older checkpoints, do not say what they are of, but show it.
        found = {name: value for name, value in saved.items() if name in asked}
        found.setdefault("resolution", "half" if saved["network"]["learned"].shape[-1] == 11 else "full")
        if "optimiser" in saved:
            adam = "betas" in saved["optimiser"]["param_groups"][0]
            found.setdefault("preset", "default" if adam else "paper")
        if "templates" not in found:
            asked["templates"] = len(self.recipe.templates)
            found["templates"] = len(saved["network"]["bank_norm.weight"]) // 4 - 1  # as many filters are learned
        wrong = [f"{name} {value} instead of {asked[name]}" for name, value in found.items() if value != asked[name]]
        if wrong:
            raise ValueError(
                f"{path} is of another training ({', '.join(wrong)}): ask for the same, or train without --resume"
            )

    def seconds(self) -> float:
        """Spent on training, those before a resume included."""
        return self._spent + time.monotonic() - self._began

    def share(self, minutes: float | None, steps: int | None) -> float:
        """How much of the training is done, 1 at its end."""
        return self.seconds() / (60 * minutes) if minutes is not None else self.step / (steps or 1)

    def learn(self, batch: _Batch, share: float) -> NDArray[np.float64]:
        """One step; how hard each crop was."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * _decay(self.preset, share, self.step)
        image, target, weight = batch
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
            values = self.network(image)
        loss, hardness = _loss(values.float(), target, weight)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        self.step += 1
        self._average.follow(self.network.state_dict(), self.step)
        value = loss.detach().item()
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        return hardness.double().numpy()

    def averaged(self) -> dict[str, Tensor]:
        """Running mean of the weights over the last thousand steps or so."""
        return self._average.state or self.network.state_dict()

    def _kind(self) -> dict[str, Any]:
        """What a training that is gone on with must have in common with what it was."""
        pitch = self.recipe.pitch
        return {
            "preset": self.preset,
            "resolution": self.recipe.resolution,
            "templates": [(one.width, one.height, one.step) for one in self.recipe.templates],
            "pitch": None if pitch is None else (pitch.row_mm, pitch.column_mm),
        }

    def save(self, path: Path, drawn: int) -> None:
        """Write a checkpoint, whole or not at all; `drawn` crops were made since the last resume."""
        save_whole(
            path,
            {
                **self._kind(),
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "average": self.averaged(),
                "best": self.best,
                "history": self.history,
                "step": self.step,
                "seconds": self.seconds(),
                "drawn": self.drawn + drawn,
                "started_from": self.started_from,
            },
        )


class _Feed:
    """Batches, made in a thread of its own while the network learns from the one before."""

    def __init__(
        self,
        stream: Stream | None,
        metal: Source,
        rng: np.random.Generator,
        crop: int,
        shares: tuple[int, float],
        scale: int,
        preset: str,
    ) -> None:
        self._stream, self._metal, self._rng, self._crop = stream, metal, rng, crop
        self._batch, self._metal_share = shares
        self._scale, self._preset = scale, preset
        self._pool = _Pool()
        self._of_metal = 0
        self._chosen: NDArray[np.int64] = np.empty(0, np.int64)
        self._hardness: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
        self._thread = ThreadPoolExecutor(1, "batches")
        self._next = self._thread.submit(self._made)

    @property
    def drawn(self) -> int:
        """Crops that were made, those of photographs too."""
        return self._pool.drawn + self._of_metal

    def take(self) -> _Batch:
        """The next batch; the one after it is begun."""
        self._chosen, batch = self._next.result()
        self._next = self._thread.submit(self._made)
        return batch

    def learnt(self, hardness: NDArray[np.float64]) -> None:
        """How hard the crops of the last batch were: hard ones come again more often."""
        if self._preset == "default":
            self._hardness = self._chosen, hardness[: len(self._chosen)]

    def close(self) -> None:
        """End the thread and the source."""
        self._thread.shutdown()
        if self._stream is not None:
            self._stream.close()

    def _made(self) -> tuple[NDArray[np.int64], _Batch]:
        pool, rng = self._pool, self._rng
        if self._hardness is not None:
            chosen, hardness = self._hardness
            pool.weights[chosen] = 0.1 + hardness.clip(max=0.4)
        # Each crop is seen about twice, turned differently, so that the source never holds up the network.
        count = (1, max(1, self._batch // 2)) if pool.crops else (4 * self._batch, 4 * self._batch)
        if self._stream is not None:
            pool.refill(self._stream.take(*count))
        of_metal = int(self._batch * self._metal_share + rng.random())
        self._of_metal += of_metal
        chosen = pool.choose(rng, self._batch - of_metal)
        crops = [pool.crops[index] for index in chosen] + [self._metal(rng, self._crop) for _ in range(of_metal)]
        if self._preset == "paper":
            crops = patches_of(rng, crops, _PATCHES, even=self._scale == 2)
        return chosen, stacked(rng, crops, self._scale)


def _decay(preset: str, share: float, step: int) -> float:
    """The share of the first learning rate that holds now."""
    if preset == "paper":
        return 1 / float(5 ** int(share * _PAPER_EPOCHS / 50))
    return slowed(share, step)


class _Watch:
    """Looks at crops that are never trained on, keeps the best weights and tells when there is no progress."""

    def __init__(self, crops: Sequence[Crop], patience: int, scale: int) -> None:
        self._batches = [
            stacked(np.random.default_rng(index), crops[index : index + 4], scale) for index in range(0, len(crops), 4)
        ]
        self._patience = patience

    @torch.no_grad()
    def ends(self, run: _Run) -> bool:
        """Whether the loss of the averaged weights has not fallen at the last `patience` looks."""
        network = network_for(run.recipe).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        state = run.averaged()
        network.load_state_dict(state)
        network.eval()
        total = 0.0
        for image, target, weight in self._batches:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
                values = network(image)
            total += _loss(values.float(), target, weight)[0].item()
        loss = total / len(self._batches)
        if not run.history or loss < min(known for _, known in run.history):
            run.best = {name: value.clone() for name, value in state.items()}
        run.history.append((run.step, round(loss, 5)))
        lowest = min(range(len(run.history)), key=lambda index: run.history[index][1])
        return len(run.history) - 1 - lowest >= self._patience


class _Pool:
    """Crops that are drawn again a few times, the hard ones more often; the oldest makes room for a fresh one."""

    def __init__(self) -> None:
        self.crops: list[Crop] = []
        self.weights = np.empty(0)
        self.drawn = 0

    def refill(self, fresh: list[Crop]) -> None:
        start = float(self.weights.mean()) if self.crops else 1.0
        for crop in fresh:
            if len(self.crops) < _POOL:
                self.crops.append(crop)
                self.weights = np.append(self.weights, start)
            else:
                place = self.drawn % _POOL
                self.crops[place], self.weights[place] = crop, start
            self.drawn += 1

    def choose(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        if count == 0:
            return np.empty(0, np.int64)
        chances = self.weights / self.weights.sum()
        return rng.choice(len(self.crops), count, replace=False, p=chances)


def _loss(values: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy in which easy pixels count less, plus a soft overlap; and how hard each crop is (no gradient)."""
    entropy = F.binary_cross_entropy_with_logits(values, target, reduction="none")
    chance = torch.sigmoid(values)
    # Only mildly focal, and with no gradient through it: more would press all values towards the limit.
    ease = 0.2 + 0.8 * (target - chance).detach().abs().sqrt()
    focal = entropy * ease * (1 + 2 * target) * weight
    each = focal.sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp(min=500)
    hit = (chance * target * weight).sum()
    overlap = 1 - (2 * hit + 50) / ((chance * weight).sum() + (target * weight).sum() + 50)
    return 20 * each.mean() + 0.5 * overlap, each.detach().sqrt()
