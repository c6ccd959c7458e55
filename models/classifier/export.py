"""The trained network for other programs: TorchScript, torch.export and ONNX, each proved to answer alike (C 30).

All take a prepared batch (n, 3, 224, 224) float32 (models.classifier.preprocess) and give logits (n, 2). Views and
temperature are the caller's: the card beside the files says which.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.classifier import card as cards
from models.classifier.classifier import Classifier
from models.classifier.errors import ClassifierError
from models.classifier.networks import CLASSES, Network
from models.classifier.preprocess import INPUT, MEAN, STD, prepared
from models.machine.packages import missing

SCRIPTED = "crack_detector_scripted.pt"
PROGRAM = "crack_detector.pt2"
"""Of torch.export, which takes TorchScript's place: TorchScript is no longer developed."""
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


def export(weights: Path, folder: Path, crops: Sequence[NDArray[np.uint8]]) -> dict[str, str]:
    """Write a weights file as TorchScript, torch.export and ONNX, each once it is proved to answer alike, and a card.

    What an earlier export left in the folder is taken away first. TorchScript is what is asked for; without one of the
    others it is written all the same.

    Args:
        weights: of a training, with their card beside them.
        folder: where; made when missing.
        crops: on all of which the exported networks are compared with the one that they are made of.

    Returns:
        The files that were not written, each with its reason; never TorchScript.

    Raises:
        ClassifierError: weights that cannot be used or do not give their known answer, or TorchScript that answers
            otherwise; nothing is written then.
    """
    Classifier.load(weights, device="cpu", dtype="float32")
    network, known = cards.read(weights)
    for name in (CARD, SCRIPTED, PROGRAM, ONNX):
        (folder / name).unlink(missing_ok=True)
    network.eval()
    plain = network.folded().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    content = _scripted(plain)
    proof = parity(network, run_scripted(content), crops)
    if not proof.holds:
        raise ClassifierError(
            f"{weights} as {SCRIPTED} answers otherwise than the network that it was made of: {proof}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    made, proofs, missing = {SCRIPTED: content}, {SCRIPTED: proof}, {}
    _store(folder, made, proofs, known)
    for name, write, run in ((PROGRAM, _program, run_program), (ONNX, _onnx, run_onnx)):
        try:
            content = write(plain)
            proof = parity(network, run(content), crops)
        except Exception as error:  # noqa: BLE001 - exporters and runtimes have types of their own, without a common base
            missing[name] = str(error)
            continue
        if not proof.holds:
            missing[name] = f"it answers otherwise than the network that it was made of: {proof}"
            continue
        made, proofs = {**made, name: content}, {**proofs, name: proof}
        _store(folder, made, proofs, known)
    return missing


def parity(network: Network, exported: Logits, crops: Sequence[NDArray[np.uint8]]) -> Parity:
    """Compare an exported network with the one that it was made of, on every one of these crops.

    Args:
        network: in evaluation mode, float32.
        exported: of run_scripted, run_program or run_onnx.
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


def _store(
    folder: Path, made: Mapping[str, bytes], proofs: Mapping[str, Parity], weights_card: Mapping[str, Any]
) -> None:
    for name, content in made.items():
        (folder / name).write_bytes(content)
    card = {
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in made.items()},
        "parity": {name: proof._asdict() for name, proof in proofs.items()},
        "weights_sha256": weights_card["sha256"],
        "network": weights_card["network"],
        "classes": list(CLASSES),
        "input": INPUT,
        "mean": list(MEAN),
        "std": list(STD),
        **{name: weights_card.get(name) for name in ("temperature", "threshold", "views", "validation")},
        "made": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "torch": str(torch.__version__),
    }
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")


# --- bytes -------------------------------------------------------------------------------------------------------


class _Checked(nn.Module):
    """A network that refuses what it was not trained for, as ONNX does by its signature."""

    __constants__ = ("side",)

    def __init__(self, network: nn.Module, side: int) -> None:
        super().__init__()
        self.network = network
        self.side = side

    def forward(self, batch: Tensor) -> Tensor:
        if batch.dim() != 4 or list(batch.shape[1:]) != [3, self.side, self.side]:
            raise ValueError(f"a batch is float32 (n, 3, {self.side}, {self.side}); found the shape {batch.shape}")
        if batch.dtype != torch.float32:
            raise ValueError(f"a batch is float32 (n, 3, {self.side}, {self.side}); found another type of number")
        logits: Tensor = self.network(batch)
        return logits


def _scripted(network: Network) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as such; C 30 asks for it
        traced = torch.jit.trace(network, torch.zeros(2, 3, INPUT, INPUT))  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.script(_Checked(traced, INPUT)), buffer)
    return buffer.getvalue()


def run_scripted(content: bytes) -> Logits:
    """The network of a TorchScript file's bytes, on the CPU.

    Raises:
        RuntimeError: bytes that are no such file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript as such; C 30 asks for it
        network = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]

    def logits(batch: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = network(batch)
            return found

    return logits


class _FullPrecision(nn.Module):
    """A network that refuses other types of numbers; what is exported refuses other shapes by itself."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Tensor:
        torch.ops.aten._assert_tensor_metadata.default(batch, dtype=torch.float32)  # noqa: SLF001 - it has no other name
        logits: Tensor = self.network(batch)
        return logits


def _program(network: Network) -> bytes:
    buffer = io.BytesIO()
    images = torch.export.Dim("images", min=1)
    example = (torch.zeros(2, 3, INPUT, INPUT),)
    program = torch.export.export(_FullPrecision(network).eval(), example, dynamic_shapes={"batch": {0: images}})
    torch.export.save(program, buffer)
    return buffer.getvalue()


def run_program(content: bytes) -> Logits:
    """The network of a torch.export file's bytes, on the CPU.

    Raises:
        RuntimeError: bytes that are no such file.
    """
    network = torch.export.load(io.BytesIO(content)).module()

    def logits(batch: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = network(batch)
            return found

    return logits


def _onnx(network: Network) -> bytes:
    _needs("onnx")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the newer exporter needs one package more
        warnings.filterwarnings("ignore", "Constant folding", UserWarning)  # how paddings are written; all is right
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, INPUT, INPUT),),
            buffer,  # type: ignore[arg-type]
            input_names=["batch"],
            output_names=["logits"],
            dynamic_axes={"batch": {0: "images"}, "logits": {0: "images"}},
            opset_version=17,
            dynamo=False,
        )
    return buffer.getvalue()


def run_onnx(content: bytes) -> Logits:
    """The network of an ONNX file's bytes, by onnxruntime on the CPU.

    Raises:
        ClassifierError: onnxruntime is not installed.
    """
    _needs("onnxruntime")
    import onnxruntime  # noqa: PLC0415 - an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def logits(batch: Tensor) -> Tensor:
        (found,) = session.run(None, {"batch": batch.numpy()})
        return torch.from_numpy(np.asarray(found))

    return logits


def _needs(package: str) -> None:
    why = missing(package, "onnx")
    if why is not None:
        raise ClassifierError(f"it {why}")
