from __future__ import annotations

import os

import pytest

from models.machine.cpu import usable_cores
from tests.models.machine.conftest import Groups, MakeProc


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 8), ("100000 100000", 1), ("150000 100000", 2), ("1000 100000", 1), ("300000", 3), ("", 8)],
)
def test_a_quota_of_any_group_around_limits_the_cores(
    quota: str, cores: int, proc: MakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    groups: Groups = {"/outer": {"cpu.max": quota}, "/outer/inner": {"cpu.max": "max 100000"}}
    assert usable_cores(proc(groups, own="/outer/inner", version=2, controller="cpu")) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("250000", 3), ("50000", 1)])
def test_quotas_of_version_1_count_too(quota: str, cores: int, proc: MakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)))
    inner = {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": "100000"}
    assert usable_cores(proc({"/g": inner}, own="/g", version=1, controller="cpu")) == cores


def test_the_cores_that_this_process_may_run_on_limit_it_too(proc: MakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3})
    assert usable_cores(proc({"/g": {"cpu.max": "800000 100000"}}, own="/g", version=2, controller="cpu")) == 1


def test_this_machine_has_some() -> None:
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))
