"""The sheets that a line called OK, as far as they are still there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.schema import Camera, Config
from daemon.lab.teach.kept import kept_sheets
from daemon.lab.teach.sheets import TeachError
from daemon.store.results import RunFacts, Store, store_path
from stages.plate import Cause, PlateResult, Verdict

RUN = "a" * 32


def plate(number: int, verdict: Verdict, image: str | None) -> PlateResult:
    causes = () if verdict is Verdict.OK else (Cause.DEFECT,)
    return PlateResult(RUN, number, verdict, causes, "", True, 9, 9, 1, 1, 1.0, image=image)


def line(tmp_path: Path, plates: list[PlateResult], source: str = "folder") -> Config:
    """A line whose store has these plates; of the folder's images 0.png to 9.png are there."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.png").touch()
    with Store.open(store_path(tmp_path)) as store:
        store.begin_run(RunFacts(RUN, "any", simulated=False))
        for one in plates:
            store.commit_verdict(one, decided_at=datetime.now(UTC), latency_s=0.1)
    camera = Camera(source=source, folder=folder) if source == "folder" else Camera()
    return Config(state_directory=tmp_path, camera=camera)


def test_the_latest_sheets_called_ok_come_first_and_no_other(tmp_path: Path) -> None:
    verdicts = [Verdict.OK, Verdict.OK, Verdict.NG, Verdict.OK]
    plates = [plate(number + 1, verdict, f"{number}.png") for number, verdict in enumerate(verdicts)]
    config = line(tmp_path, plates)
    assert [path.name for path in kept_sheets(config, 20)] == ["3.png", "1.png", "0.png"]
    assert [path.name for path in kept_sheets(config, 2)] == ["3.png", "1.png"]


def test_a_file_that_passed_twice_is_one_sheet_and_one_that_is_gone_is_none(tmp_path: Path) -> None:
    plates = [plate(1, Verdict.OK, "3.png"), plate(2, Verdict.OK, "gone.png"), plate(3, Verdict.OK, "3.png")]
    assert [path.name for path in kept_sheets(line(tmp_path, plates), 20)] == ["3.png"]


def test_of_a_camera_no_whole_sheet_is_kept_and_it_says_what_to_do(tmp_path: Path) -> None:
    config = line(tmp_path, [plate(1, Verdict.OK, None)], source="simulator")
    with pytest.raises(TeachError, match=r"of 1 plates called OK no whole picture is there.*camera's own software"):
        kept_sheets(config, 20)


def test_without_results_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(TeachError, match="no results at"):
        kept_sheets(Config(state_directory=tmp_path), 20)
