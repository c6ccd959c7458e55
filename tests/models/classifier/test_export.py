from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.classifier import card
from models.classifier.errors import ClassifierError
from models.classifier.export import (
    CARD,
    ONNX,
    PROGRAM,
    SCRIPTED,
    Logits,
    export,
    parity,
    run_onnx,
    run_program,
    run_scripted,
)
from models.classifier.network import Network
from models.training.classifier.card import write_weights

Load = Callable[[bytes], Logits]
FILES = (run_scripted, SCRIPTED), (run_program, PROGRAM), (run_onnx, ONNX)
EACH = pytest.mark.parametrize(("load", "name"), FILES)
CROPS = [np.random.default_rng(k).integers(0, 256, (224, 224), np.uint8) for k in range(17)]


def written(network: Network, name: str, folder: Path) -> Path:
    return write_weights(
        folder, network.state_dict(), name, {"validation": {"f1": 0.9}}, temperature=1.5, threshold=0.4
    )


@pytest.fixture(scope="module")
def weights(seeded: Callable[[str], Network], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(seeded("mobilenet_v2"), "mobilenet_v2", tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def network(weights: Path) -> Network:
    return card.read(weights)[0].eval()


@pytest.fixture(scope="module")
def exported(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "new"
    assert export(weights, folder, CROPS) == {}
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path


@EACH
def test_exported_network_predicts_alike_on_every_image(
    load: Load, name: str, network: Network, exported: Path
) -> None:
    found = parity(network, load((exported / name).read_bytes()), CROPS)
    assert found.images == 17
    assert found.differing == 0
    assert found.largest < 1e-4
    assert found.holds


@EACH
def test_exported_network_takes_a_batch_of_any_number(load: Load, name: str, exported: Path) -> None:
    logits = load((exported / name).read_bytes())
    for count in (1, 3):
        assert logits(torch.zeros(count, 3, 224, 224)).shape == (count, 2)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
def test_other_networks_are_exported_alike_too(seeded: Callable[[str], Network], tmp_path: Path, name: str) -> None:
    weights = written(seeded(name), name, tmp_path)
    assert export(weights, tmp_path / "export", CROPS[:3]) == {}
    network = card.read(weights)[0].eval()
    for load, file in FILES:
        found = parity(network, load((tmp_path / "export" / file).read_bytes()), CROPS[:3])
        assert found.holds
        assert found.images == 3


@EACH
@pytest.mark.parametrize(
    "batch",
    [
        torch.zeros(1, 3, 256, 256),
        torch.zeros(1, 3, 224, 225),
        torch.zeros(2, 3, 223, 224),
        torch.zeros(1, 1, 224, 224),
        torch.zeros(1, 4, 224, 224),
        torch.zeros(3, 224, 224),
        torch.zeros(1, 1, 3, 224, 224),
        torch.zeros(1, 3, 224, 224, dtype=torch.float64),
        torch.zeros(1, 3, 224, 224, dtype=torch.float16),
        torch.zeros(1, 3, 224, 224, dtype=torch.uint8),
    ],
    ids=lambda one: f"{tuple(one.shape)} {one.dtype}",
)
def test_exported_network_refuses_what_it_was_not_trained_for(
    load: Load, name: str, exported: Path, batch: Tensor
) -> None:
    network = load((exported / name).read_bytes())
    with pytest.raises(
        Exception, match=r"(?i)float32 \(n, 3, 224, 224\).*found|invalid|guard failed: batch|dtype mismatch"
    ):
        network(batch)


def test_card_says_what_another_program_needs_and_of_which_weights(exported: Path, weights: Path) -> None:
    content = json.loads((exported / CARD).read_text())
    assert content["sha256"].keys() == content["parity"].keys() == {SCRIPTED, PROGRAM, ONNX}
    assert {one["images"] for one in content["parity"].values()} == {len(CROPS)}
    assert content["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert content["network"] == "mobilenet_v2"
    assert content["classes"] == ["without_crack", "crack"]
    assert content["input"] == 224
    assert content["mean"] == [0.485, 0.456, 0.406]
    assert (content["temperature"], content["threshold"], content["validation"]) == (1.5, 0.4, {"f1": 0.9})
    assert content["views"][0] == "identity"


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_a_package_onnx_alone_is_left_out_with_the_reason(
    package: str, weights: Path, copy: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / ONNX).write_bytes(b"of earlier weights")
    (copy / "notes.txt").write_text("of somebody")
    monkeypatch.setitem(sys.modules, package, None)
    missing = export(weights, copy, CROPS[:2])
    assert missing.keys() == {ONNX}
    assert missing[ONNX].startswith(f"it needs the package {package}: run ")
    assert {path.name for path in copy.iterdir()} == {SCRIPTED, PROGRAM, CARD, "notes.txt"}
    assert json.loads((copy / CARD).read_text())["sha256"].keys() == {SCRIPTED, PROGRAM}
    assert parity(network, run_scripted((copy / SCRIPTED).read_bytes()), CROPS[:2]).holds


def test_a_program_that_cannot_be_made_is_left_out_with_the_reason_and_the_others_are_written(
    weights: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.export, "export", failing)
    assert export(weights, copy, CROPS[:2]) == {PROGRAM: "no such operator"}
    assert {path.name for path in copy.iterdir()} == {SCRIPTED, ONNX, CARD}
    assert json.loads((copy / CARD).read_text())["sha256"].keys() == {SCRIPTED, ONNX}


def test_files_that_answer_otherwise_are_not_written_and_earlier_ones_do_not_stay(
    weights: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.classifier.export.LARGEST", -1.0)
    with pytest.raises(ClassifierError, match=f"{SCRIPTED} answers otherwise"):
        export(weights, copy, CROPS[:2])
    assert not list(copy.iterdir())


@pytest.mark.parametrize(
    "wrong", [lambda logits: -logits, lambda logits: logits * torch.nan, lambda logits: logits * 2]
)
def test_network_that_answers_otherwise_has_no_parity(
    wrong: Callable[[Tensor], Tensor], network: Network, exported: Path
) -> None:
    logits = run_scripted((exported / SCRIPTED).read_bytes())
    found = parity(network, lambda batch: wrong(logits(batch)), CROPS[:2])
    assert not found.holds


def test_weights_that_cannot_be_used_leave_an_earlier_export_as_it_is(weights: Path, copy: Path) -> None:
    before = {path.name for path in copy.iterdir()}
    with pytest.raises(ClassifierError, match="nowhere"):
        export(weights.parent / "nowhere.pt", copy, CROPS[:2])
    assert {path.name for path in copy.iterdir()} == before
