"""The page of the study: what was run, what was not, and where the figures contradict the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daemon.lab.orders import RunStudy
from daemon.lab.study.cells import cells
from daemon.lab.study.experiments import EXPERIMENTS
from daemon.lab.study.run import Store, study_command
from daemon.lab.study.tables import write

Record = dict[str, Any]


def _record(name: str, *, recall: float = 0.9, precision: float = 0.8, seed: int = 0, **more: object) -> Record:
    experiment, variant = name.split("/")
    return {
        "experiment": experiment,
        "variant": variant,
        "seed": seed,
        "scale": "small",
        "date": "2026-01-02 03:04 UTC",
        "command": "linesentry study",
        "machine": "a machine, 2 cores",
        "weights_sha256": "abcdef0123456789abcdef",
        "images": 12,
        "mpx": 296.3,
        "cracks": 240,
        "hidden": 0,
        "true": 216,
        "missed": 24,
        "false": 54,
        "fragments": 5,
        "recall": recall,
        "precision": precision,
        "f1": 2 * recall * precision / (recall + precision),
        "level": [2.5, 0.1],
        "fpb": 4.5,
        "mdb": 2.0,
        "intervals": {"recall": [recall - 0.02, recall + 0.02]},
        **more,
    }


def _trained(name: str, *, minutes: float = 4.0, **more: Any) -> Record:
    return _record(
        name,
        minutes=minutes,
        training_seconds=60 * minutes,
        steps=1234,
        crops=600,
        crop_px=384,
        **(more | {"weights_sha256": None}),
    )


def _page(tmp_path: Path, *records: Record, scale: str = "small") -> str:
    keys = [f"{scale}/{one['experiment']}/{one['variant']}/{one['seed']}" for one in records]
    pages = write(dict(zip(keys, records, strict=True)), tmp_path / "study.json")
    return pages[0].read_text()


def _section(page: str, title: str) -> str:
    return page.split(f"### {title}", 1)[1].split("\n### ", 1)[0]


def test_without_figures_every_row_says_not_run(tmp_path: Path) -> None:
    page = _page(tmp_path)
    for experiment in EXPERIMENTS:
        section = _section(page, experiment.title)
        rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
        assert len(rows) == len(experiment.rows)
        assert all("| not run |" in row for row in rows)
        assert all("Here: not run" in line for line in section.splitlines() if line.startswith("- The paper"))
    for title in ("Figure 15", "Figure 16"):
        assert "not run" in _section(page, title)


def test_every_row_of_every_table_has_a_cell_that_can_run() -> None:
    known = {cell.name for cell in cells()}
    rows = [row for experiment in EXPERIMENTS for row in experiment.rows]
    assert {row.cell for row in rows} <= known
    asked = {cell for experiment in EXPERIMENTS for finding in experiment.findings for cell in finding.needs}
    assert asked <= known
    assert known - {row.cell for row in rows} == {"figures/distributions", "figures/fractions"}


def test_a_row_shows_its_figures_and_the_table_says_where_they_come_from(tmp_path: Path) -> None:
    page = _page(tmp_path, _record("table1/bare", recall=0.971), _trained("table2/ours", seed=1))
    first = _section(page, "Table 1")
    assert "| 0.971 (0.951-0.991) | 0.800 |" in first
    assert "| 216 / 54 / 24 | 5 | 2.5, 0.1 |" in first
    assert "12 (296 Mpx, 240 cracks) | 2026-01-02 03:04 |" in first
    assert "Scale small. `linesentry study`. a machine, 2 cores. weights sha256 abcdef0123456789." in first
    second = _section(page, "Table 2")
    assert "| 1 | 0.900" in second
    assert "| 4.0 min | 1,234 |" in second
    assert "training crops: 600 of 384 px" in second
    assert "NanoDet-Plus R 46.75 %" in second


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (0.5, "Here too: "),
        (0.89, "Here the difference is too small to tell from chance: "),
        (0.95, "**Here it is otherwise**: "),
    ],
)
def test_the_page_says_where_our_figures_contradict_the_paper(tmp_path: Path, other: float, said: str) -> None:
    page = _page(tmp_path, _trained("table2/ours"), _trained("table3/aspp", recall=other))
    line = next(one for one in page.splitlines() if one.startswith("- The paper: ASPP misses more"))
    assert said in line
    assert ("Why: " in line) == (other > 0.9)
    assert ("R 0.010 lower (-0.030 to 0.050)" in line) == (other == 0.89)


def test_what_holds_of_two_things_that_the_paper_says_is_told_beside_what_does_not(tmp_path: Path) -> None:
    page = _page(tmp_path, _record("table1/bare"), _record("table5/noise", recall=0.8))
    line = next(one for one in page.splitlines() if one.startswith("- The paper: noise lowers both"))
    assert "too small to tell" in line
    assert "; R 0.100 lower (0.060 to 0.140), as the paper says; P equal." in line


def _top(page: str) -> list[str]:
    """The points before the first paragraph."""
    return page.split("\n\n", 2)[1].splitlines()


def test_ten_lines_at_the_top_say_what_is_confirmed_what_is_not_and_why(tmp_path: Path) -> None:
    records = [_trained("table2/ours"), _trained("table3/aspp", recall=0.5), _trained("table3/rfb", precision=0.95)]
    top = _top(_page(tmp_path, *records))
    assert len(top) == 10
    assert "1 are confirmed, 1 are not, and 0 are too close to tell" in top[0]
    (line,) = (one for one in top if "Table 3" in one)
    assert "Confirmed: ASPP misses more. Not confirmed: RFB finds more that is false. Why: " in line
    assert "Not measured yet: DRConv overfits." in line


def test_the_top_speaks_of_the_scale_that_answers_most(tmp_path: Path) -> None:
    records = {
        "small/table2/ours/0": _trained("table2/ours"),
        "small/table3/aspp/0": _trained("table3/aspp"),
        "full/table2/ours/0": _trained("table2/ours"),
    }
    page = write(records, tmp_path / "study.json")[0]
    assert "scale small" in _top(page.read_text())[0]
    records["full/table3/aspp/0"] = _trained("table3/aspp")
    write(records, tmp_path / "study.json")
    assert "scale full" in _top(page.read_text())[0]


def test_no_sentence_of_the_top_is_longer_than_thirty_words(tmp_path: Path) -> None:
    cells = dict.fromkeys(row.cell for experiment in EXPERIMENTS for row in experiment.rows)
    # The first ones find the most, so nearly all is judged, one way or the other.
    records = [_trained(cell, recall=0.9 - 0.02 * place) for place, cell in enumerate(cells)]
    for page in (_page(tmp_path), _page(tmp_path, *records)):
        for line in _top(page):
            assert [one for one in line.replace(": ", ". ").split(". ") if len(one.split()) > 30] == []


def test_unequal_time_and_different_weights_are_warned_of(tmp_path: Path) -> None:
    even = _page(tmp_path, _trained("table2/ours"), _trained("table2/anchor_free"))
    assert "must not be compared" not in even
    uneven = _page(tmp_path, _trained("table2/ours"), _trained("table2/anchor_free", minutes=8.0))
    assert "must not be compared" in _section(uneven, "Table 2")
    mixed = _page(tmp_path, _record("table1/bare"), _record("table5/oil", weights_sha256="0123"))
    assert "Figures of different weights" in _section(mixed, "Table 5")


def test_the_page_names_what_was_weighed_on_the_products_that_it_measures(tmp_path: Path) -> None:
    beginning = _page(tmp_path).split("\n## ", 1)[0]
    assert "no network was trained on" in beginning
    assert "flattering" in beginning
    for setting in ("`spread`", "0011", "0012", "0021"):
        assert setting in beginning


def test_each_scale_has_a_part_of_its_own(tmp_path: Path) -> None:
    page = _page(tmp_path, _record("table1/bare"), scale="full")
    assert "## Scale full" in page
    assert "## Scale small" not in page


def _distributions() -> Record:
    kind = {"windows": 3, "counts": [5, 80, 15], "mu_3sigma": 1.5, "top_fraction": 2.0, "beyond_floor": 0.001}
    kinds = {
        "with a crack": {**kind, "upper_share": 0.4, "crack_share": 0.01},
        "without a crack": {**kind, "upper_share": 0.5, "crack_share": 0.0},
    }
    return _record("figures/distributions", edges=[-3.0, 0.0, 3.0, 6.0], floor=2.5, kinds=kinds)


def test_the_picture_is_drawn_from_the_figures_and_the_same_each_time(tmp_path: Path) -> None:
    page = _page(tmp_path, _distributions())
    picture = tmp_path / "study_distributions.svg"
    first = picture.read_bytes()
    assert b"windows without a crack" in first
    assert "![Distribution of feature values](study_distributions.svg)" in page
    assert "**Here it is otherwise**: the fitted upper component holds 40.0 % of the pixels" in page
    assert "where cracks cover 1.00 %, and 50.0 % of those without. Why: " in page
    _page(tmp_path, _distributions())
    assert picture.read_bytes() == first


def test_the_sensitivity_stands_beside_the_published_one(tmp_path: Path) -> None:
    shares = {
        name: _record("figures/fractions", recall=recall, precision=precision, false=false)
        for name, recall, precision, false in (
            ("0.001", 0.3, 0.9, 1),
            ("0.003", 0.8, 0.8, 9),
            ("0.005", 0.9, 0.7, 20),
            ("0.01", 1.0, 0.5, 60),
        )
    }
    record = _record("figures/fractions", sheets=shares, cracked_windows=shares)
    section = _section(_page(tmp_path, record), "Figure 16")
    assert "| 0.3 % | 216 / 9 / 24 | 0.800 | 0.800 | 216 / 9 / 24 | 0.800 | 0.800 | 11 / 3 / 2 |" in section
    assert section.count("Here too") == 2


def test_render_writes_the_page_beside_the_file_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "study.json"
    Store(path).add("small/table1/bare/0", _record("table1/bare"))
    study_command(RunStudy(file=path, render=True))
    assert capsys.readouterr().out.split() == [str(tmp_path / "study.md")]
    assert "| bare detector: adaptive from the learnt floor |  | 0.900" in (tmp_path / "study.md").read_text()
