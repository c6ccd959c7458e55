"""What this machine's processor is, and how much of it this process may use (Linux)."""

from __future__ import annotations

import math
import os
from pathlib import Path

from models.machine.control_groups import PROC, ControlGroup, control_groups


def usable_cores(proc: Path = PROC) -> int:
    """Cores that this process can keep busy: those it may run on, and no more than its control groups give time for.

    A quota of one and a half cores is two: threads beyond a quota are stopped again and again.
    """
    quotas = (quota for group in control_groups("cpu", proc) if (quota := _quota(group)) is not None)
    return max(1, min(len(os.sched_getaffinity(0)), *(math.ceil(quota) for quota in quotas), 2**16))


def cpu_model() -> str:
    """Its name; empty where the kernel does not say."""
    return _cpuinfo("model name")


def cpu_flags() -> frozenset[str]:
    """What it says that it can do; empty where it says nothing."""
    return frozenset(_cpuinfo("flags").split())


def bfloat16_is_fast() -> bool:
    """Whether it multiplies bfloat16 itself (avx512_bf16 or amx_bf16)."""
    return not cpu_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def _quota(group: ControlGroup) -> float | None:
    """Cores for which a control group gives time; None where it sets no limit."""
    if group.version == 2:
        quota, period = [*(group.value("cpu.max") or "max").split(), "100000"][:2]
    else:
        quota, period = group.value("cpu.cfs_quota_us") or "-1", group.value("cpu.cfs_period_us") or "100000"
    if not (quota.isdecimal() and period.isdecimal() and int(period) > 0):
        return None
    return int(quota) / int(period)


def _cpuinfo(key: str) -> str:
    """The value of the first processor's key."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    pairs = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in pairs if name.strip() == key), "")
