"""What `linesentry doctor` looks at: whether this machine can do what the configuration asks, and what to do if not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pynvml
from rich.table import Table
from rich.text import Text

from config.errors import shown_bytes
from config.schema import Config, Recipe
from config.weights import classifier_path, weights_path
from daemon.service.needs import service_needs
from daemon.service.plans import processes
from daemon.store.journal import JournalError, journal_path, read_journal
from daemon.store.opening import set_aside_before
from daemon.store.reading import faults, words_of
from daemon.store.results import Store, StoreError, store_path
from daemon.store.state import StateDirectory, StateError
from daemon.store.where import is_there, place_of
from daemon.wire.plate_memory import PlateMemoryError, Shape, reserve
from models.machine.cpu import cpu_flags, usable_cores
from models.machine.gpu import why_no_gpu
from models.machine.memory import available_bytes, shortage

LEAST_DISK_BYTES = 1_000_000_000
"""With less than this free, results are in danger."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    ok: bool | None
    """None: works, but not as it should."""
    found: str
    advice: str = ""
    """What to do; empty when all is well."""


def doctor(config: Config, recipes: Sequence[Recipe]) -> list[Check]:
    """Look at everything the service needs, for real: memory is reserved, files are written, a window is computed.

    `recipes` are those that it loads. What is reserved or written is let go of again. Takes some seconds, most of them
    for the detector.
    """
    return list(_checks(config, recipes))


def doctor_table(checks: Sequence[Check]) -> Table:
    """The checks as a table for a terminal."""
    table = Table("", header_style="bold")
    table.add_column("check", overflow="fold")
    table.add_column("found", overflow="fold")
    table.add_column("what to do", overflow="fold")
    marks = {True: Text("ok", "green"), None: Text("warning", "yellow"), False: Text("FAILED", "bold red")}
    for check in checks:
        table.add_row(marks[check.ok], check.name, Text(check.found), Text(check.advice))
    return table


def _checks(config: Config, recipes: Sequence[Recipe]) -> Iterator[Check]:
    shape = ring_shape(config, recipes)
    yield memory(config, recipes)
    if shape is not None:
        yield ring(shape)
    yield cores(config)
    yield processor()
    yield gpu(config)
    try:
        state = StateDirectory.of(config).path
    except StateError as error:
        yield Check("state directory", ok=False, found=str(error), advice="choose another with state_directory")
    else:
        yield state_directory(state)
        yield disk_space(config, state)
        yield database(state)
    for recipe in recipes:
        for check in _of_recipe(config, recipe):
            yield check if len(recipes) == 1 else replace(check, name=f"{check.name} of {recipe.name}")
    yield metrics_port(config)
    yield notify_socket()


def _of_recipe(config: Config, recipe: Recipe) -> Iterator[Check]:
    weights = weight_file(recipe)
    yield weights
    if weights.ok is not False:
        yield known_answer(config, recipe)
    yield classifier(config, recipe)


# --- memory and processor ---------------------------------------------------------------------------------------------


def ring_shape(config: Config, recipes: Sequence[Recipe]) -> Shape | None:
    """The plate memory that the service would reserve; None where a recipe is of no fixed size."""
    rows = [one.slot_rows for one in recipes if one.slot_rows is not None]
    if len(rows) < len(recipes):
        return None
    columns = [config.camera.width if one.columns is None else one.columns.count for one in recipes]
    return Shape(config.slots, max(rows), max(columns))


def memory(config: Config, recipes: Sequence[Recipe]) -> Check:
    """Whether all that the service reserves and its processes take fits into what is available."""
    workers = processes(config, recipes, gpu=why_no_gpu() is None)["detect"]
    needs = service_needs(config, recipes, workers)
    available = available_bytes()
    if why := shortage(needs, available):
        return Check("memory", ok=False, found=why, advice="as said, or end other programs")
    found = f"{shown_bytes(available)} available, about {shown_bytes(sum(need.size for need in needs))} needed"
    return Check("memory", ok=True, found=found)


def ring(shape: Shape) -> Check:
    """Reserve the plate memory in full, as the service does at its start, and let it go."""
    found = f"{shape.slots} slots of {shape.rows:,} x {shape.columns:,} px, {shown_bytes(shape.total_bytes)}"
    available = available_bytes()
    if shape.total_bytes > available:
        # Reserving it all the same could make the kernel end some other process.
        found += f", but {shown_bytes(available)} are available"
        return Check("plate memory", ok=False, found=found, advice="fewer slots, or add memory")
    try:
        os.close(reserve("linesentry-doctor", shape.need))
    except PlateMemoryError as error:
        return Check("plate memory", ok=False, found=str(error), advice="fewer slots, or add memory")
    return Check("plate memory", ok=True, found=f"{found}: reserved and released")


def cores(config: Config) -> Check:
    """The processor cores this process may use, by their number and by its quotas, against the workers asked for."""
    count = usable_cores()
    asked = config.workers.count
    found = f"{count} to be used, {'one worker each' if asked is None else f'{asked} workers asked for'}"
    if asked is not None and asked > count:
        return Check("cores", ok=None, found=found, advice=f"set workers.count to {count} at most")
    if count < 2:
        return Check("cores", ok=None, found=found, advice="two cores at least keep acquisition and detector apart")
    return Check("cores", ok=True, found=found)


def processor() -> Check:
    """Whether the processor computes the detector fast."""
    flags = cpu_flags()
    fast = sorted(flags & {"avx512_bf16", "amx_bf16"})
    if fast:
        return Check("processor", ok=True, found=f"{', '.join(fast)}: the detector computes in bfloat16")
    if "avx2" in flags:
        return Check("processor", ok=True, found="no avx512_bf16: the detector computes in float32, at half the speed")
    return Check("processor", ok=None, found="no avx2: the detector will be slow", advice="use a newer processor")


def gpu(config: Config) -> Check:
    """The GPUs that the driver names; none is fine unless one is asked for."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        found = f"none ({error})"
        if config.workers.device == "cuda":
            return Check(
                "GPU", ok=False, found=found, advice="install the driver, or set workers.device to auto or cpu"
            )
        return Check("GPU", ok=True, found=f"{found}: the CPU is used")
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        devices = [
            f"{pynvml.nvmlDeviceGetName(h)}, {shown_bytes(pynvml.nvmlDeviceGetMemoryInfo(h).total)}" for h in handles
        ]
    except pynvml.NVMLError as error:
        return Check("GPU", ok=None, found=f"the driver does not answer: {error}", advice="run nvidia-smi")
    finally:
        pynvml.nvmlShutdown()
    return Check("GPU", ok=True, found="; ".join(devices) or "none")


# --- disk and database ------------------------------------------------------------------------------------------------


def state_directory(directory: Path) -> Check:
    """Write a file into the state directory, down to the disk, and delete it."""
    try:
        with tempfile.TemporaryFile(dir=directory, prefix=".doctor-") as file:
            file.write(b"\xa5" * (1 << 20))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        advice = "check its owner and permissions and the room on its disk, or choose another with state_directory"
        return Check("state directory", ok=False, found=f"{directory}: {error.strerror}", advice=advice)
    return Check("state directory", ok=True, found=f"{directory}: written and deleted")


def disk_space(config: Config, directory: Path) -> Check:
    """Whether the disk holds the pictures that may be kept, and results beside."""
    free = shutil.disk_usage(directory).free
    most_gb = config.results.retention.most_gb
    found = f"{shown_bytes(free)} free, pictures may take {'any size' if most_gb is None else f'{most_gb:g} GB'}"
    if free < LEAST_DISK_BYTES:
        return Check("disk space", ok=False, found=found, advice="make room: with a full disk no plate is OK")
    taken = sum(file.stat().st_size for file in (directory / "pictures").glob("*/*/*"))
    if most_gb is not None and most_gb * 1e9 - taken > free - LEAST_DISK_BYTES:
        return Check("disk space", ok=None, found=found, advice="make room, or lower results.retention.most_gb")
    return Check("disk space", ok=True, found=found)


def database(directory: Path) -> Check:
    """Read the whole result store and its journal: whether it is sound, whole, and as written. Nothing is changed."""
    try:
        return _database(directory, store_path(directory))
    except JournalError as error:
        return Check("database", ok=False, found="the journal of plates cannot be read", advice=str(error))
    except StoreError as error:
        # A service at work may hold it for a moment.
        return Check("database", ok=None if error.kind == "locked" else False, found=error.kind, advice=str(error))


def _database(directory: Path, path: Path) -> Check:
    aside = [one.name for one in set_aside_before(path)]
    kept = f"; damaged ones that were set aside: {', '.join(aside)}" if aside else ""
    if not is_there(path):
        if not (last := read_journal(journal_path(directory)).last):
            return Check("database", ok=True, found=f"{path}: none yet, the first start makes it{kept}")
        found = f"{path} is gone, and numbers up to {last} were given{kept}"
        return Check("database", ok=False, found=found, advice="put it back, or restore a backup, before a start")
    with Store.open(path, read_only=True) as store:
        store.check()
        rows, ledger = store.check_rows(), store.ledger()
    lost = faults(directory)
    lost += words_of(rows)
    if lost:
        advice = "do not trust these plates: compare with a backup, and find out who or what changed the file"
        return Check("database", ok=False, found=f"{place_of(path)}: {'; '.join(lost)}{kept}", advice=advice)
    old = f", {rows.without_checksum:,} without a checksum (of an earlier version)" if rows.without_checksum else ""
    found = f"{place_of(path)}: sound, {ledger.seen:,} plates, {ledger.open} open{old}{kept}"
    if path.exists() and not os.access(path, os.W_OK):
        return Check("database", ok=False, found=f"{found}; it cannot be written", advice="check owner and permissions")
    advice = "rescue the rows of what was set aside (docs/how-to/read-results.md), then delete it" if aside else ""
    return Check("database", ok=None if aside else True, found=found, advice=advice)


# --- detector ---------------------------------------------------------------------------------------------------------


def weight_file(recipe: Recipe) -> Check:
    """Whether the recipe's weights are there and are those that their model card describes."""
    path = weights_path(recipe)
    card = path.with_suffix(".json")
    advice = "install linesentry again, or train: linesentry train detector"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        described = json.loads(card.read_text(encoding="utf-8"))["sha256"]
    except OSError as error:
        return Check("weights", ok=False, found=f"{error.filename}: {error.strerror}", advice=advice)
    except (ValueError, KeyError, TypeError):
        return Check("weights", ok=False, found=f"{card} is no model card with a sha256", advice=advice)
    if digest != described:
        found = f"{path.name} has sha256 {digest[:12]}, its card says {str(described)[:12]}"
        return Check("weights", ok=False, found=found, advice=advice)
    return Check("weights", ok=True, found=f"{path.name}, sha256 {digest[:12]} as its card says")


def known_answer(config: Config, recipe: Recipe) -> Check:
    """Load the detector as a worker does and let it compute the built-in window."""
    from models.detector.detector import Detector, DetectorError  # noqa: PLC0415 - torch takes seconds, other checks do not

    workers = config.workers
    try:
        detector = Detector.load(recipe, device=workers.device, dtype=workers.dtype)
    except DetectorError as error:
        advice = "install linesentry again; if that does not help, the processor or GPU computes wrongly"
        return Check("known answer", ok=False, found=str(error), advice=advice)
    return Check("known answer", ok=True, found=f"right, on {detector.facts['device']} in {detector.facts['dtype']}")


def classifier(config: Config, recipe: Recipe) -> Check:
    """Load the classifier as its process does and let it compute the built-in crops, where the recipe has it asked."""
    mode = recipe.classifier.mode
    if mode == "off":
        return Check("classifier", ok=True, found="off in the recipe")
    from models.classifier.classifier import Classifier, ClassifierError  # noqa: PLC0415 - torch takes seconds

    settings = config.classify
    try:
        loaded = Classifier.load(
            classifier_path(settings, recipe), device=settings.device, dtype=settings.dtype, views=settings.views
        )
    except ClassifierError as error:
        # A service does not start without the file. One that cannot use it works, and says so with each plate; only
        # `confirm` then confirms nothing.
        works = mode != "confirm" and classifier_path(settings, recipe).is_file()
        advice = "train one: linesentry train classifier; or set classifier.mode of the recipe to off"
        return Check("classifier", ok=None if works else False, found=str(error), advice=advice)
    found = f"{mode}: right, {loaded.facts['network']} on {loaded.facts['device']} in {loaded.facts['dtype']}"
    return Check("classifier", ok=True, found=found)


# --- surroundings -----------------------------------------------------------------------------------------------------


def metrics_port(config: Config) -> Check:
    """Whether the port of /metrics and /healthz is free."""
    host, port = config.telemetry.host, config.telemetry.port
    if port == 0:
        return Check("metrics port", ok=True, found="any free port")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        advice = "if that is not linesentry itself at work, set telemetry.host or telemetry.port"
        return Check("metrics port", ok=None, found=f"{host}:{port}: {error.strerror}", advice=advice)
    return Check("metrics port", ok=True, found=f"{host}:{port} is free")


def notify_socket() -> Check:
    """Whether systemd, if it started this, can be told how the service is."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address is None:
        if "WATCHDOG_USEC" in os.environ:
            advice = "set Type=notify and NotifyAccess=main in the unit"
            return Check("systemd", ok=False, found="a watchdog is set, but no NOTIFY_SOCKET", advice=advice)
        return Check("systemd", ok=True, found="not started by systemd: nothing is notified")
    if address.startswith("@") or Path(address).is_socket():
        return Check("systemd", ok=True, found=f"notified at {address}")
    return Check(
        "systemd", ok=False, found=f"no socket at {address}", advice="unset NOTIFY_SOCKET, or start by systemd"
    )
