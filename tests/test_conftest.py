from __future__ import annotations

import os
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
pytest_plugins = ["pytester"]


@pytest.mark.parametrize(("ci", "outcomes"), [("", {"skipped": 2}), ("true", {"skipped": 1, "failed": 1})])
def test_a_skipped_debian_test_fails_where_ci_is_set(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, outcomes: dict[str, int]
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest(CONFTEST)
    pytester.makeini("[pytest]\nmarkers = debian: x\n")
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.debian\ndef test_needs(): pytest.skip('promtool is not there')\n"
        "def test_other(): pytest.skip('whatever')\n"
    )
    pytester.runpytest().assert_outcomes(**outcomes)


def test_numeric_libraries_take_one_thread() -> None:
    assert os.environ["OMP_NUM_THREADS"] == "1"
