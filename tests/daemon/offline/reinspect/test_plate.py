"""A plate of the archive through a candidate: as the line judged it, or what is wrong with its file."""

from __future__ import annotations

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest

from config.load import load_recipe
from daemon.offline.reinspect.candidate import candidate_of
from daemon.offline.reinspect.kept import Kept
from daemon.offline.reinspect.plate import Fault, Inspector, Job
from models.images import open_image
from stages.comparison import Kind, compare
from stages.plate import Verdict, worst_first
from tests.archived import SIDE, ArchivedPlates


def test_by_the_recipe_that_judged_it_nothing_changes(plates: ArchivedPlates, jobs: list[Job]) -> None:
    inspector = Inspector(candidate_of(load_recipe(str(plates.recipe)), plates.settings))
    for job in jobs:
        outcome = inspector.inspect(job)
        assert outcome.fault is None
        assert outcome.candidate is not None
        assert tuple(worst_first(outcome.candidate.defects)) == job.stored.defects
        assert compare(job.stored, outcome.candidate).kind is Kind.SAME
        assert outcome.pictures == ()


def test_each_defect_that_would_change_has_its_pixels(inspector: Inspector, jobs: list[Job]) -> None:
    outcome = inspector.inspect(jobs[0])
    assert outcome.candidate is not None
    changed = compare(jobs[0].stored, outcome.candidate).changed
    assert len(outcome.pictures) == len(changed) > 0
    with open_image(jobs[0].file) as image:
        whole = image.rows(0, image.height)
    for one, shown in zip(changed, outcome.pictures, strict=True):
        assert one.stored is not None
        defect = jobs[0].stored.defects[one.stored - 1]
        assert shown.x <= defect.x
        assert shown.y <= defect.y
        assert 0 <= shown.x < shown.x + shown.width <= SIDE
        seen = cv2.imdecode(np.frombuffer(shown.png, np.uint8), cv2.IMREAD_GRAYSCALE)
        piece = whole[shown.y : shown.y + shown.height, shown.x : shown.x + shown.width]
        assert seen is not None
        if max(piece.shape) == 224:
            assert np.array_equal(seen, piece)


def test_a_verdict_that_changes_without_a_defect_shows_the_plate(
    inspector: Inspector, plates: ArchivedPlates, jobs: list[Job]
) -> None:
    doubtful = replace(jobs[2], stored=replace(jobs[2].stored, verdict=Verdict.INCONCLUSIVE))
    (shown,) = inspector.inspect(doubtful).pictures
    assert (shown.x, shown.y, shown.width, shown.height) == (0, 0, SIDE, SIDE)
    assert plates.rows[2].verdict is Verdict.OK


def test_a_file_that_is_gone_changed_or_no_picture_is_a_fault_and_no_result(
    inspector: Inspector, jobs: list[Job], tmp_path: Path
) -> None:
    gone = replace(jobs[0], file=str(tmp_path / "gone.tif"))
    path = tmp_path / "bent.tif"
    content = bytearray(Path(jobs[0].file).read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    bent = replace(jobs[0], file=str(path))
    stranger = tmp_path / "stranger.tif"
    stranger.write_bytes(b"no picture")
    foreign = replace(jobs[0], file=str(stranger), sha256=sha256(b"no picture").hexdigest())
    folder = replace(jobs[0], file=str(tmp_path))
    unknown = replace(jobs[0], file="nonesuch://host/plate.tif")
    faults = [
        (gone, Fault.MISSING, "gone.tif is not there"),
        (bent, Fault.DAMAGED, "its checksum differs"),
        (foreign, Fault.FAILED, "not a TIFF"),
        (folder, Fault.FAILED, "Is a directory"),
        (unknown, Fault.FAILED, "nonesuch"),
    ]
    for job, fault, words in faults:
        outcome = inspector.inspect(job)
        assert (outcome.plate, outcome.candidate, outcome.fault) == (job.plate, None, fault)
        assert words in outcome.words


def test_an_address_gives_the_same_result_as_a_path(inspector: Inspector, jobs: list[Job], tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    assert inspector.inspect(replace(jobs[0], file=f"file://{jobs[0].file}")) == inspector.inspect(jobs[0])
    gone = replace(jobs[0], file=f"file://{tmp_path}/gone.tif")
    assert inspector.inspect(gone).fault is Fault.MISSING


def test_what_is_kept_is_found_again_and_what_is_half_there_is_done_again(
    inspector: Inspector, jobs: list[Job], plates: ArchivedPlates, tmp_path: Path
) -> None:
    candidate = candidate_of(load_recipe(str(plates.recipe)), plates.settings)
    kept, outcome = Kept(tmp_path, candidate), inspector.inspect(jobs[0])
    assert kept.get(jobs[0]) is None
    kept.put(jobs[0], outcome)
    assert Kept(tmp_path, candidate).get(jobs[0]) == outcome
    # Neither another file of that plate nor another candidate takes it for its own.
    assert kept.get(replace(jobs[0], sha256="f" * 64)) is None
    assert Kept(tmp_path, replace(candidate, code_sha256="0" * 64)).get(jobs[0]) is None
    (path,) = kept.folder.glob("*.msgpack")
    path.write_bytes(path.read_bytes()[:-9])
    assert kept.get(jobs[0]) is None
    shutil.rmtree(kept.folder)
    assert kept.get(jobs[0]) is None


def test_a_fault_is_not_kept_for_it_may_pass(
    inspector: Inspector, jobs: list[Job], plates: ArchivedPlates, tmp_path: Path
) -> None:
    kept = Kept(tmp_path, candidate_of(load_recipe(str(plates.recipe)), plates.settings))
    gone = replace(jobs[0], file=str(tmp_path / "gone.tif"))
    kept.put(gone, inspector.inspect(gone))
    assert kept.get(gone) is None
