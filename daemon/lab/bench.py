"""`linesentry bench`: the whole line and the detector alone, measured on this machine.

Throughput counts the plates' own pixels from the first leading edge to the last committed verdict, sheets rendered
beforehand. Latency is that of record's commit after the strip with a plate's last row was delivered, on short plates
at 0.8 of the throughput that the same run measured on such plates.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from config.errors import shown_bytes
from config.load import with_overrides
from config.schema import MOST_WORKERS, Config, Length, Recipe, Threshold
from daemon.cameras.simulated import product_of
from daemon.service.signals import Signals
from daemon.service.sources import Sources
from daemon.service.supervisor import Supervisor
from daemon.store.state import StateDirectory
from daemon.telemetry.logs import configure
from daemon.telemetry.metrics import private_memory
from daemon.telemetry.printing import SafeConsole
from models.machine.cpu import cpu_flags, cpu_model, usable_cores
from simulator.sheets.reference import load_reference
from stages.events import VerdictCommitted

PAPER_MM2_PER_S = 814.0
"""Throughput that the paper reports on its GPU (M 149-152)."""
LOAD = 0.8
SHORT_ROWS = 1800
"""Rows of a short plate: three rows of windows, which cover as much of it as they do of a full-size one."""
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""Abilities of a processor that matter to inference."""
_DETECTOR_S = 6.0
_SAMPLE_S = 2.0


@dataclass(slots=True)
class _Watch:
    """Watches one run: times, latencies, memory."""

    first_seen: float = 0.0
    last_final: float = 0.0
    pixels: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    total: int = 0
    busy: dict[str, float] = field(default_factory=dict)
    _sampled: float = 0.0

    def seen(self, plate: int) -> None:
        """The switch saw a plate begin."""
        del plate
        self.first_seen = self.first_seen or time.monotonic()

    def final(self, committed: VerdictCommitted) -> None:
        """A plate's verdict is committed."""
        self.last_final = time.monotonic()
        result = committed.result
        self.pixels += result.rows * result.columns
        self.verdicts[result.verdict] = self.verdicts.get(result.verdict, 0) + 1
        if committed.latency_s is not None:
            self.latencies.append(committed.latency_s)

    def pulse(self, supervisor: Supervisor) -> None:
        """Sample memory and work by role."""
        if self.first_seen:
            self.busy = {
                role: supervisor.metrics.total("busy_seconds_total", role)
                for role in ("line", "acquire", "tile", "detect", "merge", "record")
            }
        now = time.monotonic()
        if now - self._sampled < _SAMPLE_S:
            return
        self._sampled = now
        children = supervisor.children
        roles = {role: private_memory(children.pids(role)) for role in children.by_role() if role != "line"}
        roles["supervisor"] = private_memory([os.getpid()])
        if sum(roles.values()) > self.total:
            self.total, self.memory = sum(roles.values()), roles

    @property
    def mpx_per_s(self) -> float:
        """Plate pixels from the first leading edge to the last verdict."""
        return self.pixels / 1e6 / max(self.last_final - self.first_seen, 1e-9)


def bench_command(
    config: Config, recipe: Recipe, *, workers: int | None = None, plates: int = 3, short_plates: int = 200
) -> dict[str, Any]:
    """Measure, tell a person on stderr how it goes, and return the figures."""
    configure("bench", level="error")
    console = SafeConsole(stderr=True)
    most = workers or min(usable_cores(), MOST_WORKERS)

    def mm2(mpx: float, per: float = 1.0, digits: int | None = None) -> float | None:
        area = None if recipe.pitch is None else recipe.pitch.row_mm * recipe.pitch.column_mm
        return None if area is None else round(mpx * 1e6 * area / per, digits)

    lines = {
        count: _line(config, recipe, count, plates, console, f"whole line, {count} workers, {plates} plates")
        for count in range(1, most + 1)
    }
    best = lines[most]
    latency = _latency(config, recipe, most, short_plates, console)
    # Last, for it loads the detector into this process, whose memory is the supervisor's until here.
    detector = _detector_alone(config, recipe, console)
    mu_3sigma = recipe.model_copy(update={"threshold": Threshold(mode="mu_3sigma")})
    published = _detector_alone(config, mu_3sigma, console)
    flags = cpu_flags()
    return {
        "cores": os.cpu_count(),
        "cpu": cpu_model(),
        "cpu_flags": [flag for flag in _FLAGS if flag in flags],
        "recipe": recipe.name,
        "dtype": detector["dtype"],
        "workers": most,
        "line_mpx_per_s": round(best.mpx_per_s, 2),
        "line_mm2_per_s": mm2(best.mpx_per_s),
        "line_by_workers": {str(n): round(w.mpx_per_s, 2) for n, w in lines.items()},
        "detector_mpx_per_s": detector["mpx_per_s"],
        "detector_windows_per_s": detector["windows_per_s"],
        "published_detector_mpx_per_s": published["mpx_per_s"],
        "published_detector_mm2_per_s": mm2(published["mpx_per_s"]),
        "paper_mm2_per_s": PAPER_MM2_PER_S,
        "times_the_paper": mm2(best.mpx_per_s, PAPER_MM2_PER_S, 1),
        **latency,
        "memory_beyond_ring_bytes": best.total,
        "memory_by_role_bytes": best.memory,
        "ring_bytes": config.slots * (recipe.slot_rows or 0) * (recipe.columns.count if recipe.columns else 0),
        "busy_seconds_by_role": {role: round(seconds, 2) for role, seconds in best.busy.items()},
        "line_seconds": round(best.last_final - best.first_seen, 2),
    }


def _latency(config: Config, recipe: Recipe, workers: int, plates: int, console: Console) -> dict[str, Any]:
    """Of short plates at a share of the throughput that the line has on them."""
    short, faster = _short_plates(config, recipe)
    saturated = _line(faster, short, workers, max(3, plates // 5), console, "short plates, as fast as they are taken")
    paced = _at_load(faster, short, saturated.mpx_per_s)
    late = _line(paced, short, workers, plates, console, f"latency, {plates} short plates at {LOAD:g} of that")
    return {
        "latency_p50_s": round(float(np.quantile(late.latencies, 0.5)), 4),
        "latency_p99_s": round(float(np.quantile(late.latencies, 0.99)), 4),
        "latency_plates": len(late.latencies),
        "latency_load": LOAD,
        "short_plate_mpx_per_s": round(saturated.mpx_per_s, 2),
        "latency_line_rate_hz": paced.camera.line_rate_hz,
        "short_plate_verdicts": late.verdicts,
    }


def _detector_alone(config: Config, recipe: Recipe, console: Console) -> dict[str, Any]:
    """One detector, one thread, on windows of a rendered sheet."""
    import torch  # noqa: PLC0415 - only what infers loads it

    from models.detector.detector import Detector, DetectorError  # noqa: PLC0415
    from simulator.sheets.sheet import render  # noqa: PLC0415
    from stages.detect import score_windows  # noqa: PLC0415
    from stages.plate import windows_of  # noqa: PLC0415

    torch.set_num_threads(1)
    product = product_of(recipe)
    rows = min(product.rows, 3000)
    sheet = render(type(product)(product.name, rows, product.columns, product.row_mm, product.column_mm), 1).image
    settings = config.workers
    try:
        detector = Detector.load(recipe, device=settings.device, dtype=settings.dtype)
    except DetectorError as error:
        raise RuntimeError(str(error)) from error
    windows = windows_of(sheet.shape[0], sheet.shape[1], recipe.windows)
    with console.status(f"detector alone, {recipe.threshold.mode}"):
        score_windows(detector, sheet, windows, recipe.windows, run="", plate=0)
        started, passes = time.monotonic(), 0
        while passes == 0 or time.monotonic() - started < _DETECTOR_S:
            score_windows(detector, sheet, windows, recipe.windows, run="", plate=0)
            passes += 1
        seconds = time.monotonic() - started
    return {
        "mpx_per_s": round(passes * sheet.size / 1e6 / seconds, 2),
        "windows_per_s": round(passes * len(windows) / seconds, 1),
        "dtype": detector.facts["dtype"],
    }


def _line(config: Config, recipe: Recipe, workers: int, plates: int, console: Console, what: str) -> _Watch:
    """The whole service on one rendered sheet that passes again and again."""
    watch = _Watch()
    with tempfile.TemporaryDirectory(prefix="linesentry-bench-") as state, console.status(what):
        settings = with_overrides(
            config,
            {
                "workers.count": workers,
                "camera.source": "simulator",
                "simulator.sheets": 1,
                "web.enabled": False,
                "telemetry.port": 0,
                "telemetry.log_level": "error",
            },
        )
        with Signals() as signals:
            sources = Sources(settings, (recipe,), plates=plates)
            supervisor = Supervisor(sources, StateDirectory(Path(state)), signals, observers=[watch])
            code = supervisor.run()
        if signals.received:
            raise RuntimeError("stopped by a signal before all was measured")
        if code != 0 or sum(watch.verdicts.values()) != plates:
            raise RuntimeError(f"the line did not finish its {plates} plates: {watch.verdicts}")
    console.print(f"{what}: {watch.mpx_per_s:.1f} Mpx/s")
    return watch


def _short_plates(config: Config, recipe: Recipe) -> tuple[Recipe, Config]:
    """A recipe of short plates of the same columns, with as many cracks to the area."""
    assert recipe.length is not None
    cracks = config.simulator.density if config.simulator.density is not None else load_reference().cracks.density
    density = round(cracks * SHORT_ROWS / recipe.length.nominal_rows)
    short = recipe.model_copy(update={"length": Length(nominal_rows=SHORT_ROWS), "masks": (), "zones": ()})
    return short, with_overrides(config, {"simulator.density": density, "slots": max(config.slots, 6)})


def _at_load(config: Config, short: Recipe, mpx_per_s: float) -> Config:
    """The line rate at which these plates bring 0.8 of that throughput."""
    assert short.columns is not None
    share = SHORT_ROWS / (SHORT_ROWS + config.camera.gap_rows)
    rate = LOAD * mpx_per_s * 1e6 / short.columns.count / share
    return with_overrides(config, {"camera.line_rate_hz": round(rate, 1)})


def bench_table(result: dict[str, Any]) -> Table:
    """The figures as people read them."""
    table = Table(title=f"linesentry bench, {result['recipe']}, {result['cpu']}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in result.items():
        table.add_row(key.removesuffix("_bytes"), _shown(value, in_bytes=key.endswith("_bytes")))
    return table


def _shown(value: object, *, in_bytes: bool) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part, in_bytes=in_bytes)}" for key, part in value.items())
    return shown_bytes(value) if in_bytes and isinstance(value, int) else str(value)
