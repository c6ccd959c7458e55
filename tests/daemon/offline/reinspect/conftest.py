"""Three archived plates, and a candidate that loses their fainter defects."""

from __future__ import annotations

import pytest

from config.load import load_recipe
from daemon.offline.reinspect.candidate import Candidate, candidate_of
from daemon.offline.reinspect.plate import Inspector, Job
from daemon.store.rows import result_of
from tests.archived import ArchivedPlates, archived_plates


@pytest.fixture(scope="session")
def plates(tmp_path_factory: pytest.TempPathFactory) -> ArchivedPlates:
    return archived_plates(tmp_path_factory.mktemp("archived"))


@pytest.fixture(scope="session")
def candidate(plates: ArchivedPlates) -> Candidate:
    return candidate_of(load_recipe(str(plates.candidate("threshold: {floor: 9}\n"))), plates.settings)


@pytest.fixture(scope="session")
def inspector(candidate: Candidate) -> Inspector:
    return Inspector(candidate)


@pytest.fixture(scope="session")
def jobs(plates: ArchivedPlates) -> list[Job]:
    return [
        Job(str(plates.file(row.plate)), row.archive.sha256 or "", result_of(row))
        for row in plates.rows
        if row.archive is not None
    ]
