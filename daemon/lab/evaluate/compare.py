"""Other ways to find cracks on the same pictures, as rows of the same table.

The published rule on the same network's values, a Gaussian line filter, and a U-Net of equal cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.schema import DEFAULT_TEMPLATES, Recipe
from daemon.lab.data.pictures import Picture, SourceError
from daemon.lab.evaluate.scoring import inspect_picture, load_detectors
from daemon.lab.orders import EvaluateDetector
from models.classifier.classifier import Classifier
from models.measure.assessment import Found, Scored
from models.measure.matching import Box
from models.study import classical
from models.study.unet import UNET

UNET_NAME = "unet"
COMPARED = ("published", "gaussian", UNET_NAME)
_LEVEL, _LEAST_LENGTH = 7.0, 12.0
"""Of the Gaussian filter: the study chose them by F1 on sheets of the training products (docs/study.json)."""
Compare = Callable[[Picture], Scored]


def compared_by(names: Iterable[str]) -> dict[str, Path | None]:
    """What is asked for, each once and in the order of the table, with its weights where it has some.

    Raises:
        SourceError: a name that is none of them, or weights that are lacking or of no use.
    """
    asked: dict[str, Path | None] = {}
    for part in (part.strip() for one in names for part in one.split(",")):
        name, _, file = part.partition("=")
        if not part:
            continue
        if name not in COMPARED:
            raise SourceError(f"--compare {part!r} is unknown: choose from published, gaussian, {UNET_NAME}=FILE")
        if (name == UNET_NAME) != bool(file):
            raise SourceError(
                f"--compare {part!r}: {UNET_NAME} and nothing else has weights; `linesentry train detector --network "
                f"{UNET_NAME}` makes them, and {UNET_NAME}=FILE names them"
            )
        asked[name] = Path(file) if file else None
    return {name: asked[name] for name in COMPARED if name in asked}


def comparison(
    name: str, weights: Path | None, recipe: Recipe, options: EvaluateDetector, classifier: Classifier | None
) -> Compare:
    """One of them for a recipe, whose classifier the U-Net's finds are shown to.

    Raises:
        DetectorError: the weights cannot be used.
    """
    if name == "gaussian":
        return lambda picture: gaussian(picture, recipe.polarity)
    return _published(recipe, options) if weights is None else _unet(weights, recipe, options, classifier)


def _unet(weights: Path, recipe: Recipe, options: EvaluateDetector, classifier: Classifier | None) -> Compare:
    """The network alone is another: with the floor that it has learnt, and all that stands behind it."""
    plain = recipe.model_copy(
        update={
            "weights": str(weights),
            "resolution": "half",
            "templates": DEFAULT_TEMPLATES,
            "threshold": recipe.threshold.model_copy(update={"floor": None}),
        }
    )
    detectors = load_detectors(plain, options.device, options.workers, UNET)
    return lambda picture: inspect_picture(picture, plain, detectors, classifier).scored


def _published(recipe: Recipe, options: EvaluateDetector) -> Compare:
    """The published threshold on the same network's values, without a classifier."""
    plain = recipe.model_copy(
        update={
            "threshold": recipe.threshold.model_copy(update={"mode": "mu_3sigma"}),
            "classifier": recipe.classifier.model_copy(update={"mode": "off"}),
        }
    )
    detectors = load_detectors(plain, options.device, options.workers)
    return lambda picture: inspect_picture(picture, plain, detectors).scored


def gaussian(picture: Picture, polarity: str) -> Scored:
    """A bank of matched filters with a Gaussian profile, in eight directions and two widths, over its usual answer.

    What reaches the level in a connected group of a least length is found; a picture with any is NG. Its score is its
    share of twice the level.
    """
    found: list[tuple[Box, float]] = []
    for image in _seen(picture.image, polarity):
        groups = classical.components(classical.gaussian(image), _LEVEL)
        found += classical.boxes_of(groups, _LEAST_LENGTH)
    rows, columns = picture.image.shape
    return Scored(
        name=picture.name,
        group=picture.group,
        truth=picture.truth,
        found=tuple(Found(box, min(1.0, best / (2 * _LEVEL))) for box, best in found),
        kind=picture.kind,
        interference=picture.interference,
        rows=rows,
        columns=columns,
        mm2=picture.mm2,
        verdict="NG" if found else "OK",
    )


def _seen(image: NDArray[np.uint8], polarity: str) -> list[NDArray[np.uint8]]:
    """As the filter, which seeks bright lines, is shown it."""
    dark = np.asarray(255 - image, np.uint8)
    return {"bright": [image], "dark": [dark]}.get(polarity, [image, dark])
