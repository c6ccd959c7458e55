"""What trained weights do on crops: the learnt threshold and the figures of the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from config.schema import Recipe
from models.detector.detector import Detector
from models.detector.features import FeatureNetwork
from models.detector.threshold import LearntThreshold
from models.training.detector.card import write
from models.training.detector.figures import Clean, evaluate, learn_threshold

torch.set_num_threads(1)


def test_floor_is_learnt_where_clean_crops_are_clean_and_goes_into_the_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = FeatureNetwork().state_dict()
    rng = np.random.default_rng(0)
    empty = np.zeros((128, 128), np.bool_)
    clean = [(rng.normal(100, 3, (128, 128)).astype(np.uint8), empty, empty) for _ in range(4)]
    each = [[crop] for crop in clean]
    kinds = [Clean("loose", each, 1.0), Clean("strict", each, 0.01)]
    threshold, rates = learn_threshold(state, kinds, least=-3.5)
    assert rates["strict"][f"{threshold.floor:.2f}"] <= 0.01
    assert list(rates["strict"].values()) == sorted(rates["strict"].values(), reverse=True)
    assert rates["loose"] == rates["strict"]
    assert learn_threshold(state, kinds[:1], least=-3.5)[0].floor == -3.5
    _, together = learn_threshold(state, [Clean("sheets", [clean[:2], clean[2:]], 1.0)], least=-3.5)
    assert set(together["sheets"].values()) <= {0.0, 0.5, 1.0}, "crops of one sheet count once"
    path = write(tmp_path, state, threshold, {"note": "untrained"})
    assert path.stat().st_size < 1_500_000
    Detector.load(Recipe(name="fresh", weights=str(path)), device="cpu").known_answer()


def test_figures_count_cracks_that_can_be_judged_and_false_regions() -> None:
    torch.manual_seed(0)
    state = FeatureNetwork().state_dict()
    rng = np.random.default_rng(0)
    image = rng.normal(100, 3, (128, 128)).astype(np.uint8)
    mask, ignored = np.zeros((128, 128), np.bool_), np.zeros((128, 128), np.bool_)
    mask[20:30, 20:60] = True
    mask[100:102, 100:105] = True  # too little of it
    ignored[70:80, 10:50] = True
    crops = [(image, mask, ignored)] * 2
    nothing = evaluate(state, LearntThreshold(50, 1, 0), crops)
    assert nothing == {"crops": 2, "cracks": 2, "recall": 0.0, "precision": 1.0, "false": 0}
    everything = evaluate(state, LearntThreshold(-50, 1, 0), crops)
    assert (everything["recall"], everything["false"]) == (1.0, 0)


def test_what_lies_around_a_window_is_seen_and_not_counted() -> None:
    torch.manual_seed(0)
    state = FeatureNetwork().state_dict()
    image = np.random.default_rng(0).normal(100, 3, (970, 970)).astype(np.uint8)
    mask, nothing = np.zeros((970, 970), np.bool_), np.zeros((970, 970), np.bool_)
    mask[100:110, 300:400] = True
    mask[500:510, 300:400] = True
    all_of_it = evaluate(state, LearntThreshold(-50, 1, 0), [(image, mask, nothing)])
    assert (all_of_it["cracks"], all_of_it["recall"]) == (1, 1.0)
