"""A candidate is what decides its results, wherever its files lie."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from config.load import load_recipe
from config.weights import SHIPPED
from daemon.offline.reinspect.candidate import Candidate, CandidateError, Weights, candidate_of
from tests.archived import ArchivedPlates


def test_where_its_weights_lie_is_no_part_of_it(plates: ArchivedPlates, tmp_path: Path) -> None:
    for name in ("detector-half.pt", "detector-half.json"):
        shutil.copy(SHIPPED / name, tmp_path / name.replace("detector-half", "mine"))
    shipped = candidate_of(load_recipe(str(plates.recipe)), plates.settings)
    own = load_recipe(str(plates.recipe)).model_copy(update={"weights": str(tmp_path / "mine.pt")})
    found = candidate_of(own, plates.settings)
    assert found == shipped
    assert found.digest == shipped.digest


def test_whatever_decides_a_result_makes_another_candidate(candidate: Candidate) -> None:
    card = candidate.detector.card.replace(b"{", b"{ ", 1)
    others = [
        replace(candidate, recipe=candidate.recipe.model_copy(update={"polarity": "dark"})),
        replace(candidate, detector=Weights(candidate.detector.content, card)),
        replace(candidate, detector=Weights(candidate.detector.content + b"x", candidate.detector.card)),
        replace(candidate, dtype="float32" if candidate.dtype == "bfloat16" else "bfloat16"),
        replace(candidate, code_sha256="0" * 64),
        replace(candidate, torch="2.0"),
    ]
    assert len({one.digest for one in [candidate, *others]}) == 1 + len(others)
    travelled: Candidate = pickle.loads(pickle.dumps(candidate))
    assert (travelled, travelled.digest) == (candidate, candidate.digest)


def test_the_classifier_is_a_part_of_it_where_the_recipe_asks_one(plates: ArchivedPlates, candidate: Candidate) -> None:
    asking = load_recipe(str(plates.recipe))
    asking = asking.model_copy(update={"classifier": asking.classifier.model_copy(update={"mode": "annotate"})})
    assert candidate.classifier is None
    assert candidate_of(asking, plates.settings).classifier is not None


def test_weights_that_are_not_there_or_of_no_use_are_told(
    plates: ArchivedPlates, candidate: Candidate, tmp_path: Path
) -> None:
    lacking = load_recipe(str(plates.recipe)).model_copy(update={"weights": str(tmp_path / "none.pt")})
    with pytest.raises(CandidateError, match=r"none\.pt: No such file or directory; weights are a file with its card"):
        candidate_of(lacking, plates.settings)
    with pytest.raises(CandidateError, match="detector"):
        replace(candidate, detector=Weights(b"none", candidate.detector.card)).load()


def test_another_version_of_the_program_is_told_for_it_could_differ_in_the_last_bit(candidate: Candidate) -> None:
    for other in (replace(candidate, code_sha256="0" * 64), replace(candidate, torch="2.0")):
        with pytest.raises(CandidateError, match="another version of linesentry or torch"):
            other.load()
