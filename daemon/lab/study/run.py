"""The command `linesentry study`: runs the cells that are missing, keeps their figures, draws the tables."""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import cv2
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from config.load import load_recipe, recipe_hash
from config.weights import shipped_weights
from daemon.lab.orders import RunStudy
from daemon.lab.study.cells import Cell, Needs, cells
from daemon.lab.study.measure import Record, Setting
from daemon.lab.study.sheets import TEST_PRODUCTS, Scale
from daemon.lab.study.tables import write
from daemon.telemetry.printing import SafeConsole, say
from models.machine.cpu import bfloat16_is_fast
from models.machine.files import whole

DEFAULT_MINUTES = 4.0
_USUAL_S = 40.0
"""Of a job at scale small beside its training, where none has been timed."""


class StudyError(ValueError):
    """What was asked for cannot be done; the message says what to do."""


class Store:
    """The figures of all cells that have run, in one JSON file that is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Record]:
        """All records by key; none where there is no file.

        Raises:
            StudyError: the file is not one that this class wrote.
        """
        if not self.path.exists():
            return {}
        try:
            known = json.loads(self.path.read_text())["cells"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(f"{self.path} cannot be read as a study ({error}): move it away, or mend it") from error
        if not isinstance(known, dict):
            raise StudyError(f"{self.path} cannot be read as a study (cells is no object): move it away, or mend it")
        return known

    def add(self, key: str, record: Record) -> None:
        """Add one cell's figures, or put them in the place of older ones; what another run has added stays."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # let go when it is closed
            known = self.read()
            known[key] = record
            with whole(self.path) as part:
                part.write_text(json.dumps({"cells": dict(sorted(known.items()))}, indent=1) + "\n")
        finally:
            os.close(folder)


@dataclass(frozen=True, slots=True)
class Job:
    """A cell with a seed, at a scale."""

    experiment: str
    variant: str
    seed: int
    scale: Scale
    needs: Needs

    @property
    def name(self) -> str:
        """As `--only` takes it."""
        return f"{self.experiment}/{self.variant}/{self.seed}"

    @property
    def key(self) -> str:
        """Its place in the JSON."""
        return f"{self.scale}/{self.name}"


def jobs(of: Iterable[Cell], scale: Scale, seeds: int, only: str | None) -> list[Job]:
    """The jobs of a run: trained cells once a seed, the others once.

    Raises:
        StudyError: the pattern fits none.
    """
    every = [
        Job(cell.experiment, cell.variant, seed, scale, cell.needs)
        for cell in of
        for seed in range(seeds if cell.needs == "training" else 1)
    ]
    if only is None:
        return every
    chosen = [job for job in every if fnmatch.fnmatch(job.name, only) or fnmatch.fnmatch(job.name, f"{only}/*")]
    if not chosen:
        names = ", ".join(dict.fromkeys(f"{job.experiment}/{job.variant}" for job in every))
        raise StudyError(f"--only {only!r} fits no cell; there are {names}")
    return chosen


_DEPENDS: dict[Needs, tuple[str, ...]] = {
    "weights": ("weights_sha256",),
    "product": ("weights_sha256", "classifier_sha256", "recipes_sha256"),
}
"""Hashes of what ships that a record keeps, by what its cell needs."""


def why_missing(job: Job, record: Record | None, ships: Mapping[str, str], minutes: float | None) -> str | None:
    """Why a job must run, or None where its figures stand.

    Args:
        job: what would run.
        record: its figures, if it ran.
        ships: the hashes of what ships now (`shipped_hashes`); figures of others are out of date.
        minutes: training time that was asked for by name; None accepts any.
    """
    if record is None:
        return "not run"
    for name in _DEPENDS.get(job.needs, ()):
        if record.get(name) != ships[name]:
            return f"other {name.removesuffix('_sha256')}"
    if job.needs == "training" and minutes is not None and record.get("minutes") != minutes:
        return f"trained for {record.get('minutes')} min"
    return None


def seconds_expected(job: Job, known: Mapping[str, Record], minutes: float) -> float:
    """About how long a job takes: its training, and beside it what it took before, or what others like it took."""
    trained = job.needs == "training"
    own = known.get(job.key)
    alike = [own] if own else [one for one in known.values() if ("training_seconds" in one) == trained]
    rest = [one["cpu_seconds"] - one.get("training_seconds", 0) for one in alike if "cpu_seconds" in one]
    return (60 * minutes if trained else 0.0) + (max(0.0, median(rest)) if rest else _USUAL_S)


def shipped_hashes() -> dict[str, str]:
    """Hashes of the weights that ship and of the recipes of the test products."""
    recipes = "".join(recipe_hash(load_recipe(product)) for product in TEST_PRODUCTS)
    return {
        "weights_sha256": hashlib.sha256(shipped_weights("detector-half.pt").read_bytes()).hexdigest(),
        "classifier_sha256": hashlib.sha256(shipped_weights("classifier.pt").read_bytes()).hexdigest(),
        "recipes_sha256": hashlib.sha256(recipes.encode()).hexdigest(),
    }


def run(
    store: Store,
    *,
    only: str | None,
    setting: Setting,
    minutes: float | None,
    seeds: int,
    of: Sequence[Cell] | None = None,
    on_cell: Callable[[int, int, Job, float], None] | None = None,
) -> tuple[int, list[str]]:
    """Run what is missing, one cell after the other; how many ran, and what went wrong.

    A cell that fails costs only itself; it stays "not run". `on_cell` is told the cell's place, how many there are, the
    job, and about how many seconds are left for it and those after it.
    """
    every = cells() if of is None else of
    by_name = {(cell.experiment, cell.variant): cell for cell in every}
    ships = shipped_hashes()
    known = store.read()
    chosen = jobs(every, setting.scale, seeds, only)
    missing = [job for job in chosen if why_missing(job, known.get(job.key), ships, minutes)]
    expected = [seconds_expected(job, known, setting.minutes) for job in missing]
    faults = []
    for place, job in enumerate(missing):
        if on_cell is not None:
            on_cell(place, len(missing), job, sum(expected[place:]))
        started = time.monotonic(), time.process_time()
        try:
            found = by_name[job.experiment, job.variant].do(setting, job.seed)
        except Exception as error:  # noqa: BLE001 - hours of other cells must not be lost with one
            faults.append(f"{job.name}: {type(error).__name__}: {error}")
            continue
        facts: Record = {
            "experiment": job.experiment,
            "variant": job.variant,
            "seed": job.seed,
            "scale": job.scale,
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "command": " ".join(["linesentry", *sys.argv[1:]]),
            "machine": machine(),
            "weights_sha256": None,
            **{name: ships[name] for name in _DEPENDS.get(job.needs, ())},
            "seconds": round(time.monotonic() - started[0], 1),
            "cpu_seconds": round(time.process_time() - started[1], 1),
        }
        store.add(job.key, facts | found)
    return len(missing) - len(faults), faults


def machine() -> str:
    """Processor, cores, number format and torch's version, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)
    kind = "bfloat16" if bfloat16_is_fast() else "float32"
    threads = torch.get_num_threads()
    return (
        f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores, {threads} "
        f"thread{'s' if threads > 1 else ''} used, {kind}, torch {torch.__version__}"
    )


# --- the command ---------------------------------------------------------------------------------------------------


def study_command(order: RunStudy) -> None:
    """Run, list or render; SystemExit 2 for wrong input, 1 where a cell failed."""
    store = Store(order.file)
    try:
        if order.render:
            for path in write(store.read(), order.file):
                print(path)  # noqa: T201 - a command speaks
        elif order.list:
            _list(store, order)
        else:
            _run(store, order)
    except KeyboardInterrupt:
        say(f"linesentry study: interrupted; what was done is kept in {order.file}")
        raise SystemExit(130) from None
    except (StudyError, OSError) as error:
        say(f"linesentry study: {error}")
        raise SystemExit(2) from error


def _list(store: Store, order: RunStudy) -> None:
    known, ships = store.read(), shipped_hashes()
    for job in jobs(cells(), order.scale, order.seeds, order.only):
        reason = why_missing(job, known.get(job.key), ships, order.minutes)
        print(f"{job.name}\t{reason or 'done ' + known[job.key]['date']}")  # noqa: T201


def _run(store: Store, order: RunStudy) -> None:
    # One thread for all, so that equal time is equal work.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    console = SafeConsole(stderr=True)
    words = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*words, console=console, transient=True) if console.is_terminal else nullcontext() as bar:
        task = bar.add_task("study", total=1.0) if bar is not None else None
        current = ""

        def cell(place: int, of: int, job: Job, left: float) -> None:
            nonlocal current
            current = f"{place + 1}/{of} {job.name}, about {max(1, round(left / 60))} min left"
            if bar is None:
                say(current)

        def report(what: str, share: float) -> None:
            if bar is not None and task is not None:
                bar.update(task, description=f"{current}: {what}", completed=share)

        minutes = DEFAULT_MINUTES if order.minutes is None else order.minutes
        kept = order.file.with_name(f"{order.file.stem}-weights")
        setting = Setting(scale=order.scale, minutes=minutes, on_progress=report, kept=kept)
        done, faults = run(
            store, only=order.only, setting=setting, minutes=order.minutes, seeds=order.seeds, on_cell=cell
        )
    for fault in faults:
        say(f"linesentry study: {fault}")
    print(f"{done} cells run; {store.path}")  # noqa: T201
    if faults:
        raise SystemExit(1)
