"""Which of the loaded recipes judges which plate, and what of a configuration changes without a restart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from config.load import load_recipe, recipe_hash
from config.schema import Classify, Config, Length, OwnArchive, Recipe, Rectangle, Switch
from config.weights import weights_path
from daemon.service.plans import plate_shape, run_facts
from daemon.service.recipes import Recipes
from daemon.service.sources import Sources
from tests.classifier_weights import untrained

P10B, CG = load_recipe("P10B"), load_recipe("02CG")
MASKED = P10B.model_copy(update={"masks": (Rectangle(x=0, y=0, width=10, height=10),)})


def sources(*recipes: Recipe, **keys: object) -> Sources:
    named = {"recipe": recipes[0].name, "recipes": tuple(one.name for one in recipes[1:])}
    return Sources(Config().model_copy(update={**named, **keys}), recipes)


@pytest.fixture
def recipes(tmp_path: Path) -> Recipes:
    """A run that has loaded two, and judges by the first."""
    begun = sources(P10B, CG)
    return Recipes(begun, run_facts("a" * 32, begun.config, P10B), tmp_path)


def test_a_recipe_that_has_not_changed_keeps_its_number_and_a_changed_one_gets_another(recipes: Recipes) -> None:
    read = sources(MASKED, CG)
    masked, same = recipes.prepared(read)
    assert (masked.number, same.number) == (3, 2)
    assert masked.facts.recipe_sha256 == recipe_hash(MASKED)
    assert recipes.target(read, (masked, same)) == masked


def test_what_changes_no_result_makes_another_recipe_of_the_same_hash(recipes: Recipes) -> None:
    """Its plates are named as before, and another share of them is archived."""
    own = P10B.model_copy(update={"archive": OwnArchive(ok="every")})
    read = sources(own, CG)
    new, same = loaded = recipes.prepared(read)
    assert (new.number, same.number, new.facts) == (3, 2, recipes.active.facts)
    assert new.told.recipe["archive"]["ok"] == "every"
    recipes.take(read, loaded)
    assert [one.number for one in recipes.prepared(read)] == [3, 2]


def test_another_batch_is_another_fact_of_the_plates_to_come(recipes: Recipes) -> None:
    assert [one.number for one in recipes.prepared(sources(P10B, CG, batch_id="7"))] == [3, 4]


def test_each_recipe_has_its_own_classifier_and_other_weights_are_another_fact_of_the_plates_to_come(
    recipes: Recipes, tmp_path: Path
) -> None:
    own = untrained(tmp_path / "own")
    asked = P10B.classifier.model_copy(update={"weights": str(own)})
    before = recipes.active.facts.classifier_sha256
    read = sources(P10B.model_copy(update={"classifier": asked}), CG)
    assert recipes.restart_keys(read, plate_shape(Config(), [P10B, CG])) == []
    new, same = loaded = recipes.prepared(read)
    assert (new.number, same.number) == (3, 2)
    assert new.facts.classifier_sha256 == hashlib.sha256(own.read_bytes()).hexdigest() != before
    assert same.facts.classifier_sha256 == before
    assert recipes.new_classifiers(loaded) == 1
    read = sources(P10B, CG, classify=Classify(weights=own))
    assert recipes.restart_keys(read, plate_shape(Config(), [P10B, CG])) == []
    assert {one.facts.classifier_sha256 for one in recipes.prepared(read)} == {new.facts.classifier_sha256}
    kept = Path(new.told.recipe["classifier"]["weights"])
    own.write_bytes(b"half writ")
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == new.facts.classifier_sha256


def test_copies_of_weights_are_written_once_and_go_with_the_last_recipe_that_has_them(
    recipes: Recipes, tmp_path: Path
) -> None:
    """They may lie in memory, and a line may be reloaded for months."""

    def kept() -> dict[str, int]:
        return {path.stem: path.stat().st_ino for path in (tmp_path / "weights").glob("*.pt")}

    shipped = kept()
    assert len(shipped) == 2
    asked = P10B.classifier.model_copy(update={"weights": str(untrained(tmp_path / "own"))})
    read = sources(P10B.model_copy(update={"classifier": asked}), CG)
    recipes.take(read, recipes.prepared(read))
    recipes.schedule.change(8, 3)
    assert len(kept()) == 3
    assert kept().items() >= shipped.items()
    read = sources(P10B, CG)
    recipes.take(read, recipes.prepared(read))
    recipes.schedule.change(9, 4)
    assert recipes.forget(recipes.used([9]))
    assert kept() == shipped
    assert len(list((tmp_path / "weights").iterdir())) == 4


def test_plates_are_judged_by_a_recipe_from_its_first_plate_on_and_it_is_forgotten_after_the_last(
    recipes: Recipes,
) -> None:
    read = sources(MASKED, CG)
    recipes.take(read, recipes.prepared(read))
    recipes.schedule.change(8, 3)
    assert [recipes.recipe_of(plate) for plate in (7, 8)] == [P10B, MASKED]
    assert not recipes.forget(recipes.used([7]))
    assert recipes.forget(recipes.used([8]))
    assert recipes.numbers == (2, 3)


def test_a_reload_keeps_the_recipe_that_was_chosen_unless_the_file_names_another(recipes: Recipes) -> None:
    recipes.schedule.change(5, 2)
    for read, target in ((sources(P10B, CG, batch_id="7"), "02CG"), (sources(CG), "02CG")):
        assert recipes.target(read, recipes.prepared(read)).recipe.name == target
    read = sources(P10B, batch_id="7")
    assert recipes.target(read, recipes.prepared(read)).recipe.name == "P10B"


def test_what_needs_a_restart_is_named_key_by_key(recipes: Recipes) -> None:
    shape = plate_shape(Config(), [P10B, CG])
    assert recipes.restart_keys(sources(MASKED, CG, batch_id="7"), shape) == []
    longer = P10B.model_copy(update={"length": Length(nominal_rows=40_000), "switch": Switch(offset_rows=99)})
    found = recipes.restart_keys(sources(longer, slots=4, drain_s=1.0), shape)
    assert [one.split(":")[0] for one in found] == [
        "slots",
        "drain_s",
        "length, most_rows or columns of P10B",
        "switch of P10B",
    ]


def test_a_process_that_starts_anew_takes_the_weights_that_the_run_keeps_whatever_became_of_the_file(
    tmp_path: Path,
) -> None:
    own = tmp_path / "own.pt"
    shipped = weights_path(P10B)
    own.write_bytes(shipped.read_bytes())
    own.with_suffix(".json").write_bytes(shipped.with_suffix(".json").read_bytes())
    begun = sources(P10B.model_copy(update={"weights": str(own)}))
    recipes = Recipes(begun, run_facts("a" * 32, begun.config, begun.recipes[0]), tmp_path)
    own.write_bytes(b"half writ")
    kept = Path(recipes.active.told.recipe["weights"])
    assert kept.read_bytes() == shipped.read_bytes()
    assert kept.with_suffix(".json").read_bytes() == shipped.with_suffix(".json").read_bytes()
    kept.unlink()
    assert recipes.active.told.recipe["weights"] == str(own)
