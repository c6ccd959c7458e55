"""`linesentry archive`: which plates have a file of their pixels, and whether the files are as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption, StateOption, configured, console, fail

if TYPE_CHECKING:
    from daemon.store.archive import ArchivedFile

archive = typer.Typer(name="archive", no_args_is_help=True, help="Look at the archive of plates, and check it.")

PlatesArgument = Annotated[list[int] | None, typer.Argument(min=1, help="numbers of plates; default: all")]


@archive.command("list")
def list_(
    plates: PlatesArgument = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """List the plates that have a file, the oldest first, with where it lies."""
    from config.errors import shown_bytes  # noqa: PLC0415 - commands load what they need

    found = _files(plates, config, state)
    for one in found:
        if json_:
            typer.echo(json.dumps(_json(one)))
        else:
            words = "" if one.verdict is None else one.verdict.value
            console().print(f"{one.plate:>6} {words:<12} {shown_bytes(one.bytes):>9} {one.path}", soft_wrap=True)
    if not json_:
        typer.echo(f"{len(found)} files, {shown_bytes(sum(one.bytes for one in found))}")


@archive.command()
def verify(
    plates: PlatesArgument = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Check each file against the checksum that is stored with its plate; code 1 when one is changed or gone."""
    from daemon.store.archive import fault_of  # noqa: PLC0415 - commands load what they need
    from daemon.telemetry.printing import say  # noqa: PLC0415

    found, bad = _files(plates, config, state), 0
    for number, one in enumerate(found, start=1):
        fault = fault_of(one)
        bad += fault is not None
        if json_:
            typer.echo(json.dumps(_json(one) | {"fault": fault}))
        elif fault is not None:
            say(f"linesentry: plate {one.plate}: {fault}")
        elif number % 100 == 0:
            typer.echo(f"{number} of {len(found)} files are read")
    if not json_:
        typer.echo(f"{len(found) - bad} of {len(found)} files are as they were written")
    if bad:
        raise typer.Exit(1)


def _files(plates: list[int] | None, config: Path | None, state: Path | None) -> list[ArchivedFile]:
    from daemon.store.archive import files  # noqa: PLC0415 - commands load what they need
    from daemon.store.results import Store, StoreError, store_path  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415
    from daemon.store.where import is_there  # noqa: PLC0415

    settings, _ = configured(config, None, state)
    try:
        path = store_path(state_path(settings))
        if not is_there(path):
            fail(f"there are no results at {path}: run `linesentry run`, or name another directory with --state")
        with Store.open(path, read_only=True) as store:
            found = files(store, plates or [])
    except (StoreError, StateError) as error:
        fail(str(error))
    if lacking := sorted(set(plates or []) - {one.plate for one in found}):
        fail(f"plate {lacking[0]} has no file in the archive; `linesentry results --json` says why")
    return found


def _json(one: ArchivedFile) -> dict[str, object]:
    return {
        "plate": one.plate,
        "verdict": one.verdict,
        "path": str(one.path),
        "bytes": one.bytes,
        "sha256": one.sha256,
        "marked": one.marked,
    }
