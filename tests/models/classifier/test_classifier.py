from __future__ import annotations

import contextlib
import hashlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.classifier import card
from models.classifier.calibration import calibrated
from models.classifier.classifier import _SURE, GRID, Classifier, ClassifierError, known_values
from models.classifier.gradcam import evidence, scaled
from models.classifier.preprocess import prepared
from models.classifier.temperature import log_odds
from models.classifier.views import DEFAULT_VIEWS, View
from models.detector.known_window import known_window


def noise(*shape: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


CROPS = [known_window(224), noise(224, 224), noise(300, 150), noise(224, 224, 3)]


@pytest.fixture(scope="module")
def classifier(weights: Path) -> Classifier:
    return Classifier.load(weights, device="cpu", dtype="float32")


def test_known_answer_holds_in_either_number_format(weights: Path) -> None:
    dtypes: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
    for dtype in dtypes:
        Classifier.load(weights, device="cpu", dtype=dtype)


@pytest.mark.parametrize("damage", [0.0, torch.nan, 1.2])
def test_known_answer_fails_with_damaged_weights(damage: float, weights: Path) -> None:
    classifier = Classifier.load(weights, device="cpu", dtype="float32")
    network = classifier._network
    with torch.no_grad():
        network.get_submodule("layer3").get_submodule("0").get_submodule("conv1").get_parameter("weight").mul_(damage)
    with pytest.raises(ClassifierError, match="restart, check memory"):
        classifier.known_answer()


def test_damaged_network_gives_no_number_rather_than_a_wrong_one(weights: Path) -> None:
    classifier = Classifier.load(weights, device="cpu", dtype="float32", views=["identity"])
    with torch.no_grad():
        classifier._network.get_submodule("conv1").get_parameter("weight").mul_(torch.nan)
    (answer,) = classifier.classify(CROPS[:1])
    assert np.isnan(answer.probability)
    assert answer.heat == bytes(GRID * GRID)


@pytest.mark.parametrize(
    ("dtype", "offsets", "holds"),
    [
        ("bfloat16", (-3, 3), True),
        ("bfloat16", (3, 4), False),
        ("bfloat16", (-4, -3), False),
        ("float32", (0, 9), True),
        ("float32", (-3, 3), False),
    ],
)
def test_known_answer_is_that_of_float32_and_lies_between_both_formats_in_bfloat16(
    dtype: Literal["float32", "bfloat16"], offsets: tuple[float, float], *, holds: bool, weights: Path, tmp_path: Path
) -> None:
    content = json.loads(weights.with_suffix(".json").read_text())
    for record, offset in zip(content["known_answer"].values(), offsets, strict=True):
        record["log_odds"] += offset
    (tmp_path / "w.json").write_text(json.dumps(content))
    (tmp_path / "w.pt").write_bytes(weights.read_bytes())
    with contextlib.nullcontext() if holds else pytest.raises(ClassifierError, match="log_odds: "):
        Classifier.load(tmp_path / "w.pt", device="cpu", dtype=dtype)


@pytest.mark.parametrize("known", [None, {}, [1], {"log_odds": 1.0}, {"float32": {"log_odds": 1.0}}])
def test_weights_without_a_known_answer_say_so(known: object, weights: Path, tmp_path: Path) -> None:
    content = json.loads(weights.with_suffix(".json").read_text())
    (tmp_path / "w.json").write_text(json.dumps({**content, "known_answer": known}))
    (tmp_path / "w.pt").write_bytes(weights.read_bytes())
    with pytest.raises(ClassifierError, match="no known answer"):
        Classifier.load(tmp_path / "w.pt")


@pytest.mark.parametrize("value", [0.0, torch.nan, torch.inf])
def test_weights_of_one_value_are_no_classifier_even_where_their_known_answer_was_recorded(
    value: float, weights: Path, tmp_path: Path
) -> None:
    state = {
        name: torch.full_like(one, value) if one.is_floating_point() else one
        for name, one in torch.load(weights, weights_only=True).items()
    }
    torch.save(state, tmp_path / "w.pt")
    card = json.loads(weights.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256((tmp_path / "w.pt").read_bytes()).hexdigest()
    (tmp_path / "w.json").write_text(json.dumps(card))
    with pytest.raises(ClassifierError, match="known crops give wrong values"):
        Classifier.load(tmp_path / "w.pt", device="cpu")
    own = known_values(Classifier.load(tmp_path / "w.pt", device="cpu", prove=False))
    (tmp_path / "w.json").write_text(json.dumps({**card, "known_answer": {"float32": own, "bfloat16": own}}))
    with pytest.raises(ClassifierError, match="sees nothing"):
        Classifier.load(tmp_path / "w.pt", device="cpu")


def test_probability_is_the_calibrated_mean_over_the_views(classifier: Classifier, weights: Path) -> None:
    crops = CROPS[:2]
    raw = np.mean(
        [Classifier.load(weights, dtype="float32", views=[view]).uncalibrated(crops) for view in DEFAULT_VIEWS], axis=0
    )
    assert classifier.uncalibrated(crops) == pytest.approx(raw, abs=1e-5)
    found = [answer.probability for answer in classifier.classify(crops)]
    assert found == pytest.approx(calibrated(raw, 2.0).tolist(), abs=1e-5)


def test_the_other_views_are_asked_of_a_crop_only_where_the_first_is_not_sure_of_it(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier.load(weights, device="cpu", dtype="float32")
    single = Classifier.load(weights, device="cpu", dtype="float32", views=DEFAULT_VIEWS[:1])
    first, all_views = single.uncalibrated(CROPS), classifier.uncalibrated(CROPS)
    # So that the first view of half of them is sure.
    odds = np.abs(log_odds(first))
    classifier.temperature = float(np.median(odds)) / math.log(1 / _SURE - 1)
    sure = odds > np.median(odds)
    assert 0 < sure.sum() < len(CROPS)
    features, asked = classifier._network.features, list[int]()

    def counted(batch: Tensor) -> Tensor:
        asked.append(len(batch))
        return features(batch)

    monkeypatch.setattr(classifier._network, "features", counted)
    found = np.array([answer.probability for answer in classifier.classify(CROPS)])
    expected = calibrated(np.where(sure, first, all_views), classifier.temperature)
    assert found == pytest.approx(expected, abs=1e-4)
    assert sum(asked) == len(CROPS) + (len(DEFAULT_VIEWS) - 1) * (~sure).sum()
    together, heats = classifier._answered(prepared(CROPS))  # as on a GPU
    assert together == pytest.approx(found, abs=1e-4)
    assert heats.shape == (len(CROPS), GRID, GRID)


def test_one_view_gives_the_softmax_and_the_map_of_the_whole_network(weights: Path) -> None:
    network, _ = card.read(weights)
    batch = prepared(CROPS)
    with torch.no_grad():
        maps = network.eval().features(batch)
        shares = torch.softmax(network(batch), 1)[:, 1]
    single = Classifier.load(weights, device="cpu", dtype="float32", views=["identity"])
    assert single.uncalibrated(CROPS) == pytest.approx(shares.numpy(), abs=1e-5)
    heats = np.stack([np.frombuffer(answer.heat, np.uint8).reshape(GRID, GRID) for answer in single.classify(CROPS)])
    assert np.abs(heats - 255 * scaled(evidence(network, maps)[1]).numpy()).max() < 2


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_answer_is_equal_to_the_bit_whatever_the_neighbours(
    dtype: Literal["float32", "bfloat16"], weights: Path
) -> None:
    classifier = Classifier.load(weights, device="cpu", dtype=dtype, views=["identity", "flip_vertical"])
    together = classifier.classify([*CROPS, *CROPS[::-1]])
    assert together[: len(CROPS)] == together[: len(CROPS) - 1 : -1]
    for crop, answer in zip(CROPS, together, strict=False):
        assert classifier.classify([crop]) == [answer]


def test_mirrored_crop_has_the_mirrored_map(weights: Path) -> None:
    views: tuple[View, ...] = ("identity", "flip_horizontal")
    classifier = Classifier.load(weights, device="cpu", dtype="float32", views=views)
    one, mirrored = classifier.classify([CROPS[0], CROPS[0][:, ::-1]])
    assert one.probability == pytest.approx(mirrored.probability, abs=1e-5)
    heat = np.frombuffer(one.heat, np.uint8).reshape(GRID, GRID).astype(int)
    assert np.abs(heat[:, ::-1] - np.frombuffer(mirrored.heat, np.uint8).reshape(GRID, GRID)).max() <= 1


def test_bfloat16_says_nearly_the_same(classifier: Classifier, weights: Path) -> None:
    short = Classifier.load(weights, device="cpu", dtype="bfloat16")
    assert short.facts["dtype"] == "bfloat16"
    for one, other in zip(classifier.classify(CROPS), short.classify(CROPS), strict=True):
        assert one.probability == pytest.approx(other.probability, abs=0.02)


def test_answers_are_probabilities_with_a_map_for_any_crop(classifier: Classifier) -> None:
    odd = [np.zeros((224, 224), np.uint8), np.full((1, 1), 255, np.uint8), noise(5, 900), noise(700, 700, 3)]
    for answer in classifier.classify(odd):
        assert 0 <= answer.probability <= 1
        assert len(answer.heat) == GRID * GRID


def test_no_crops_give_no_answers(classifier: Classifier) -> None:
    assert classifier.classify([]) == []
    assert classifier.uncalibrated([]).shape == (0,)


def test_empty_crop_is_refused(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="a crop is uint8"):
        classifier.classify([np.zeros((0, 5), np.uint8)])


def test_facts_name_the_weights_and_how_they_are_computed(classifier: Classifier, weights: Path) -> None:
    facts = classifier.facts
    assert facts["network"] == "resnet18"
    assert facts["model_card"] == str(weights.with_suffix(".json"))
    assert facts["views"] == list(DEFAULT_VIEWS)
    assert (facts["temperature"], facts["threshold"]) == (2.0, 0.5)
    json.dumps(facts)


def test_other_views_than_the_temperature_was_fitted_for_are_said(classifier: Classifier, weights: Path) -> None:
    assert classifier.doubt() is None
    assert Classifier.load(weights, views=DEFAULT_VIEWS[::-1]).doubt() is None
    doubt = Classifier.load(weights, views=["identity"]).doubt()
    assert doubt is not None
    assert f"fitted for the views {', '.join(DEFAULT_VIEWS)}, and these are identity:" in doubt


@pytest.mark.parametrize("views", [[], ["upside_down"]])
def test_no_or_unknown_views_are_refused(views: list[View], weights: Path) -> None:
    with pytest.raises(ClassifierError, match="views are some of identity"):
        Classifier.load(weights, views=views)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_gpu_asked_for_where_there_is_none_is_refused(weights: Path) -> None:
    with pytest.raises(ClassifierError, match="no GPU"):
        Classifier.load(weights, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_gpu_says_what_the_processor_says(classifier: Classifier, weights: Path) -> None:
    on_gpu = Classifier.load(weights, device="cuda")
    on_gpu.known_answer()
    for one, other in zip(classifier.classify(CROPS), on_gpu.classify(CROPS), strict=True):
        assert one.probability == pytest.approx(other.probability, abs=0.02)


def test_line_does_not_pay_for_the_fitting() -> None:
    program = "import sys, models.classifier.classifier; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
