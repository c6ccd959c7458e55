"""The trained network for other programs: TorchScript and ONNX, each with proof that it answers alike (C 30).

Both take a prepared batch (n, 3, 224, 224) float32 (models.classifier.preprocess) and give logits (n, 2). Views and
temperature are the caller's: the card beside the files says which.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.util
import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier.card import checked, packed
from models.classifier.errors import ClassifierError
from models.classifier.networks import CLASSES, Network, make
from models.classifier.preprocess import INPUT, MEAN, STD, prepared
from models.classifier.views import DEFAULT_VIEWS, View

SCRIPTED = "crack_detector_scripted.pt"
ONNX = "crack_detector.onnx"
CARD = "crack_detector.json"
LARGEST = 1e-3
"""By which a probability of an exported network may differ."""
_AT_ONCE = 16

Logits = Callable[[Tensor], Tensor]


class Parity(NamedTuple):
    """How an exported network compares with the one that it was made of."""

    images: int
    differing: int
    """Images for which it predicts the other class."""
    largest: float
    """Largest difference of a probability."""

    @property
    def holds(self) -> bool:
        """Whether every prediction is the same, and every probability within LARGEST."""
        return self.differing == 0 and self.largest <= LARGEST


def export(
    state: Mapping[str, Tensor],
    network: str,
    facts: Mapping[str, Any],
    folder: Path,
    *,
    temperature: float = 1.0,
    threshold: float = 0.5,
    views: Sequence[View] = DEFAULT_VIEWS,
) -> Path:
    """Write the TorchScript file, the ONNX file and their card; of the weights as they ship (card.packed).

    Args:
        state: of the trained network.
        network: its name.
        facts: data, seeds, command and figures for the card.
        folder: where; made when missing.
        temperature: fitted on validation after the average over the views.
        threshold: calibrated probability from which a picture counts as a crack.
        views: those for which the temperature holds.

    Returns:
        Path of the card.

    Raises:
        ClassifierError: the weights do not fit the network, or the package `onnx` is not installed.
    """
    _needs("onnx")
    made = make(network)
    try:
        made.load_state_dict(packed(state))
    except RuntimeError as error:
        raise ClassifierError(f"the weights do not fit a {network}: {error}") from error
    plain = made.folded().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    folder.mkdir(parents=True, exist_ok=True)
    _write_scripted(plain, folder / SCRIPTED)
    _write_onnx(plain, folder / ONNX)
    own = {
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (SCRIPTED, ONNX)},
        "network": network,
        "classes": list(CLASSES),
        "input": INPUT,
        "mean": list(MEAN),
        "std": list(STD),
        "temperature": temperature,
        "threshold": threshold,
        "views": list(views),
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "torch": str(torch.__version__),
    }
    card = {**own, **facts, **own}  # in this order, and no fact takes the place of what is checked
    path = folder / CARD
    path.write_text(json.dumps(card, indent=2) + "\n")
    return path


def load_scripted(path: Path) -> Logits:
    """The network of a TorchScript file; its card lies beside it.

    Raises:
        ClassifierError: a file that is missing or unreadable, or another hash, input size or classes than recorded.
    """
    content = _content(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as such; C 30 asks for it
        try:
            network = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise ClassifierError(f"{path} cannot be read as TorchScript: {error}") from error

    def logits(batch: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = network(batch)
            return found

    return logits


def load_onnx(path: Path) -> Logits:
    """The network of an ONNX file, by onnxruntime on the CPU; its card lies beside it.

    Raises:
        ClassifierError: a file that is missing or unreadable, another hash, input size or classes than recorded, or
            onnxruntime is not installed.
    """
    content = _content(path)
    _needs("onnxruntime")
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has types of its own, without a common base
        raise ClassifierError(f"{path} cannot be read as ONNX: {error}") from error

    def logits(batch: Tensor) -> Tensor:
        (found,) = session.run(None, {"batch": batch.numpy()})
        return torch.from_numpy(np.asarray(found))

    return logits


def parity(network: Network, exported: Logits, crops: Sequence[NDArray[np.uint8]]) -> Parity:
    """Compare an exported network with the one that it was made of, on every one of these crops.

    Args:
        network: in evaluation mode, float32.
        exported: of load_scripted or load_onnx.
        crops: as models.classifier.preprocess.prepared takes them.
    """
    differing, largest = 0, 0.0
    for first in range(0, len(crops), _AT_ONCE):
        batch = prepared(crops[first : first + _AT_ONCE])
        with torch.no_grad():
            own = torch.softmax(network(batch).double(), 1)
        other = torch.softmax(exported(batch).double(), 1)
        differing += int((own.argmax(1) != other.argmax(1)).sum())
        # A value that is no number would be passed over by the larger of two.
        largest = float(np.fmax(largest, torch.nan_to_num((own - other).abs(), nan=1.0).max().item()))
    return Parity(len(crops), differing, largest)


def _write_scripted(network: Network, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as such; C 30 asks for it
        traced = torch.jit.trace(network, torch.zeros(2, 3, INPUT, INPUT))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path)


def _write_onnx(network: Network, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs one package more
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)  # how paddings are written; all is right
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, INPUT, INPUT),),
            path,
            input_names=["batch"],
            output_names=["logits"],
            dynamic_axes={"batch": {0: "images"}, "logits": {0: "images"}},
            opset_version=17,
            dynamo=False,
        )


def _content(path: Path) -> bytes:
    """The bytes of an exported file, checked against the card beside it and against this program."""
    return checked(path, path.with_name(CARD))[0]


def _needs(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ClassifierError(f"the package {package} is not installed: pip install 'linesentry[onnx]'")
