"""A recipe's whole chain on plates in memory: detector, classifier, merging, verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.evaluate.scoring import InMemory
from daemon.offline.inspect import Progress, inspect_image
from daemon.offline.networks import load_classifier, load_detectors
from models.classifier.classifier import Classifier
from models.detector.detector import Detector
from stages.plate import PlateResult


class Chain:
    """What a recipe says of plates, with its networks loaded once.

    Raises:
        DetectorError: the weights cannot be used.
        ClassifierError: the classifier cannot be used.
    """

    def __init__(self, recipe: Recipe, classifier: Classifier | None = None) -> None:
        """Load the detectors; and the classifier, unless it is there already."""
        self.recipe = recipe
        self.detectors: Sequence[Detector] = load_detectors(recipe)
        self.classifier = load_classifier(recipe) if classifier is None else classifier

    def inspect(self, pixels: NDArray[np.uint8], progress: Progress | None = None) -> PlateResult:
        """What `linesentry inspect` says of a plate, grey levels (rows, columns)."""
        source = InMemory(pixels)
        return inspect_image(source, self.recipe, self.detectors, classifier=self.classifier, progress=progress)
