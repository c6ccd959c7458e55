from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from copy import deepcopy as copy_of
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.classifier.card import packed
from models.classifier.errors import ClassifierError
from models.classifier.export import CARD, ONNX, SCRIPTED, Logits, export, load_onnx, load_scripted, parity
from models.classifier.network import Network

Load = Callable[[Path], Logits]
BOTH = pytest.mark.parametrize(("load", "name"), [(load_scripted, SCRIPTED), (load_onnx, ONNX)])
CROPS = [np.random.default_rng(k).integers(0, 256, (224, 224), np.uint8) for k in range(17)]


def shipped(network: Network) -> Network:
    """The network with the weights that its file keeps of it."""
    network = copy_of(network)
    network.load_state_dict(packed(network.state_dict()))
    return network


@pytest.fixture(scope="module")
def network(seeded: Callable[[str], Network]) -> Network:
    return shipped(seeded("mobilenet_v2"))


@pytest.fixture(scope="module")
def exported(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    card = export(packed(network.state_dict()), "mobilenet_v2", {"seed": 7}, folder, temperature=1.5, threshold=0.4)
    assert card == folder / CARD
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path


@BOTH
def test_exported_network_predicts_alike_on_every_image(
    load: Load, name: str, network: Network, exported: Path
) -> None:
    found = parity(network, load(exported / name), CROPS)
    assert found.images == 17
    assert found.differing == 0
    assert found.largest < 1e-4
    assert found.holds


@BOTH
def test_exported_network_takes_a_batch_of_any_number(load: Load, name: str, exported: Path) -> None:
    logits = load(exported / name)
    for count in (1, 3):
        assert logits(torch.zeros(count, 3, 224, 224)).shape == (count, 2)


def test_resnet18_is_exported_alike_too(resnet18: Network, tmp_path: Path) -> None:
    export(resnet18.state_dict(), "resnet18", {}, tmp_path)
    for load, name in ((load_scripted, SCRIPTED), (load_onnx, ONNX)):
        assert parity(shipped(resnet18), load(tmp_path / name), CROPS[:3]).holds


def test_card_says_what_another_program_needs(exported: Path) -> None:
    card = json.loads((exported / CARD).read_text())
    assert card["sha256"].keys() == {SCRIPTED, ONNX}
    assert card["classes"] == ["without_crack", "crack"]
    assert card["input"] == 224
    assert card["mean"] == [0.485, 0.456, 0.406]
    assert (card["temperature"], card["threshold"], card["seed"]) == (1.5, 0.4, 7)
    assert card["views"][0] == "identity"


@pytest.mark.parametrize(
    "wrong", [lambda logits: -logits, lambda logits: logits * torch.nan, lambda logits: logits * 2]
)
def test_network_that_answers_otherwise_has_no_parity(
    wrong: Callable[[Tensor], Tensor], network: Network, exported: Path
) -> None:
    logits = load_scripted(exported / SCRIPTED)
    found = parity(network, lambda batch: wrong(logits(batch)), CROPS[:2])
    assert not found.holds


@BOTH
@pytest.mark.parametrize(
    ("changes", "named"),
    [({"input": 256}, "256"), ({"classes": ["crack", "without_crack"]}, "knows the classes"), ({"sha256": {}}, "None")],
)
def test_card_that_says_otherwise_is_refused(
    load: Load, name: str, changes: dict[str, object], named: str, copy: Path
) -> None:
    content = json.loads((copy / CARD).read_text())
    (copy / CARD).write_text(json.dumps({**content, **changes}))
    with pytest.raises(ClassifierError, match=named):
        load(copy / name)


@BOTH
def test_changed_or_missing_file_is_refused(load: Load, name: str, copy: Path) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ClassifierError, match="its card says"):
        load(copy / name)
    (copy / name).unlink()
    with pytest.raises(ClassifierError, match=name):
        load(copy / name)


@BOTH
def test_garbage_with_its_true_hash_is_refused(load: Load, name: str, copy: Path) -> None:
    (copy / name).write_bytes(b"garbage")
    content = json.loads((copy / CARD).read_text())
    content["sha256"][name] = hashlib.sha256(b"garbage").hexdigest()
    (copy / CARD).write_text(json.dumps(content))
    with pytest.raises(ClassifierError, match="cannot be read as"):
        load(copy / name)


def test_weights_of_another_network_are_not_exported(network: Network, tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="do not fit a resnet18"):
        export(network.state_dict(), "resnet18", {}, tmp_path)
    assert not list(tmp_path.iterdir())
