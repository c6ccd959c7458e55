"""What this machine's processor is (Linux, /proc/cpuinfo)."""

from __future__ import annotations

from pathlib import Path


def cpu_model() -> str:
    """Its name; empty where the kernel does not say."""
    return _cpuinfo("model name")


def cpu_flags() -> frozenset[str]:
    """What it says that it can do; empty where it says nothing."""
    return frozenset(_cpuinfo("flags").split())


def bfloat16_is_fast() -> bool:
    """Whether it multiplies bfloat16 itself (avx512_bf16 or amx_bf16)."""
    return not cpu_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def _cpuinfo(key: str) -> str:
    """The value of the first processor's key."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    pairs = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in pairs if name.strip() == key), "")
