"""The range of an experiment, and the figures of its hits and misses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from daemon.lab.pod.analysis import bins_of, described, figures, warnings_of
from daemon.lab.pod.experiment import SEARCHED, Clean, Outcome, Painted, chosen_range
from daemon.lab.pod.forms import FORMS
from daemon.lab.pod.measured import Measured
from daemon.lab.pod.real import Real, RealCrack, compared
from daemon.lab.pod.sizes import Ranges, with_narrow
from models.measure.pod import NoCurveError, fit

RANGES = Ranges((3.0, 60.0), (7.0, 21.0), (3.0, 7.0), (1.0, 12.0), "mm", 0.0416, 0.052)
CONTRASTS = np.geomspace(2, 120, 48)


def painted(count: int, sheets: int, a50: float = 12.0, form: str = "rough", seed: int = 0) -> list[Painted]:
    rng = np.random.default_rng(seed)
    made = []
    for number, sizes in enumerate(with_narrow(rng, count, RANGES)):
        hit = bool(rng.random() < 1 / (1 + (sizes.contrast * (sizes.width / 8) / a50) ** -4))
        seen = Measured(sizes.contrast, sizes.width, sizes.length / RANGES.column)
        picture = np.zeros((100, 100), np.uint8)
        name = f"sheet{number % sheets}"
        made.append(Painted(form, name, sizes, 0.0, False, (40, 40, 20, 20), seen, hit, 0.9 * hit, picture, (40, 40)))
    return made


def outcome(seen: list[Painted], found: int = 0) -> Outcome:
    boxes = tuple(((100 * place, 10, 20, 20), 0.8) for place in range(found))
    clean = {f"sheet{n}": Clean(f"sheet{n}", "OK", "", boxes if n == 0 else (), (), 3000, 6000) for n in range(6)}
    return Outcome(RANGES, clean, seen)


def test_the_range_goes_from_where_little_is_hit_to_where_nearly_all_is() -> None:
    rng = np.random.default_rng(0)
    low, high = chosen_range(CONTRASTS, rng.random(48) < 1 / (1 + (CONTRASTS / 15) ** -4))
    assert 3 < low < 11
    assert 22 < high < 80


@pytest.mark.parametrize(
    ("hits", "low", "high"),
    [
        (CONTRASTS > 0, 1.5, 6.0),
        (CONTRASTS > 999, 30.0, 120.0),
        (CONTRASTS > 20, 9.5, 40.0),
        (np.arange(48) % 2 > 0, *SEARCHED),
        (CONTRASTS < 20, *SEARCHED),
    ],
)
def test_where_there_is_no_curve_the_range_is_still_one(hits: np.ndarray, low: float, high: float) -> None:
    found = chosen_range(CONTRASTS, hits)
    assert found == pytest.approx((low, high), rel=0.1)


def test_a_value_beyond_what_was_painted_is_not_told_but_named() -> None:
    rng = np.random.default_rng(1)
    sizes = np.geomspace(3, 20, 200)
    told = described(fit(sizes, rng.random(200) < 1 / (1 + (sizes / 10) ** -2)), (3.0, 20.0))
    assert 3 < told["a50"] < 20
    assert told["a90"] is told["a90_95"] is None
    assert told["beyond"]["a90"] == "above"


def test_where_the_largest_are_hit_less_that_is_said() -> None:
    rng = np.random.default_rng(2)
    sizes = np.geomspace(3, 60, 160)
    hits = rng.random(160) < 1 / (1 + (sizes / 9) ** -4)
    assert described(fit(sizes, hits), (3.0, 60.0), bins=bins_of(sizes, hits))["words"] == ""
    hits[-16::2] = False
    told = described(fit(sizes, hits), (3.0, 60.0), bins=bins_of(sizes, hits))
    assert "only" in told["words"]
    assert "fewer than the curve says" in told["words"]


def test_no_curve_is_told_as_words_without_a_value() -> None:
    told = described(NoCurveError("flat", "it makes no difference"), (3.0, 20.0))
    assert (told["why"], told["words"], told["a50"], told["a90_95"]) == ("flat", "it makes no difference", None, None)


def test_figures_know_the_a90_that_the_cracks_have() -> None:
    seen = [one for form in FORMS for one in painted(240, 6, form=form, seed=1)]
    form = figures(outcome(seen, found=2), {"simulated": False})["forms"]["rough"]
    fixed = form["at_fixed_others"]["contrast"]
    true = 12 * 9 ** (1 / 4) / (math.sqrt(7 * 21) / 8)
    assert fixed["a90"] == pytest.approx(true, rel=0.3)
    assert fixed["a90_at_least"] < fixed["a90"] < fixed["a90_95"]
    assert form["at_fixed_others"]["width"]["a90"] is not None
    assert form["contrast_a90_95_by_sheets"] > form["curves"]["contrast"]["a90"]
    wide = [one["a90"] for one in form["contrast_a90"]]
    assert wide[0] > wide[-1]


def test_what_a_reader_must_know_is_said() -> None:
    seen = painted(40, 2)
    result = figures(outcome(seen, found=2) if seen else outcome([]), {"simulated": True}) | {"real": None}
    said = " ".join(warnings_of(result))
    for words in (
        "Painting is not proof",
        "simulator that the detector learnt from",
        "too few",
        "2 defects were found",
    ):
        assert words in said


def test_real_cracks_that_are_harder_than_paint_are_believed() -> None:
    seen = painted(240, 6)
    strong = [RealCrack("one", (0, 0, 9, 9), Measured(40.0, 10.0, 90.0), hit=place < 10) for place in range(30)]
    result = figures(outcome(seen), {"simulated": False})
    result["real"] = compared(Real("real", tuple(strong), 3, ()), seen)
    assert result["real"]["promised"]["rough"]["lower"] > 25
    assert any("Real cracks are harder to find" in one and "10 of 30" in one for one in warnings_of(result))
    found = [replace(one, hit=True) for one in strong]
    result["real"] = compared(Real("real", tuple(found), 3, ()), seen)
    assert not any("harder" in one for one in warnings_of(result))
