"""The study: cells run, what is done is skipped, what fails costs itself alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from config.load import load_recipe
from config.schema import Recipe, Windows
from daemon.cli.app import app
from daemon.lab.orders import RunStudy
from daemon.lab.study.cells import Cell, cells
from daemon.lab.study.measure import Record, Setting
from daemon.lab.study.methods import PixelMethod, Rule, shipped, shipped_learnt
from daemon.lab.study.product import judged
from daemon.lab.study.published import published_form
from daemon.lab.study.run import DEFAULT_MINUTES, Job, Store, StudyError, jobs, run, study_command, why_missing
from daemon.lab.study.sheets import Plate, Scale, unseen_plates
from daemon.lab.study.tables import write
from daemon.offline.inspect import inspect_image
from daemon.offline.networks import load_classifier
from models.detector.detector import Detector
from models.images import open_image
from models.measure.assessment import TruthBox
from models.training.detector.crops import LabelledCrop
from simulator.sheets.interference import Kind
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from stages.plate import windows_of
from stages.verdict import standing


@lru_cache(maxsize=8)
def _plate(kinds: tuple[Kind, ...], seed: int) -> Plate:
    sheet = render(Product("02CG", 800, 1000), seed, 4, interference=kinds)
    truth = tuple(
        TruthBox((one.x, one.y, one.width, one.height), pixels=one.pixels, visible=one.visible)
        for one in sheet.truth.cracks
    )
    return Plate("02CG", seed, sheet.image, truth)


def _plates(scale: Scale, kinds: Sequence[Kind]) -> Iterator[Plate]:
    del scale
    yield _plate(tuple(kinds), 1)
    yield _plate(tuple(kinds), 2)


def _tuning() -> Iterator[Plate]:
    yield _plate((), 3)


def _crops(scale: Scale, seed: int) -> list[LabelledCrop]:
    del scale, seed
    crops = []
    plate = _plate((), 4)
    for one in plate.truth:
        x, y = min(one.box[0], 872), min(one.box[1], 672)
        image = plate.image[y : y + 128, x : x + 128]
        mask = image > 255
        assert one.pixels is not None
        part = one.pixels[: 128 - (one.box[1] - y), : 128 - (one.box[0] - x)]
        mask[one.box[1] - y :, one.box[0] - x :][: part.shape[0], : part.shape[1]] = part
        crops.append((image, mask, mask & False))
    return crops


_SETTING = Setting(steps=2, plates=_plates, tuning=_tuning, crops=_crops)


_PUBLISHED = "table1/full_*"
"""Cells that share one training: a test of their own runs them."""


@pytest.mark.parametrize(
    "cell", [one for one in cells() if not fnmatch(one.name, _PUBLISHED)], ids=lambda cell: cell.name
)
def test_every_cell_runs_and_gives_figures_that_can_be_kept(cell: Cell) -> None:
    found = json.loads(json.dumps(cell.do(_SETTING, 0)))
    if cell.experiment == "figures":
        assert set(found) & {"kinds", "sheets"}
        return
    assert found["images"] == 2
    assert found["true"] + found["missed"] == found["cracks"] > 0
    assert set(found["tp_fp_fn_by_image"]) == {"02CG-1", "02CG-2"}
    assert ("steps" in found) == (cell.needs == "training")


def test_as_shipped_is_what_the_product_finds_with_its_own_recipe_and_classifier(tmp_path: Path) -> None:
    recipe = load_recipe("02CG")
    assert recipe.columns is not None
    sheet = render(Product("02CG", 700, recipe.columns.count), 5, 4)
    cv2.imwrite(str(tmp_path / "plate.png"), sheet.image)
    with open_image(tmp_path / "plate.png") as source:
        detectors = [Detector.load(recipe, "cpu")]
        product = inspect_image(source, recipe, detectors, classifier=load_classifier(recipe, "cpu"))
    (found,) = (scored.found for scored in judged([Plate("02CG", 5, sheet.image, ())]))
    kept = [one for one in product.defects if not one.vetoed]
    assert [one.box for one in found] == [(one.x, one.y, one.width, one.height) for one in kept]
    assert [one.score for one in found] == pytest.approx([standing(one, recipe) for one in kept])
    assert any(one.probability is not None for one in kept)


def test_the_bare_detector_is_what_is_found_with_a_recipe_of_defaults_and_no_classifier(tmp_path: Path) -> None:
    plate = _plate((), 1)
    recipe = Recipe(name="study")
    assert recipe.classifier.mode == "off"
    method = PixelMethod(shipped(), shipped_learnt(), Rule())
    found = method.find(method.prepare(plate.image), ())
    cv2.imwrite(str(tmp_path / "plate.png"), plate.image)
    with open_image(tmp_path / "plate.png") as source:
        product = inspect_image(source, recipe, [Detector.load(recipe, "cpu")])
    assert [one.box for one in found] == [(one.x, one.y, one.width, one.height) for one in product.defects]
    assert [one.score for one in found] == pytest.approx([one.score for one in product.defects])
    assert found


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.0])
def test_patches_join_what_lies_on_both_sides_of_a_window_s_seam(angle: float) -> None:
    sheet = np.full((300, 600), -10, np.float32)  # one value for 2 x 2 px
    for x in range(270, 350):
        y = 60 + round(angle * (x - 270))
        sheet[y : y + 3, x] = 9.0
    left, right = sheet[:, :325].copy(), sheet[:, 300:].copy()
    # As the detector leaves borders beyond which the sheet goes on to the neighbour.
    left[:, -10:] = right[:, :10] = np.nan
    first, second, *_ = windows_of(600, 1200, Windows())
    method = PixelMethod(shipped(), shipped_learnt(), Rule(patch_stride=32))
    found = method.find(((600, 1200), [(first, left), (second, right)]), ())
    assert [(one.box[0], one.box[2]) for one in found] == [(540, 160)]


# --- running and resuming --------------------------------------------------------------------------------------------


def _cell(variant: str, ran: list[str], needs: str = "nothing") -> Cell:
    def do(setting: Setting, seed: int) -> Record:
        ran.append(f"{variant}/{seed}")
        if variant == "broken":
            raise RuntimeError("no such luck")
        return {"minutes": setting.minutes} if needs == "training" else {}

    return Cell("try", variant, needs, do)  # type: ignore[arg-type]


def _run(path: Path, of: Sequence[Cell], *, minutes: float | None = None, seeds: int = 1) -> tuple[int, list[str]]:
    setting = replace(_SETTING, minutes=minutes or DEFAULT_MINUTES)
    return run(Store(path), only=None, setting=setting, minutes=minutes, seeds=seeds, of=of)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    ran: list[str] = []
    of = [_cell("one", ran), _cell("two", ran, "training")]
    path = tmp_path / "docs" / "study.json"
    assert _run(path, of[:1]) == (1, [])
    assert _run(path, of, seeds=2) == (2, [])
    assert _run(path, of, seeds=2) == (0, [])
    assert ran == ["one/0", "two/0", "two/1"]
    assert sorted(Store(path).read()) == ["small/try/one/0", "small/try/two/0", "small/try/two/1"]
    assert [part.name for part in path.parent.iterdir()] == ["study.json"]


def test_a_cell_that_fails_costs_itself_alone_and_is_tried_again(tmp_path: Path) -> None:
    ran: list[str] = []
    of = [_cell("broken", ran), _cell("one", ran)]
    path = tmp_path / "study.json"
    assert _run(path, of) == (1, ["try/broken/0: RuntimeError: no such luck"])
    assert list(Store(path).read()) == ["small/try/one/0"]
    _run(path, of)
    assert ran == ["broken/0", "one/0", "broken/0"]


def test_another_training_time_asked_for_by_name_trains_again(tmp_path: Path) -> None:
    ran: list[str] = []
    of = [_cell("two", ran, "training")]
    path = tmp_path / "study.json"
    for minutes in (2.0, None, 2.0, 3.0):
        _run(path, of, minutes=minutes)
    assert ran == ["two/0", "two/0"]
    assert Store(path).read()["small/try/two/0"]["minutes"] == 3.0


def test_it_says_how_long_the_rest_takes(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    Store(path).add("small/try/done/0", {"cpu_seconds": 505.0, "training_seconds": 480.0})
    Store(path).add("small/try/old/0", {"cpu_seconds": 20.0})
    told: list[tuple[str, float]] = []
    run(
        Store(path),
        only="try/t*",
        setting=replace(_SETTING, minutes=2.0),
        minutes=2.0,
        seeds=1,
        of=[_cell("two", [], "training"), _cell("three", [])],
        on_cell=lambda place, of, job, left: told.append((f"{place + 1}/{of} {job.variant}", left)),
    )
    assert told == [("1/2 two", 165.0), ("2/2 three", 20.0)]


def test_the_published_form_is_trained_once_for_all_its_cells(tmp_path: Path) -> None:
    said: list[str] = []
    setting = replace(_SETTING, kept=tmp_path / "kept", on_progress=lambda what, _: said.append(what))
    network, facts = published_form(setting, 0)
    (path,) = (tmp_path / "kept").iterdir()
    assert said[-1] == f"weights kept in {path}"
    again, kept = published_form(setting, 0)
    assert said[-1] == f"weights of an earlier cell: {path}"
    assert kept == {**facts, "weights_kept": path.name}
    assert all(torch.equal(own, again.state_dict()[name]) for name, own in network.state_dict().items())


def test_a_dry_run_fills_the_rows_of_the_published_form_with_one_training(tmp_path: Path) -> None:
    store, setting = Store(tmp_path / "study.json"), replace(_SETTING, kept=tmp_path / "study-weights")
    asked = {"only": _PUBLISHED, "setting": setting, "minutes": None, "seeds": 1}
    assert run(store, **asked) == (3, [])  # type: ignore[arg-type]
    records = store.read()
    assert sum("weights_kept" not in one for one in records.values()) == 1
    assert len({one["loss"] for one in records.values()}) == 1
    assert all(one["images"] == 2 and one["true"] + one["missed"] == one["cracks"] > 0 for one in records.values())
    page = write(records, store.path)[0].read_text()
    rows = [line for line in page.splitlines() if line.startswith("| full resolution, trained as published")]
    assert len(rows) == 3
    assert not any("not run" in row for row in rows)
    assert run(store, **asked) == (0, [])  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["steps", "crops", "damaged"])
def test_weights_of_another_training_are_not_taken_for_the_published_form(tmp_path: Path, other: str) -> None:
    setting = replace(_SETTING, kept=tmp_path, steps=1)
    published_form(setting, 0)
    (path,) = tmp_path.iterdir()
    if other == "damaged":
        path.write_bytes(path.read_bytes()[:1000])
    elif other == "steps":
        setting = replace(setting, steps=2)
    else:
        setting = replace(setting, crops=lambda scale, seed: _crops(scale, seed)[1:])
    _, facts = published_form(setting, 0)
    assert "weights_kept" not in facts
    assert "weights_kept" in published_form(setting, 0)[1]


def test_figures_of_other_weights_are_out_of_date() -> None:
    job = Job("table1", "bare", 0, "small", "weights")
    ships = {"weights_sha256": "a", "classifier_sha256": "b", "recipes_sha256": "c"}
    assert why_missing(job, None, ships, None) == "not run"
    assert why_missing(job, {"weights_sha256": "b"}, ships, None) == "other weights"
    assert why_missing(job, {"weights_sha256": "a"}, ships, 9.0) is None


@pytest.mark.parametrize("part", ["weights", "classifier", "recipes"])
def test_the_product_s_figures_are_out_of_date_when_any_part_of_it_is_another(part: str) -> None:
    job = Job("table1", "as_shipped", 0, "small", "product")
    ships = {"weights_sha256": "a", "classifier_sha256": "b", "recipes_sha256": "c"}
    assert why_missing(job, ships, ships, None) is None
    assert why_missing(job, {**ships, f"{part}_sha256": "z"}, ships, None) == f"other {part}"


def test_a_record_keeps_the_hashes_of_what_its_figures_depend_on(tmp_path: Path) -> None:
    kept = {}
    for needs in ("nothing", "weights", "product"):
        _run(tmp_path / "study.json", [_cell(needs, [], needs)])
        record = Store(tmp_path / "study.json").read()[f"small/try/{needs}/0"]
        kept[needs] = {name for name, value in record.items() if name.endswith("_sha256") and value}
    assert kept["nothing"] == set()
    assert kept["weights"] == {"weights_sha256"}
    assert kept["product"] == {"weights_sha256", "classifier_sha256", "recipes_sha256"}


def test_only_takes_an_experiment_a_cell_or_a_pattern() -> None:
    every = cells()

    def names(only: str) -> list[str]:
        return [job.name for job in jobs(every, "small", 2, only)]

    assert names("table5") == ["table5/oil/0", "table5/noise/0", "table5/light/0"]
    assert names("table2/ours") == ["table2/ours/0", "table2/ours/1"]
    assert names("table4/patches_*") == ["table4/patches_32/0", "table4/patches_64/0", "table4/patches_128/0"]
    with pytest.raises(StudyError, match="fits no cell; there are table1/bare"):
        names("table9")


def test_two_runs_into_one_file_keep_each_others_figures(tmp_path: Path) -> None:
    one, other = Store(tmp_path / "study.json"), Store(tmp_path / "study.json")
    one.add("small/a/b/0", {"seed": 0})
    other.add("small/a/c/0", {"seed": 0})
    one.add("small/a/b/0", {"seed": 1})
    assert one.read() == {"small/a/b/0": {"seed": 1}, "small/a/c/0": {"seed": 0}}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": 3}', "\x00"])
def test_a_file_that_is_no_study_is_not_overwritten(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.json"
    path.write_text(text)
    with pytest.raises(SystemExit) as stop:
        study_command(RunStudy(file=path, only="table1"))
    assert stop.value.code == 2
    assert "move it away" in capsys.readouterr().err
    assert path.read_text() == text


def test_list_says_what_is_missing_and_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "study.json"
    study_command(RunStudy(file=path, only="classical", list=True))
    assert capsys.readouterr().out.splitlines()[0] == "classical/gaussian/0\tnot run"
    assert not path.exists()


def test_the_sheets_are_of_products_that_nothing_is_trained_on() -> None:
    plate = next(iter(unseen_plates("small", ())))
    assert (plate.product, plate.seed, plate.image.shape) == ("02CG", 9201, (3300, 6006))
    assert len(plate.truth) == 20


def test_the_command_refuses_a_pattern_that_fits_nothing_in_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["study", "--only", "table9", "--file", str(tmp_path / "study.json")])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "fits no cell" in result.stderr


@pytest.mark.parametrize(("minutes", "status"), [("60", 0), ("60.1", 2), ("inf", 2), ("nan", 2)])
def test_a_cell_trains_an_hour_at_most(tmp_path: Path, minutes: str, status: int) -> None:
    asked = ["study", "--list", "--minutes-a-cell", minutes, "--file", str(tmp_path / "study.json")]
    assert CliRunner().invoke(app, asked).exit_code == status


def test_the_command_lists_each_training(tmp_path: Path) -> None:
    asked = ["study", "--list", "--only", "table3/aspp", "--seeds", "3", "--file", str(tmp_path / "study.json")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0
    assert [line.split("\t") for line in result.stdout.splitlines()] == [
        [f"table3/aspp/{seed}", "not run"] for seed in range(3)
    ]
