from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from models.classifier import card
from models.classifier.classifier import Classifier
from models.classifier.errors import ClassifierError
from models.classifier.network import Network


@pytest.fixture
def copy(weights: Path, tmp_path: Path) -> Path:
    for file in weights.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / weights.name


def change(path: Path, **changes: object) -> None:
    content = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**content, **changes}))


def test_weights_take_half_of_their_memory_and_fit_a_repository(weights: Path) -> None:
    assert weights.name == "classifier.pt"
    assert weights.stat().st_size < 25_000_000


def test_card_says_what_the_weights_are(weights: Path) -> None:
    content = json.loads(weights.with_suffix(".json").read_text())
    assert content["network"] == "resnet18"
    assert content["classes"] == ["without_crack", "crack"]
    assert content["input"] == 224
    assert content["temperature"] == 2.0
    assert content["seed"] == 7
    assert len(content["views"]) == 5
    assert len(content["sha256"]) == 64, "no fact takes its place"
    assert content["known_answer"].keys() == {"float32", "bfloat16"}
    for record in content["known_answer"].values():
        assert record.keys() == {"log_odds", "log_odds_darker", "map_mean", "map_spread"}


def test_weights_are_those_of_the_network_with_matrices_in_half_precision(weights: Path, resnet18: Network) -> None:
    network, _ = card.read(weights)
    found = network.state_dict()
    for name, value in resnet18.state_dict().items():
        assert torch.equal(found[name], value.half().float() if value.ndim > 1 else value)
        assert found[name].dtype == value.dtype


def test_changed_weights_are_refused(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[-1000] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ClassifierError, match="its card says"):
        Classifier.load(copy)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sha256": "0" * 64}, "its card says 0000"),
        ({"sha256": None}, "its card says None"),
        ({"sha256": {"other.pt": "1"}}, "its card says None"),
        ({"input": 256}, "input of 256 px; this program gives it 224"),
        ({"classes": ["crack", "without_crack"]}, "asks for .*without_crack.*crack"),
        ({"classes": ["without_crack", "crack", "dirt"]}, "dirt"),
        ({"network": "resnet34"}, "does not fit a resnet34"),
        ({"network": "vgg16"}, "unknown network 'vgg16'"),
        ({"network": None}, "unknown network 'None'"),
        ({"temperature": 0}, r"temperature lies in 0\.05\.\.20\.0; found 0"),
        ({"temperature": math.nan}, "found nan"),
        ({"temperature": "2"}, "found '2'"),
        ({"threshold": 1.5}, r"threshold lies in 0\.\.1; found 1.5"),
        ({"threshold": True}, "found True"),
    ],
)
def test_card_that_says_otherwise_is_refused_by_what_differs(changes: dict[str, Any], named: str, copy: Path) -> None:
    change(copy, **changes)
    with pytest.raises(ClassifierError, match=named):
        Classifier.load(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'"sha256"'])
def test_unreadable_card_is_refused(content: bytes, copy: Path) -> None:
    copy.with_suffix(".json").write_bytes(content)
    with pytest.raises(ClassifierError, match="go together"):
        Classifier.load(copy)


def test_missing_weights_or_card_are_named(copy: Path) -> None:
    copy.with_suffix(".json").unlink()
    with pytest.raises(ClassifierError, match=r"classifier\.json"):
        Classifier.load(copy)
    with pytest.raises(ClassifierError, match="nowhere"):
        Classifier.load(copy.parent / "nowhere.pt")


@pytest.mark.parametrize("content", [b"nothing", b"", b"PK\x03\x04"])
def test_garbage_with_its_true_hash_is_refused(content: bytes, copy: Path) -> None:

    copy.write_bytes(content)
    change(copy, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(ClassifierError, match="does not fit a resnet18"):
        Classifier.load(copy)
