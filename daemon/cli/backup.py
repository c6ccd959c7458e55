"""`linesentry backup`: a copy of the results, for safety, or for people who may not read the service's directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from config.errors import printable
from daemon.cli.options import ConfigOption, StateOption, configured, fail


def backup(
    folder: Annotated[Path, typer.Argument(help="folder of the copy; one that is there is replaced")],
    group: Annotated[str | None, typer.Option(help="name or number of the group whose members may read it")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Copy the results while the service runs. Read them with `linesentry results --state FOLDER`."""
    from daemon.store.backup import backup as copied  # noqa: PLC0415 - commands load what they need
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415

    settings, _ = configured(config, None, state)
    try:
        copy = copied(state_path(settings), folder, group)
    except (StoreError, StateError) as error:
        fail(str(error))
    except LookupError:
        fail(f"there is no group '{printable(group or '')}'", 2)
    except OSError as error:
        fail(f"{printable(str(folder))}: the copy cannot be written: {error.strerror or error}")
    typer.echo(f"written: {printable(str(copy))}, {copy.stat().st_size / 1e6:.1f} MB")
