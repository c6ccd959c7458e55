"""The networks that inspect files: a detector for each core or for the GPU, and the recipe's classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from config.schema import Classify as Settings
from config.schema import Recipe
from config.weights import classifier_path
from daemon.telemetry.printing import say
from models.machine.cpu import usable_cores

if TYPE_CHECKING:
    from models.classifier.classifier import Classifier
    from models.detector.detector import Detector

Device = Literal["auto", "cpu", "cuda"]


def load_detectors(recipe: Recipe, device: Device = "auto") -> list[Detector]:
    """One detector for each core, each computing on one thread as the workers of the service do; one for a GPU.

    Raises:
        DetectorError: the weights or the device cannot be had, or they do not give their known answer.
    """
    import torch  # noqa: PLC0415 - seconds to load: not for wrong usage or help

    from models.detector.detector import Detector  # noqa: PLC0415 - the same

    torch.set_num_threads(1)
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    count = usable_cores() if on_cpu else 1
    return [Detector.load(recipe, device) for _ in range(count)]


def load_classifier(recipe: Recipe, device: Device = "auto", settings: Settings | None = None) -> Classifier | None:
    """The classifier, where the recipe has it asked, as the settings of a line name it; None: the one that ships.

    What there is to doubt in its answers is said on stderr.

    Raises:
        ClassifierError: its weights or the device cannot be had, or it does not give its known answer.
    """
    if recipe.classifier.mode == "off":
        return None
    from models.classifier.classifier import Classifier  # noqa: PLC0415 - brings torch: not for a recipe without

    settings = Settings() if settings is None else settings
    path = classifier_path(settings, recipe)
    classifier = Classifier.load(path, device=device, dtype=settings.dtype, views=settings.views)
    if doubt := classifier.doubt():
        say(f"linesentry: {doubt}")
    return classifier
