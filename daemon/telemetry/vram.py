"""GPU memory of the service's processes, as the driver counts it (NVML)."""

from __future__ import annotations

from collections.abc import Collection

import pynvml


class Vram:
    """A reader of the driver's counts; says None everywhere where there is no NVIDIA driver."""

    def __init__(self) -> None:
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            self._devices = None
            return
        self._devices = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]

    @property
    def available(self) -> bool:
        """Whether the driver names a GPU."""
        return bool(self._devices)

    def used_bytes(self, pids: Collection[int]) -> int | None:
        """Bytes that these processes hold on all GPUs together.

        None where there is no driver, or where it names none of them (in a container it may know others' pids only).
        """
        if not self._devices:
            return None
        try:
            processes = [
                process
                for device in self._devices
                for process in pynvml.nvmlDeviceGetComputeRunningProcesses(device)
                if process.pid in pids and process.usedGpuMemory is not None
            ]
        except pynvml.NVMLError:
            return None
        return sum(process.usedGpuMemory for process in processes) if processes else None

    def close(self) -> None:
        """Let go of the driver."""
        if self._devices is not None:
            pynvml.nvmlShutdown()
            self._devices = None
