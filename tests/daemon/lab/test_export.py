"""`linesentry export classifier`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from daemon.cli.app import app
from models.classifier import card, export
from models.classifier.networks import make
from models.training.classifier.card import write_weights
from models.training.classifier.examples import read_folder
from models.training.classifier.groups import group_keys, split

torch.set_num_threads(1)


def test_weights_are_exported_without_training_and_compared_on_what_they_were_chosen_by(
    data: Path, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    validation = split(read_folder(data), 5).validation
    facts = {
        "seeds": [5],
        "groups": " ".join(group_keys(read_folder(data))),
        "validation_groups": " ".join(group_keys(validation)),
    }
    weights = write_weights(tmp_path, make("mobilenet_v2").state_dict(), "mobilenet_v2", facts, threshold=0.3)
    asked = ["export", "classifier", "--data", str(data), "--simulated", "0", "--weights", str(weights)]
    out = tmp_path / "export"
    found = CliRunner().invoke(app, [*asked, "--out", str(out)])
    assert (found.exit_code, found.stdout) == (0, f"{out / export.CARD}\n")
    assert "linesentry export: exported: " in found.stderr
    content = json.loads((out / export.CARD).read_text())
    assert content["weights_sha256"] == json.loads(weights.with_suffix(".json").read_text())["sha256"]
    assert content["threshold"] == 0.3
    assert {one["images"] for one in content["parity"].values()} == {len(validation)}
    assert export.parity(
        card.read(weights)[0].eval(), export.run_onnx((out / export.ONNX).read_bytes()), [validation[0].pixels]
    ).holds


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(("--weights", "/nowhere.pt"), "no network at"), (("--data", "/nowhere"), "neither a manifest"), ((), "--data")],
)
def test_what_cannot_be_exported_is_refused_in_one_line(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    out = tmp_path / "export"
    found = CliRunner().invoke(app, ["export", "classifier", "--simulated", "0", "--out", str(out), *words])
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.startswith("linesentry export: ")
    assert complaint in found.stderr
    assert found.stderr.count("\n") == 1
    assert not out.exists()
