"""Whether there is a GPU, as the driver tells: torch need not be loaded to know that there is none."""

from __future__ import annotations

import os

import pynvml


def why_no_gpu() -> str | None:
    """Why this process has no GPU to compute on; None where the driver names one."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return f"no NVIDIA driver answers ({error})"
    try:
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        return f"the NVIDIA driver does not answer ({error})"
    finally:
        pynvml.nvmlShutdown()
    if not count:
        return "the NVIDIA driver names none"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in {"", "-1"}:
        return f"CUDA_VISIBLE_DEVICES is {hidden!r}, which hides it"
    return None
