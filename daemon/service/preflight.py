"""What this machine has against a configuration, asked before a service starts: nothing is taken, nothing is written.

config/check.py knows the files alone. What lasts (too little memory whoever else runs, no GPU) is a fault for `run` as
for `check`. What may pass (a port in use, memory that others hold now) is told by `check`, and `run` meets it itself.
"""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Sequence
from pathlib import Path

from config.check import each_recipe, located, service_faults
from config.errors import Fault, Told
from config.schema import Config, Recipe, Web
from config.systemd_unit import Unit
from config.web import web_files
from daemon.cameras.extras import missing
from daemon.cameras.folder_files import listed
from daemon.outputs.registry import missing_packages
from daemon.service.needs import service_needs
from daemon.service.plans import processes
from daemon.service.probe import unloadable
from daemon.store.state import StateError, in_use, state_path
from daemon.switches.registry import missing_package
from daemon.web.access.book import BookError, expect_users
from daemon.web.access.clients import Served
from daemon.web.access.tls import Certificate, TlsError
from models.machine import packages
from models.machine.gpu import why_no_gpu
from models.machine.memory import Need, room, shortage
from models.optics import flat_field

_OWN_FILES, _FILES_A_PROCESS = 96, 4
"""Files that the supervisor has open at most: 37 were counted with 8 processes, and 64 clients may ask for metrics."""


def lasting_faults(config: Config, recipes: Sequence[Recipe], source: str, plates: int | None = None) -> list[Fault]:
    """Why a service cannot run with this configuration on this machine, today or later; empty when it can.

    `recipes` are those that it loads, that of the start first; `plates` is after how many sheets it ends; None for
    never.
    """
    faults = service_faults(config, recipes[0], source, recipes[1:])
    return faults or located(_lasting(config, recipes, plates), config, source)


def look(
    config: Config | None, recipes: Sequence[Recipe], source: str, service: bool
) -> tuple[list[Fault], list[Fault]]:
    """All that stands in the way of a start here and now: faults, and warnings of what may pass.

    Where a service runs already, what it holds is a warning alone: a configuration is checked before a restart too.
    What a configuration names is loaded for trial. `config` is None for a recipe by itself; `service`: it is the
    systemd service's, which has a state directory of its own.
    """
    if config is None:
        return [Fault(source, message, key) for _, key, message in unloadable(None, recipes[0])], []
    faults = _lasting(config, recipes, None)
    own = service and config.state_directory is None
    told, state = ([], None) if own else _state_faults(config)
    runs = state is not None and in_use(state)
    told += _screen_faults(config.web, Path(Unit.here().state or "") if own else state, service=service)
    warnings: Told = []
    needs = _needs(config, recipes, None)
    if not faults and (why := shortage(needs)):
        memory = _memory_fault(needs, why)
        (warnings if runs else told).append(memory)
    host, busy = _address(config)
    if not runs:
        warnings += busy
    found = located([*faults, *told, *host], config, source)
    if not faults and not told:
        for one, about in each_recipe(config, recipes):
            unloaded = unloadable(config, one)
            found += [fault for fault in located(unloaded, about, source) if fault not in found]
    return found, located(warnings, config, source)


def _lasting(config: Config, recipes: Sequence[Recipe], plates: int | None) -> Told:
    needs = _needs(config, recipes, plates)
    why = shortage(needs, room().total)
    memory = [] if why is None else [_memory_fault(needs, why)]
    memory += _few_files(config, recipes)
    told: Told = [(False, key, why) for key, why in missing_packages(config.outputs)]
    if config.store.url is not None and (why := packages.missing("psycopg", "postgres")) is not None:
        told.append((False, "store.url", f"found a server of PostgreSQL, which {why}"))
    if (why := missing_package(config.camera.switch)) is not None:
        told.append((False, "camera.switch.source", why))
    return [
        *_extra_faults(config),
        *_folder_faults(config),
        *(fault for recipe in recipes for fault in _flat_field_faults(config, recipe)),
        *_gpu_faults(config, recipes),
        *told,
        *memory,
    ]


def _few_files(config: Config, recipes: Sequence[Recipe]) -> Told:
    """Where the supervisor may not open as many files as it has processes to talk to and clients of its metrics."""
    needed = _OWN_FILES + _FILES_A_PROCESS * sum(processes(config, recipes, gpu=why_no_gpu() is None).values())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY or most >= needed:
        return []
    message = f"{most} files may be open at once, the service needs {needed}: allow more (ulimit -n, or LimitNOFILE)"
    return [(False, "", message)]


def _needs(config: Config, recipes: Sequence[Recipe], plates: int | None) -> list[Need]:
    workers = processes(config, recipes, gpu=why_no_gpu() is None)["detect"]
    return service_needs(config, recipes, workers, plates)


def _memory_fault(needs: list[Need], why: str) -> tuple[bool, str, str]:
    largest = sorted((need for need in needs if need.keys), key=lambda need: -need.size)
    return False, largest[0].keys[0], why


def _extra_faults(config: Config) -> Told:
    why = missing(config.camera.source)
    return [] if why is None else [(False, "camera.source", why)]


def _folder_faults(config: Config) -> Told:
    if config.camera.source != "folder" or config.camera.folder is None:
        return []
    try:
        listed(config.camera.folder)
    except OSError as error:
        return [(False, "camera.folder", f"{config.camera.folder} cannot be listed: {error.strerror}")]
    except ValueError as error:
        return [(False, "camera.folder", str(error))]
    return []


def _flat_field_faults(config: Config, recipe: Recipe) -> Told:
    columns = None if recipe.columns is None else (recipe.columns.first, recipe.columns.last)
    if config.camera.flat_field is None:
        return []
    try:
        flat_field.read(config.camera.flat_field, config.camera.width, columns)
    except flat_field.FlatFieldError as error:
        return [(False, "camera.flat_field", str(error))]
    return []


def _gpu_faults(config: Config, recipes: Sequence[Recipe]) -> Told:
    asked = [("workers.device", config.workers.device)]
    if any(recipe.classifier.mode != "off" for recipe in recipes):
        asked.append(("classify.device", config.classify.device))
    keys = [key for key, device in asked if device == "cuda"]
    why = why_no_gpu() if keys else None
    return [] if why is None else [(False, key, f"found cuda, but there is no GPU: {why}; take auto") for key in keys]


def _screen_faults(web: Web, state: Path | None, *, service: bool) -> Told:
    """Why nobody could see the screen; the line would run without it."""
    if not web.enabled:
        return []
    told: Told = []
    try:
        # What the service may read, and who checks it may not, is another question.
        if web.tls is not None and not (service and any(not os.access(file, os.R_OK) for _, file in web_files(web))):
            Certificate(web.tls.certificate, web.tls.key)
    except TlsError as error:
        told.append((False, "web.tls", str(error)))
    try:
        if state is not None:
            expect_users(Served.by(web), state)
    except BookError as error:
        told.append((False, "web.host", str(error)))
    return told


def _state_faults(config: Config) -> tuple[Told, Path | None]:
    """Why the state directory cannot be made or written; and its path, where there may be one."""
    key = "state_directory"
    try:
        path = state_path(config).absolute()
    except StateError as error:
        return [(False, key, str(error))], None
    nearest = path
    while True:
        try:
            os.stat(nearest)  # noqa: PTH116 - any error is told, not only that it is missing
            break
        except FileNotFoundError:
            nearest = nearest.parent
        except OSError as error:
            return [(False, key, f"cannot use {path}: {error.strerror}; choose another")], None
    if not nearest.is_dir():
        return [(False, key, f"cannot use {path}: {nearest} is no directory; choose another")], None
    if not os.access(nearest, os.W_OK | os.X_OK):
        return [(False, key, f"cannot write to {nearest}: check its owner and permissions, or choose another")], path
    return [], path


def _address(config: Config) -> tuple[Told, Told]:
    """Why the address of /metrics can never be had: faults; and why not just now: warnings."""
    host, port = config.telemetry.host, config.telemetry.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except (OSError, UnicodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            message = f"port {port} of {host} is in use, so that `linesentry run` does not start now"
            return [], [(False, "telemetry.port", f"{message}; stop what uses it, or take another")]
        return [(False, "telemetry.host", f"cannot serve metrics on {host}:{port}: {reason}")], []
    return [], []
