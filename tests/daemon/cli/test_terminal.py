"""What a person at a terminal sees of a run."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from config.load import load_recipe
from daemon.cli.terminal import TerminalView
from daemon.store.pictures import plate_directory
from daemon.wire.messages import Decided
from stages.plate import Cause, Defect, PlateResult, Verdict

RESULT = PlateResult(
    run="a" * 32,
    plate=12,
    verdict=Verdict.INCONCLUSIVE,
    causes=(Cause.FOCUS,),
    reason="focus 0.020 in 3 of 33 bands, least is 0.080",
    complete=True,
    rows=19_214,
    columns=9_777,
    windows=561,
    windows_scored=561,
    coverage=0.998,
)


@pytest.fixture
def supervisor(tmp_path: Path) -> Any:
    """What the view asks of a supervisor."""
    children = SimpleNamespace(down=list, note=lambda _role: "line ready", plates=dict)
    return SimpleNamespace(
        recipe=load_recipe("P10B"),
        workers=2,
        state=SimpleNamespace(path=tmp_path),
        run_id=RESULT.run,
        first_plate=12,
        sockets=tmp_path,
        memory=SimpleNamespace(all_facts=list),
        children=children,
    )


def seen_at_80_columns(supervisor: Any, result: PlateResult, seconds: float) -> str:
    """All that a terminal shows of a plate that took so long, and of the summary."""
    out = io.StringIO()
    view = TerminalView(Console(width=80, file=out, force_terminal=True, color_system=None))
    with view:
        view.seen(12)
        view._plates[12].since -= seconds
        view.final(Decided(result, 1.0, 0.41))
        view.pulse(supervisor)
    view.summary(supervisor)
    return out.getvalue()


def test_progress_and_table_fit_a_terminal_of_80_columns(tmp_path: Path, supervisor: Any) -> None:
    (tmp_path / "truth.json").write_text("[[]]", encoding="utf-8")
    said = seen_at_80_columns(supervisor, RESULT, seconds=6.2)
    for text in ("plate 12", "19,214 rows", "561/561 windows", "INCONCLUSIVE", "missed", "99.8%", "0.41 s", "mm2/s"):
        assert text in said
    assert "\u2026" not in said  # nothing was cut


def test_vetoed_defects_are_neither_found_nor_false_and_have_a_column(tmp_path: Path, supervisor: Any) -> None:
    crack = Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False)
    result = replace(RESULT, defects=(crack, *(replace(crack, x=900 + 50 * n, vetoed=True) for n in range(2))))
    truth = {"x": 100, "y": 200, "width": 12, "height": 80, "visible": 1.0}
    (tmp_path / "truth.json").write_text(json.dumps([[truth]]), encoding="utf-8")
    said = seen_at_80_columns(supervisor, result, seconds=3.1)
    assert "1 defects" in said
    head, row = _table(said)
    columns = dict(zip(head.split(), row.split(), strict=False))
    assert [columns[name] for name in ("defects", "vetoed", "true", "false", "missed")] == ["1", "2", "1", "0", "0"]
    assert "\u2026" not in said


def _table(said: str) -> tuple[str, str]:
    """Head and first row of the summary."""
    lines = said.replace("\x1b[1A\x1b[2K", "").splitlines()
    at = max(index for index, line in enumerate(lines) if "verdict" in line)
    return lines[at], lines[at + 1]


def test_pictures_of_the_classifiers_evidence_are_no_crops_of_further_defects(supervisor: Any) -> None:
    out = io.StringIO()
    view = TerminalView(Console(width=80, file=out))
    folder = plate_directory(supervisor.state.path, supervisor.run_id, 12)
    folder.mkdir(parents=True)
    for name in ("overview.jpg", "defect-001.png", "defect-001-heat.png", "defect-002.png", "defect-1000.png"):
        (folder / name).touch()
    with view:
        view.seen(12)
        view.final(Decided(RESULT, 1.0, 0.41))
    view.summary(supervisor)
    assert "3 crops beside it" in out.getvalue()
