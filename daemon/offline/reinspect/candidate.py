"""The candidate: all that decides its results, as values that travel to any process on any machine."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from config.errors import file_text
from config.load import recipe_hash
from config.schema import Config, Recipe
from config.weights import classifier_path, weights_path
from daemon.store.state import code_sha256

if TYPE_CHECKING:
    from models.classifier.classifier import Classifier
    from models.classifier.views import View
    from models.detector.detector import Detector

Dtype = Literal["float32", "bfloat16"]


class CandidateError(Exception):
    """The candidate cannot be used; the message says what was found and what to do."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A weights file and the card that lies beside it, whole."""

    content: bytes
    card: bytes

    @property
    def sha256(self) -> str:
        """Of the weights file, hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe with its networks, and how they compute. Where its files lay is no part of it."""

    recipe: Recipe
    detector: Weights
    classifier: Weights | None
    """None where the recipe asks for none."""
    views: tuple[View, ...]
    """Of the classifier's crops."""
    device: Literal["cpu", "cuda"]
    dtype: Dtype
    """Of the detector. Fixed here: two machines that chose for themselves could differ in the last bit."""
    classifier_dtype: Dtype
    code_sha256: str
    torch: str
    """Its version: another one may round otherwise."""

    @property
    def facts(self) -> dict[str, Any]:
        """What names it, as values that JSON knows."""
        return {
            "recipe": self.recipe.name,
            "recipe_sha256": recipe_hash(self.recipe),
            "weights_sha256": self.detector.sha256,
            "classifier_sha256": None if self.classifier is None else self.classifier.sha256,
            "views": list(self.views),
            "device": self.device,
            "dtype": self.dtype,
            "classifier_dtype": self.classifier_dtype,
            "code_sha256": self.code_sha256,
            "torch": self.torch,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides its results, hex: equal digests give equal results."""
        files = [one for one in (self.detector, self.classifier) if one is not None]
        cards = [hashlib.sha256(one.card).hexdigest() for one in files]
        return hashlib.sha256(json.dumps([self.facts, cards], sort_keys=True).encode()).hexdigest()

    def load(self) -> tuple[Recipe, Detector, Classifier | None]:
        """Its recipe and its networks, which have given their known answers; they compute on one thread.

        Raises:
            CandidateError: the weights or the device cannot be used, or this is another version of the program.
        """
        import torch  # noqa: PLC0415 - seconds to load

        from models.classifier.classifier import Classifier  # noqa: PLC0415 - the same
        from models.classifier.errors import ClassifierError  # noqa: PLC0415
        from models.detector.detector import Detector, DetectorError  # noqa: PLC0415

        if (code_sha256(), str(torch.__version__)) != (self.code_sha256, self.torch):
            raise CandidateError(
                f"{platform.node()} runs another version of linesentry or torch: install the same ones on all machines"
            )
        torch.set_num_threads(1)
        with TemporaryDirectory(prefix="linesentry-candidate-") as folder:
            recipe = self.recipe.model_copy(
                update={"weights": str(_written(Path(folder, "detector.pt"), self.detector))}
            )
            try:
                detector = Detector.load(recipe, self.device, self.dtype)
                if self.classifier is None:
                    return recipe, detector, None
                path = _written(Path(folder, "classifier.pt"), self.classifier)
                return (
                    recipe,
                    detector,
                    Classifier.load(path, device=self.device, dtype=self.classifier_dtype, views=self.views),
                )
            except (DetectorError, ClassifierError) as error:
                raise CandidateError(str(error)) from error


def candidate_of(recipe: Recipe, config: Config) -> Candidate:
    """The recipe with the weights that it names, computing as a line of this configuration does on this machine.

    Raises:
        CandidateError: weights cannot be read.
    """
    import torch  # noqa: PLC0415 - seconds to load: not for wrong usage or help

    from models.machine.cpu import bfloat16_is_fast  # noqa: PLC0415

    workers, classify = config.workers, config.classify
    on_gpu = workers.device == "cuda" or (workers.device == "auto" and torch.cuda.is_available())
    usual: Dtype = "bfloat16" if on_gpu or bfloat16_is_fast() else "float32"
    asks = recipe.classifier.mode != "off"
    unplaced = recipe.classifier.model_copy(update={"weights": None})
    return Candidate(
        recipe=recipe.model_copy(update={"weights": None, "classifier": unplaced}),
        detector=_read(weights_path(recipe)),
        classifier=_read(classifier_path(classify, recipe)) if asks else None,
        views=tuple(classify.views),
        device="cuda" if on_gpu else "cpu",
        dtype=usual if workers.dtype == "auto" else workers.dtype,
        classifier_dtype=usual if classify.dtype == "auto" else classify.dtype,
        code_sha256=code_sha256(),
        torch=str(torch.__version__),
    )


def _read(path: Path) -> Weights:
    try:
        return Weights(path.read_bytes(), path.with_suffix(".json").read_bytes())
    except OSError as error:
        where = file_text(str(error.filename or path))
        reason = error.strerror or str(error)
        raise CandidateError(f"{where}: {reason}; weights are a file with its card, .json, beside it") from error


def _written(path: Path, weights: Weights) -> Path:
    path.write_bytes(weights.content)
    path.with_suffix(".json").write_bytes(weights.card)
    return path
