"""Several recipes in one configuration: loaded together, and refused where they cannot serve one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.check import check, slot_size
from config.errors import ConfigError
from config.load import load_config, load_recipes
from config.schema import Config
from daemon.service.needs import service_needs
from daemon.service.plans import plate_shape, processes

SMALL: dict[str, Any] = {"name": "small", "length": {"nominal_rows": 1000}, "columns": {"last": 400}}
WIDE: dict[str, Any] = {"name": "wide", "length": {"nominal_rows": 400}, "columns": {"last": 900}}


def written(folder: Path, *recipes: dict[str, Any], **keys: Any) -> Path:
    for recipe in recipes:
        (folder / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    names = [f"{recipe['name']}.yaml" for recipe in recipes]
    config = {"recipe": names[0], "recipes": names[1:], "camera": {"source": "simulator"}, **keys}
    path = folder / "line.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def test_further_recipes_lie_beside_the_file_that_names_them_and_a_slot_takes_a_plate_of_each(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL, WIDE)
    config = load_config(path)
    recipes = load_recipes(config)
    assert [recipe.name for recipe in recipes] == ["small", "wide"]
    assert slot_size(recipes) == (1100, 900)
    shape = plate_shape(config, recipes)
    assert (shape.rows, shape.columns) == (1100, 900)
    report = check(path)
    assert report.faults == []
    assert "3 slots of 1100 x 900 px" in report.facts[-1]
    assert [fact.split()[1] for fact in report.facts if fact.startswith("recipe ")] == ["small", "wide"]


def test_memory_for_each_further_recipe_is_asked_for_in_every_worker(tmp_path: Path) -> None:
    recipes = load_recipes(load_config(written(tmp_path, SMALL, SMALL | {"name": "other"})))
    one, two = (sum(need.size for need in service_needs(Config(), chosen, 4)) for chosen in (recipes[:1], recipes))
    assert two - one == 4 * 50_000_000


def test_the_classifier_runs_where_one_of_the_recipes_asks_it(tmp_path: Path) -> None:
    asking = SMALL | {"name": "asking", "classifier": {"mode": "annotate"}}
    recipes = load_recipes(load_config(written(tmp_path, SMALL, asking)))
    assert "classify" not in processes(Config(), recipes[:1], gpu=False)
    assert processes(Config(), recipes, gpu=False)["classify"] == 1


@pytest.mark.parametrize(
    ("further", "source", "key"),
    [
        (WIDE | {"switch": {"offset_rows": 99}}, "wide.yaml", "switch.offset_rows"),
        (WIDE | {"switch": {"debounce_rows": 9}}, "wide.yaml", "switch.debounce_rows"),
        (WIDE | {"columns": {"last": 90_000}}, "wide.yaml", "columns.last"),
        ({"name": "any"}, "any.yaml", "columns"),
        (WIDE | {"lenght": 3}, "wide.yaml", "lenght"),
    ],
)
def test_a_further_recipe_that_cannot_serve_the_line_is_told_with_its_file(
    tmp_path: Path, further: dict[str, Any], source: str, key: str
) -> None:
    faults = check(written(tmp_path, SMALL, further)).faults
    assert any(source in fault and f" {key}: " in fault for fault in faults), faults


def test_two_recipes_of_one_name_are_refused_for_a_change_would_not_know_which_is_meant(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL, WIDE)
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"wide.yaml: recipes\[0\]: has the name small"):
        load_recipes(load_config(path))
