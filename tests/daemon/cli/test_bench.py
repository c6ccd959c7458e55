"""`linesentry bench`: every figure of a run on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import linesentry, small_line


@pytest.mark.long
def test_bench_gives_every_figure_as_json(tmp_path: Path) -> None:
    words = ("--json", "--config", small_line(tmp_path), "--workers", "1", "--plates", "2", "--short-plates", "5")
    answer = linesentry("bench", *words)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    for key in (
        "line_mpx_per_s",
        "line_mm2_per_s",
        "detector_mpx_per_s",
        "latency_p50_s",
        "latency_p99_s",
        "memory_beyond_ring_bytes",
        "workers",
        "dtype",
        "cpu_flags",
    ):
        assert key in found
    assert found["line_mpx_per_s"] > 0
    assert found["latency_plates"] == 5
    assert found["memory_beyond_ring_bytes"] > 10_000_000


def test_more_workers_than_there_may_be_are_refused_by_the_configurations_own_limit() -> None:
    answer = linesentry("bench", "--workers", "65")
    assert answer.returncode == 2
    assert "workers.count: found 65, allowed: 64 or less" in answer.stderr
