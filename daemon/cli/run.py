"""`linesentry run`: the service, with a picture of it where a person watches."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, SetOption, StateOption, console, fail, runnable


def run(
    config: ConfigOption = None,
    plates: Annotated[int | None, typer.Option(min=1, help="stop after so many plates; default: run for ever")] = None,
    set_: SetOption = None,
    state: StateOption = None,
) -> None:
    """Run the service: the line's rows in, verdicts out, until SIGTERM or --plates."""
    from config.assignments import parse_overrides  # noqa: PLC0415 - commands load what they need
    from config.load import with_overrides  # noqa: PLC0415
    from daemon.service.plans import ServiceError  # noqa: PLC0415
    from daemon.service.sockets import SocketDirectoryError  # noqa: PLC0415
    from daemon.service.supervisor import Supervisor  # noqa: PLC0415
    from daemon.store.journal import JournalError  # noqa: PLC0415
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.state import StateDirectory, StateError  # noqa: PLC0415
    from daemon.telemetry.logs import configure  # noqa: PLC0415
    from daemon.telemetry.server import TelemetryError  # noqa: PLC0415
    from daemon.wire.plate_memory import PlateMemoryError  # noqa: PLC0415

    settings, recipe = runnable(config, set_, state, plates)
    # Not what rich takes for one: colours may be forced upon a pipe.
    watched = sys.stdout.isatty()
    if watched and "telemetry.log_level" not in parse_overrides(set_ or []):
        # Log lines would run through the picture.
        settings = with_overrides(settings, {"telemetry.log_level": "error"})
    configure("supervisor", level=settings.telemetry.log_level)
    try:
        directory = StateDirectory.of(settings)
        if not watched:
            supervisor = Supervisor(settings, recipe, directory, plates=plates)
            code = supervisor.run()
        else:
            from daemon.cli.terminal import TerminalView  # noqa: PLC0415 - a service that nobody watches has no screen

            view = TerminalView(console())
            supervisor = Supervisor(settings, recipe, directory, plates=plates, observer=view)
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
    raise typer.Exit(code)
