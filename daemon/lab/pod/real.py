"""Real cracks beside painted ones: what of them was hit, and what the painted ones promise of such sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.lab.chain import Chain
from daemon.lab.data.folders import Choice, folder
from daemon.lab.data.pictures import Picture, Source, SourceError
from daemon.lab.pod.analysis import FACTORS, attempted, bins_of, described, joint
from daemon.lab.pod.experiment import Painted
from daemon.lab.pod.measured import Measured, measured
from daemon.lab.pod.sheets import PodError
from models.images import ImageError
from models.measure.assessment import Share, TruthBox
from models.measure.matching import Box, pairs
from models.measure.pod import NoCurveError, fit
from stages.comparison import box_of
from stages.verdict import makes_ng

Figures = dict[str, Any]
Floats = NDArray[np.float64]
_WIDE = 1.96
"""Standard deviations of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class RealCrack:
    """A marked crack and what became of it."""

    picture: str
    box: Box
    measured: Measured
    hit: bool


@dataclass(frozen=True, slots=True)
class Real:
    """What was seen of the real ones."""

    source: str
    cracks: tuple[RealCrack, ...]
    pictures: int
    left_out: tuple[tuple[str, str], ...]


def real_source(path: Path) -> Source:
    """The pictures with masks of a folder, of all groups: nothing is trained here.

    Raises:
        PodError: there is nothing in it that can be used.
    """
    try:
        return folder(path, Choice(all_groups=True))
    except SourceError as error:
        raise PodError(f"--real: {error}") from error


def inspect_real(source: Source, chain: Chain, say: Callable[[str, float], None]) -> Real:
    """Inspect real cracks by the same chain; `say` is told of each picture, and of the share of it that is done.

    Raises:
        PodError: a picture cannot be read, or none holds a crack of the recipe's polarity.
    """
    cracks: list[RealCrack] = []
    left_out: list[tuple[str, str]] = []
    pictures, others, sign = 0, 0, {"bright": 1, "dark": -1}.get(chain.recipe.polarity, 0)
    try:
        for picture in source.pictures(chain.recipe):
            known = source.polarities.get(picture.kind.split("/", 1)[0])
            if known is not None and not known.sought_by(chain.recipe.polarity):
                others += 1
                continue
            pictures += 1
            words = f"{picture.name}: real cracks"

            def progress(done: int, total: int, words: str = words) -> None:
                say(words, 0.99 * done / max(1, total))

            try:
                plate = chain.inspect(picture.image, progress)
            except ImageError as error:
                left_out.append((picture.name, str(error)))
                continue
            finally:
                say(words, 1.0)
            truth = _truth(picture)
            found = [box_of(one) for one in plate.defects if makes_ng(one, chain.recipe)]
            taken = set(pairs(found, [one.box for one in truth]))
            cracks += [
                RealCrack(picture.name, one.box, _measured(picture, one, sign), index in taken)
                for index, one in enumerate(truth)
            ]
    except SourceError as error:
        raise PodError(f"--real: {error}") from error
    if others:
        why = f"marks what is no defect of a recipe of polarity {chain.recipe.polarity}"
        left_out.append((f"{others} of {source.count} pictures", why))
    left_out += [
        (f"{one['pictures']} pictures, {one['first']} the first", one["reason"]) for one in source.passed.values()
    ]
    if not cracks:
        shown = "; ".join(f"{name}: {why}" for name, why in left_out[:3])
        raise PodError(f"--real {source.name}: no crack is marked in {pictures} pictures" + (shown and f" ({shown})"))
    return Real(source.name, tuple(cracks), pictures, tuple(left_out))


def _truth(picture: Picture) -> list[TruthBox]:
    """The marked cracks that can be measured: those that nothing hides."""
    return [one for one in picture.truth if one.counts and one.pixels is not None and one.pixels.any()]


def _measured(picture: Picture, one: TruthBox, sign: int) -> Measured:
    assert one.pixels is not None
    return measured(picture.image, one.box, one.pixels, sign)


def compared(real: Real, painted: Sequence[Painted]) -> Figures:
    """The real ones' figures, and what the painted ones of each form, measured alike, promise of them.

    Args:
        real: what was seen of real cracks.
        painted: of all forms; the first one's form is the headline.
    """
    sizes, hits = _sizes([one.measured for one in real.cracks]), np.array([one.hit for one in real.cracks], np.bool_)
    by_form = {
        form: [one for one in painted if one.form == form] for form in dict.fromkeys(one.form for one in painted)
    }
    headline = next(iter(by_form.values()))
    share = Share(int(hits.sum()), len(hits))
    return {
        "source": real.source,
        "pictures": real.pictures,
        "cracks": len(hits),
        "hit": share.count,
        "recall": share.share,
        "lower": share.lower,
        "upper": share.upper,
        "left_out": [{"name": name, "why": why} for name, why in real.left_out],
        "curves": _curves(sizes, hits),
        "painted_curves": _curves(
            _sizes([one.measured for one in headline]), np.array([one.hit for one in headline], np.bool_)
        ),
        "promised": {form: _promised(seen, sizes) for form, seen in by_form.items()},
        "each": [
            {
                "picture": one.picture,
                "box": list(one.box),
                **{name: float(value) for name, value in zip(FACTORS, row, strict=True)},
                "hit": one.hit,
            }
            for one, row in zip(real.cracks, sizes, strict=True)
        ],
    }


def _sizes(seen: Sequence[Measured]) -> Floats:
    return np.array([(one.contrast, one.width, one.length) for one in seen], np.float64).reshape(-1, 3)


def _curves(sizes: Floats, hits: NDArray[np.bool_]) -> Figures:
    return {
        name: described(
            attempted(fit, sizes[:, place], hits, (name,)),
            (float(sizes[:, place].min()), float(sizes[:, place].max())),
            bins=bins_of(sizes[:, place], hits),
        )
        for place, name in enumerate(FACTORS)
    }


def _promised(painted: Sequence[Painted], sizes: Floats) -> Figures:
    """How many of those sizes are hit by the model of these painted ones, measured alike; None where there is none."""
    known, hits = _sizes([one.measured for one in painted]), np.array([one.hit for one in painted], np.bool_)
    curve = attempted(joint, known, hits, "contrast")
    if isinstance(curve, NoCurveError):
        return {"hits": None, "lower": None, "upper": None, "words": str(curve)}
    middle, spread = curve.expected_hits(sizes)
    low, high = max(0.0, middle - _WIDE * spread), min(float(len(sizes)), middle + _WIDE * spread)
    return {"hits": middle, "lower": low, "upper": high, "words": ""}
