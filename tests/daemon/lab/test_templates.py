"""The command `linesentry templates`: its table, its JSON, its picture, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from config.schema import DEFAULT_TEMPLATES, Template
from daemon.cli.app import app
from daemon.lab.template_facts import template_facts
from daemon.lab.template_plot import plot_templates
from daemon.lab.templates import own_scales

OWN = ["--widest", "21", "--least", "7", "--height", "38", "--step", "18"]


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["templates", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_table_shows_every_template_of_the_recipe_within_80_columns() -> None:
    code, table, _ = run("--recipe", "02CG")
    assert code == 0
    assert "recipe 02CG" in table
    for text in ("0.7255", "-0.2565", "-27.8560", "12.171", "16 to 21", "0.7266", "9 to 15", "0.7898", "7 to 8"):
        assert text in table
    assert max(map(len, table.splitlines())) <= 80


def test_json_has_the_closed_form_and_the_widths() -> None:
    code, text, _ = run("--json")
    wide, middle, narrow = json.loads(text)
    assert code == 0
    assert (wide["k1"], wide["k2"], wide["k3"]) == pytest.approx((-0.256545, 6.244581, -27.856033), abs=1e-6)
    assert (middle["first"], middle["last"], middle["s"]) == pytest.approx((9, 15, 0.763763), abs=1e-6)
    assert wide["ratio"] == pytest.approx(0.72655, abs=1e-4)
    assert narrow["ratio"] is None


def test_printed_widths_are_named() -> None:
    _, text, _ = run("--json", "--printed")
    assert [(one["first"], one["last"]) for one in json.loads(text)] == [(18, 24), (10, 17), (7, 9)]


def test_scale_set_of_ones_own_halves_the_widest_line() -> None:
    _, text, _ = run(*OWN, "--json")
    assert [one["width"] for one in json.loads(text)] == [21, 11, 7]
    _, text, _ = run(*OWN, "--json", "--strict")
    assert [(one["width"], one["first"], one["last"]) for one in json.loads(text)] == [(21, 15, 21), (10.5, 7, 14)]


def test_template_for_which_no_width_is_left_says_so() -> None:
    facts = template_facts(DEFAULT_TEMPLATES, least=10)
    assert (facts[-1].first, facts[-1].last) == (10, 9)
    # A recipe's templates may lie nearer to each other than a pixel.
    close = (Template(width=9.4, height=20, step=5), Template(width=9.1, height=20, step=5))
    assert [(one.first, one.last) for one in template_facts(close)] == [(10, 10), (10, 9)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--widest", "21"], "missing: --least, --height, --step"),
        (["--strict"], "--strict"),
        ([*OWN[:6], "--step", "38"], "step 38, height 38"),
        (["--widest", "1e300", *OWN[2:]], "1000 px"),
        (["--widest", "nan", *OWN[2:]], "--widest"),
        (["--widest", "6", *OWN[2:]], "least 7, widest 6"),
        ([*OWN, "--recipe", "P10B"], "not both"),
        ([*OWN, "--printed", "--strict"], "found 21, 10.5"),
        (["--recipe", "nobody"], "no such recipe"),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--plot", "templates.jpg"], "templates.jpg"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], told: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1


def test_plot_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    code, _, err = run("--plot", str(tmp_path / "none" / "a.png"))
    assert code == 1
    assert "cannot be written" in err


@pytest.mark.parametrize("own", [None, (40.0, 5.0, 30.0, 4.0)])
def test_picture_shows_profiles_decay_and_coverage(
    tmp_path: Path, own: tuple[float, float, float, float] | None
) -> None:
    scales = DEFAULT_TEMPLATES if own is None else own_scales(*own)
    assert scales is not None
    plot_templates(scales, template_facts(scales), tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture is not None
    rows, columns = picture.shape[:2]
    for part in (
        picture[:, : columns // 2],
        picture[: rows // 2, columns // 2 :],
        picture[rows // 2 :, columns // 2 :],
    ):
        # Colours are drawn there, so it is more than axes and text.
        assert int((np.ptp(part.astype(int), axis=2) > 60).sum()) > 500


def test_one_template_alone_is_drawn_too(tmp_path: Path) -> None:
    assert (
        run("--widest", "7", "--least", "7", "--height", "8", "--step", "3", "--plot", str(tmp_path / "a.svg"))[0] == 0
    )
    assert "nothing to compare" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_suffix_is_the_format(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"a.{suffix}"
    assert run("--plot", str(path))[0] == 0
    assert path.read_bytes().startswith(start)
