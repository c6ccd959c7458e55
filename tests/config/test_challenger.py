"""The challenger that a recipe names: read beside it, held against it, and no part of what names its results."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.challenger import candidate_of, challenger_faults
from config.check import service_faults
from config.load import load_recipe, recipe_hash
from config.schema import Archive, Challenger, Config, Recipe

RECIPE = load_recipe("P10B")


def with_challenger(recipe: str, share: float = 1.0) -> Recipe:
    return RECIPE.model_copy(update={"challenger": Challenger(recipe=recipe, share=share)})


def test_its_path_is_relative_to_the_recipe_and_it_changes_no_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "next.yaml").write_text("name: next\ndecision: {ng_score: 0.6}\n")
    text = "name: mine\n"
    (tmp_path / "mine.yaml").write_text(text)
    alone = load_recipe(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text(text + "challenger: {recipe: next.yaml, share: 0.5}\n")
    mine = load_recipe("mine.yaml")
    assert mine.challenger == Challenger(recipe=str(tmp_path / "next.yaml"), share=0.5)
    assert recipe_hash(mine) == recipe_hash(alone)
    candidate = candidate_of(mine)
    assert candidate is not None
    assert candidate.decision.ng_score == 0.6
    assert candidate_of(alone) is None


def test_a_recipe_without_one_has_no_fault_and_one_of_the_same_columns_has_none() -> None:
    assert challenger_faults(Config(), RECIPE) == []
    assert challenger_faults(Config(), with_challenger("P10B")) == []


@pytest.mark.parametrize(
    ("recipe", "config", "wrong"),
    [
        ("no such.yaml", {}, "no such.yaml"),
        ("02CG", {}, "other columns"),
        ("P10B", {"archive": Archive(verdicts=())}, "judges the plates of the archive"),
    ],
)
def test_what_keeps_it_from_judging_is_told_before_the_start(
    recipe: str, config: dict[str, object], wrong: str
) -> None:
    faults = service_faults(Config().model_copy(update=config), with_challenger(recipe))
    assert any(wrong in str(fault) for fault in faults)


def test_weights_that_are_no_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "next.yaml").write_text("name: next\nweights: none.pt\n")
    columns = RECIPE.model_copy(update={"columns": None, "challenger": Challenger(recipe=str(tmp_path / "next.yaml"))})
    ((_, key, message),) = challenger_faults(Config(), columns)
    assert (key, "none.pt" in message) == ("challenger.recipe", True)
