"""`linesentry results`: the latest plates, as a table or as JSON."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from daemon.cli.options import ConfigOption, JsonOption, StateOption, configured, console, fail
from daemon.telemetry.printing import say


def results(
    json_: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, help="plates, the latest first")] = 20,
    verdict: Annotated[Literal["OK", "NG", "INCONCLUSIVE"] | None, typer.Option(help="only these")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """List the latest plates with their verdicts."""
    from daemon.store.journal import JournalError, journal_path, read_journal  # noqa: PLC0415
    from daemon.store.reading import read_results  # noqa: PLC0415 - commands load what they need
    from daemon.store.results import StoreError, store_path  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415
    from daemon.store.view import results_json, show_results  # noqa: PLC0415
    from stages.plate import Verdict  # noqa: PLC0415

    settings, _ = configured(config, None, state)
    try:
        directory = state_path(settings)
        path = store_path(directory)
        if not path.exists():
            if last := read_journal(journal_path(directory)).last:
                fail(f"{path} is gone, and numbers up to {last} were given: put it back, or restore a backup")
            fail(f"there are no results at {path}: run `linesentry run`, or name another directory with --state")
        found = read_results(directory, limit, verdict=Verdict(verdict) if verdict else None)
    except (StoreError, StateError, JournalError) as error:
        fail(str(error))
    if json_:
        for row in found.plates:
            typer.echo(json.dumps(results_json(row)))
    else:
        show_results(console(), found.plates, found.ledger)
    for note in found.notes:
        say(f"linesentry: {note}")
