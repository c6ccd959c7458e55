"""Libraries that each process of a running service holds: those that compute are where they compute, only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import SHEETS, Service

LIBRARIES = {
    "cv2": "/cv2/",
    "torch": "/libtorch",
    "scipy": "/scipy/",
    "sklearn": "/sklearn/",
    "matplotlib": "/matplotlib/",
    "pillow": "/PIL/",
    "pandas": "/pandas/",
    "imagecodecs": "/imagecodecs/",
    "sqlalchemy": "/sqlalchemy/",
    "zmq": "/zmq/",
}
"""Name to a piece of the path of its shared objects."""
HOLDS = {
    "supervisor": {"sqlalchemy", "zmq"},
    "line": {"zmq"},
    "acquire": {"zmq"},
    "tile": {"zmq"},
    "detect": {"cv2", "torch", "zmq"},
    "classify": {"cv2", "torch", "zmq"},
    "merge": {"zmq"},
    "record": {"cv2", "pillow", "sqlalchemy", "zmq"},
    "archive": {"cv2", "imagecodecs", "zmq"},
}


def held_by(pid: int) -> set[str]:
    """Libraries of which a process has a shared object in its memory."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    return {name for name, piece in LIBRARIES.items() if piece in maps}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What each role of a service holds that has decided some plates, with pictures and a classifier."""
    service = Service(
        tmp_path_factory.mktemp("libraries"),
        results={"pictures": True},
        archive={"verdicts": ["NG", "INCONCLUSIVE"], "ok": "every", "ok_every": 1, "least_free_gb": 0},
        recipe={"classifier": {"mode": "veto"}},
    )
    service.start()
    try:
        service.wait_for(lambda: len(service.finals()) > SHEETS, seconds=90)
        service.wait_for(lambda: service.logged("a plate is archived"), seconds=90)
        roles = {name.rpartition("-")[0]: held_by(pid) for name, pid in service.children().items()}
        return {"supervisor": held_by(service.pid), **roles}
    finally:
        service.end()


@pytest.mark.parametrize("role", HOLDS)
def test_a_process_holds_the_libraries_that_its_work_needs_and_no_other(role: str, found: dict[str, set[str]]) -> None:
    assert found[role] == HOLDS[role]


def test_no_process_is_left_out(found: dict[str, set[str]]) -> None:
    assert found.keys() == HOLDS.keys()
