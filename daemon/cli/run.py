"""`linesentry run`: the service, with a picture of it where a person watches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import ConfigOption, SetOption, StateOption, console, fail, runnable

if TYPE_CHECKING:
    from daemon.service.signals import Signals


def run(
    config: ConfigOption = None,
    plates: Annotated[int | None, typer.Option(min=1, help="stop after so many plates; default: run for ever")] = None,
    set_: SetOption = None,
    state: StateOption = None,
) -> None:
    """Run the service: the line's rows in, verdicts out, until SIGTERM or --plates."""
    from daemon.service.signals import Signals  # noqa: PLC0415 - commands load what they need

    # Before all else: what orders a stop must not be lost while the rest of the service is loaded.
    terminal = any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    with Signals(last=True, terminal=terminal) as signals:
        raise typer.Exit(_run(signals, config, plates, set_, state))


def _run(signals: Signals, config: Path | None, plates: int | None, set_: list[str] | None, state: Path | None) -> int:
    from config.assignments import parse_overrides  # noqa: PLC0415 - commands load what they need
    from daemon.service.plans import ServiceError  # noqa: PLC0415
    from daemon.service.screen_desk import ScreenDesk  # noqa: PLC0415
    from daemon.service.sockets import SocketDirectoryError  # noqa: PLC0415
    from daemon.service.supervisor import Supervisor  # noqa: PLC0415
    from daemon.store.journal import JournalError  # noqa: PLC0415
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.state import StateDirectory, StateError  # noqa: PLC0415
    from daemon.telemetry.logs import configure  # noqa: PLC0415
    from daemon.telemetry.server import TelemetryError  # noqa: PLC0415
    from daemon.wire.plate_memory import PlateMemoryError  # noqa: PLC0415

    sources = runnable(config, set_, state, plates)
    # Not what rich takes for one: colours may be forced upon a pipe.
    watched = sys.stdout.isatty()
    if watched and "telemetry.log_level" not in parse_overrides(set_ or []):
        # Log lines would run through the picture.
        sources = sources.also("telemetry.log_level=error")
    configure("supervisor", level=sources.config.telemetry.log_level)
    try:
        directory = StateDirectory.of(sources.config)
        if not watched:
            supervisor = Supervisor(sources, directory, signals, observers=[ScreenDesk()])
            code = supervisor.run()
        else:
            from daemon.cli.terminal import TerminalView  # noqa: PLC0415 - a service that nobody watches has no screen

            view = TerminalView(console())
            supervisor = Supervisor(sources, directory, signals, observers=[ScreenDesk(), view])
            with view:
                code = supervisor.run()
            view.summary(supervisor)
    except (
        ServiceError,
        SocketDirectoryError,
        StateError,
        StoreError,
        JournalError,
        PlateMemoryError,
        TelemetryError,
    ) as error:
        fail(str(error))
    if supervisor.refusal is not None:
        fail(supervisor.refusal, code)
    return code
