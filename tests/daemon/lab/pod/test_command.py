"""`linesentry pod`, by the real networks on small sheets: what it writes, what it finds, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from daemon.cli.app import app
from models.measure.matching import meeting
from simulator.sheets.products import PRODUCTS
from simulator.sheets.sheet import render
from simulator.sheets.write import mask_path

PRODUCT = replace(PRODUCTS["02CG"], rows=1250, columns=1250)
OVERLOOKED = ((300, 600), (420, 680))
"""A crack, from x, y to x, y, on a sheet that is called good."""
RECIPE = """
name: small
pitch: {row_mm: 0.05204, column_mm: 0.04163}
columns: {first: 0, last: 1250}
length: {nominal_rows: 19000}
"""


def pod(*words: object) -> Result:
    return CliRunner().invoke(app, ["pod", *(str(word) for word in words)])


def sheet(path: Path, seed: int, density: int) -> None:
    made = render(PRODUCT, seed, density)
    cv2.imwrite(str(path), made.image)
    if density:
        cv2.imwrite(str(mask_path(path)), made.truth.mask())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pod")
    (made / "recipe.yaml").write_text(RECIPE)
    for name in ("good", "real"):
        (made / name).mkdir()
    for seed in range(3):
        sheet(made / "good" / f"sheet{seed}.png", 400 + seed, 0)
    overlooked = cv2.imread(str(made / "good" / "sheet0.png"), cv2.IMREAD_GRAYSCALE)
    assert overlooked is not None
    cv2.line(overlooked, *OVERLOOKED, 235, 9, cv2.LINE_AA)
    cv2.imwrite(str(made / "good" / "sheet0.png"), overlooked)
    sheet(made / "good" / "cracked.png", 410, 4)
    (made / "good" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cv2.imwrite(str(made / "good" / "narrow.png"), np.full((1250, 700), 120, np.uint8))
    sheet(made / "real" / "one.png", 420, 12)
    return made


@pytest.fixture(scope="module")
def measured(folder: Path) -> tuple[Result, dict[str, Any], str]:
    out = folder / "deep" / "out"
    given = ("--recipe", folder / "recipe.yaml", "--data", folder / "good", "--real", folder / "real")
    answer = pod(*given, "--out", out, "--cracks", 60, "--seed", 3, "--json")
    assert answer.exit_code == 0, answer.output
    return answer, json.loads((out / "pod.json").read_text()), (out / "pod.html").read_text()


Measured = tuple[Result, dict[str, Any], str]


def test_the_json_on_stdout_is_that_of_the_file_and_nothing_else_is_left(folder: Path, measured: Measured) -> None:
    answer, result, _ = measured
    assert json.loads(answer.stdout) == result
    assert sorted(one.name for one in (folder / "deep" / "out").iterdir()) == ["pod.html", "pod.json"]


def test_every_crack_is_painted_once_and_the_strong_ones_are_hit(measured: Measured) -> None:
    _, result, _ = measured
    for name, form in result["forms"].items():
        own = [one for one in result["cracks"] if one["form"] == name]
        assert len(own) == form["painted"] == 60 + 20 - form["without_room"]
        assert form["hit"] == sum(one["hit"] for one in own)
        strong = sorted(own, key=lambda one: one["contrast"])
        assert sum(one["hit"] for one in strong[-15:]) > sum(one["hit"] for one in strong[:15])


def test_each_curve_has_values_in_its_painted_range_or_says_why_not(measured: Measured) -> None:
    _, result, _ = measured
    for form in result["forms"].values():
        for which in ("curves", "at_fixed_others"):
            for factor, curve in form[which].items():
                span = result["ranges"][factor]
                told = [curve[name] for name in ("a50", "a90", "a90_95") if curve[name] is not None]
                assert told == sorted(told)
                assert all(span["low"] <= value <= span["high"] for value in told)
                if curve["why"] is None:
                    assert all(curve[name] is not None or name in curve["beyond"] for name in ("a50", "a90", "a90_95"))
                else:
                    assert told == []
                    assert curve["words"]


def test_false_calls_are_those_of_the_sheets_without_paint_with_their_bounds(measured: Measured) -> None:
    _, result, _ = measured
    calls = result["false_calls"]
    assert calls["sheets"] == 3
    assert calls["lower"] <= calls["a_sheet"] <= calls["upper"]
    assert calls["count"] == sum(len(one["found"]) for one in calls["by_sheet"])


def test_what_was_there_before_the_paint_is_a_false_call_and_never_a_hit(measured: Measured) -> None:
    _, result, html = measured
    (found,) = [one["found"] for one in result["false_calls"]["by_sheet"] if one["name"] == "sheet0.png"]
    (x, y), (right, bottom) = OVERLOOKED
    assert any(meeting([tuple(one["box"])], [(x, y, right - x, bottom - y)]).any() for one in found)
    painted = [tuple(one["box"]) for one in result["cracks"] if one["sheet"] == "sheet0.png"]
    assert painted
    assert not meeting([tuple(one["box"]) for one in found], painted).any()
    assert "a crack that was overlooked" in html


def test_what_is_no_good_sheet_is_left_out_with_the_reason(measured: Measured) -> None:
    answer, result, html = measured
    why = {one["name"]: one["why"] for one in result["left_out"]}
    assert set(why) == {"cracked.png", "torn.png", "narrow.png"}
    assert "its mask marks defects" in why["cracked.png"]
    assert "700 px wide; a plate of recipe small is 1,250 px wide" in why["narrow.png"]
    for name in why:
        assert f"{name} is left out" in answer.stderr
        assert name in html


def test_real_cracks_stand_beside_what_the_paint_promises_of_them(measured: Measured) -> None:
    _, result, _ = measured
    real = result["real"]
    assert 0 <= real["hit"] <= real["cracks"] == len(real["each"]) > 0
    assert set(real["promised"]) == set(result["forms"])
    for one in real["promised"].values():
        if one["hits"] is None:
            assert one["words"]
        else:
            assert one["lower"] <= one["hits"] <= one["upper"] <= real["cracks"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name == "src" and tag == "img"]


def test_the_page_says_that_painting_is_not_proof_and_needs_no_other_file(measured: Measured) -> None:
    _, _, html = measured
    parsed = _Page()
    parsed.feed(html)
    assert "Painting is not proof." in html
    assert len(parsed.sources) >= 3
    assert all(source.startswith("data:image/") for source in parsed.sources)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--recipe", "nowhere"), "no such recipe"),
        (("--recipe", "general", "--data", "nowhere"), "is no folder"),
        (("--recipe", "general", "--data", "empty"), "holds no image"),
        (("--recipe", "P10B", "--data", "good"), "none of 6 images is a good sheet of the recipe"),
        (("--recipe", "general", "--data", "good", "--real", "empty"), "--real: empty holds neither"),
        (("--recipe", "general", "--out", "recipe.yaml"), "cannot be written: recipe.yaml is no folder"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_inspected(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir(exist_ok=True)
    answer = pod(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("linesentry pod: ")
    assert message in answer.stderr
    assert not (folder / "pod").exists()


def test_after_ctrl_c_nothing_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("daemon.lab.chain.load_detectors", interrupted)
    answer = pod("--recipe", "general", "--data", folder / "good", "--out", folder / "never")
    assert answer.exit_code == 130
    assert "interrupted; nothing was written" in answer.stderr
    assert not (folder / "never").exists()
