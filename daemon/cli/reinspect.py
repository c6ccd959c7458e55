"""`linesentry reinspect`: the plates of the archive through a candidate, and what it would change."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from config.errors import printable
from daemon.cli.filters import Filters
from daemon.cli.options import configured, console, fail, takes_order
from daemon.cli.results import results_of
from daemon.telemetry.printing import SafeConsole, say

if TYPE_CHECKING:
    from config.schema import Config, Recipe
    from daemon.lab.reinspect.held import Held
    from daemon.offline.reinspect.candidate import Candidate
    from daemon.offline.reinspect.plate import Job, Outcome

NOT_ALL, WRONG, INTERRUPTED = 1, 2, 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinspect(Filters):
    """Inspect archived plates anew by a candidate, and tell what it would change."""

    recipe: Annotated[
        str | None, Option(help="candidate: recipe name or file; default: the one that the configuration names")
    ] = None
    weights: Annotated[
        Path | None, Option(help="candidate: weights of the detector, in place of the recipe's", metavar="FILE")
    ] = None
    judged_by: Annotated[str | None, Option(help="plates that were judged by the recipe of that name")] = None
    out: Annotated[
        Path, Option(help="folder for the report, and for what is inspected: a run that is repeated goes on there")
    ] = Path("reinspected")
    workers: Annotated[
        int | None, Option(min=1, max=256, help="processes; default: one a core, as far as memory goes")
    ] = None
    dask: Annotated[
        str | None, Option(help="inspect by the workers of this Dask scheduler: tcp://HOST:8786", metavar="ADDRESS")
    ] = None
    archive: Annotated[
        str | None,
        Option(
            help="the archive as the workers see it: a folder, or an address that fsspec knows; default: as the store "
            "says",
            metavar="ADDRESS",
        ),
    ] = None
    json: Annotated[bool, Option("--json", help="JSON on stdout, a line for each plate")] = False
    csv: Annotated[bool, Option("--csv", help="CSV on stdout: a line for each plate, and for each change")] = False


@takes_order
def reinspect(order: Reinspect) -> None:
    """Inspect archived plates anew by a candidate, and tell what it would change."""
    if order.json and order.csv:
        fail("--json and --csv are two forms: give one", WRONG)
    if order.dask is not None and order.workers is not None:
        fail("--dask has its own workers: give it or --workers", WRONG)
    config, recipe = _recipe(order)
    try:
        plates, candidate = _plates(order, config, recipe)
    except KeyboardInterrupt:
        say("linesentry reinspect: interrupted; what is inspected is kept: the same command goes on there")
        raise typer.Exit(INTERRUPTED) from None
    _tell(order, plates, candidate)


def _recipe(order: Reinspect) -> tuple[Config, Recipe]:
    from config.errors import ConfigError  # noqa: PLC0415 - commands load what they need
    from config.load import load_recipe  # noqa: PLC0415

    config, recipe = configured(order.config, None, order.state)
    try:
        recipe = recipe if order.recipe is None else load_recipe(order.recipe)
    except ConfigError as error:
        fail(str(error), WRONG)
    return config, recipe if order.weights is None else recipe.model_copy(update={"weights": str(order.weights)})


def _plates(order: Reinspect, config: Config, recipe: Recipe) -> tuple[list[Held], Candidate]:
    """What came of each plate of the selection."""
    from daemon.lab.progress import Teller  # noqa: PLC0415 - commands load what they need
    from daemon.lab.reinspect.command import file_of  # noqa: PLC0415
    from daemon.lab.reinspect.command import reinspect as inspect_anew  # noqa: PLC0415
    from daemon.offline.reinspect.candidate import CandidateError, candidate_of  # noqa: PLC0415
    from daemon.offline.reinspect.cluster import ClusterError  # noqa: PLC0415
    from daemon.offline.reinspect.kept import Kept  # noqa: PLC0415
    from daemon.store.state import state_path  # noqa: PLC0415

    with results_of(replace(order, recipe=order.judged_by)) as (found, selection):
        rows = list(found.plates(selection))
        notes = list(found.notes)
    products = sorted({row.product for row in rows if row.product is not None})
    if len(products) > 1:
        notes.append(f"these plates are of several products, {', '.join(products)}: --product names one")
    for note in notes:
        say(f"linesentry: {note}")
    if not rows:
        fail("no plate is selected: `linesentry results` with the same options says which there are")
    try:
        candidate = candidate_of(recipe, config)
        kept = Kept(order.out, candidate)
        with Teller("linesentry reinspect", SafeConsole(stderr=True)) as teller:
            place = partial(file_of, state=state_path(config), archive=order.archive)
            return inspect_anew(rows, recipe, kept, partial(_engine, order, candidate), place, teller), candidate
    except (CandidateError, ClusterError) as error:
        fail(str(error), WRONG)
    except OSError as error:
        fail(f"{order.out} cannot be written: {error.strerror or error}")


def _engine(order: Reinspect, candidate: Candidate, jobs: Sequence[Job]) -> Iterator[Outcome]:
    from daemon.offline.reinspect.cluster import by_dask  # noqa: PLC0415 - commands load what they need
    from daemon.offline.reinspect.plate import Inspector  # noqa: PLC0415
    from daemon.offline.reinspect.processes import by_processes, usual_workers  # noqa: PLC0415

    if order.dask is not None:
        return by_dask(candidate, jobs, order.dask)
    workers = min(len(jobs), usual_workers() if order.workers is None else order.workers)
    # Here first: a candidate of no use is told at once, and one process needs no other.
    inspector = Inspector(candidate)
    return map(inspector.inspect, jobs) if workers == 1 else by_processes(candidate, jobs, workers)


def _tell(order: Reinspect, plates: Sequence[Held], candidate: Candidate) -> None:
    """The page, and what was asked for on stdout; ends the command with 1 where plates could not be inspected anew."""
    from daemon.lab.reinspect.columns import REINSPECT_COLUMNS, change_rows, to_json  # noqa: PLC0415
    from daemon.lab.reinspect.figures import figures  # noqa: PLC0415 - commands load what they need
    from daemon.lab.reinspect.held import is_faulty  # noqa: PLC0415
    from daemon.lab.reinspect.page import page  # noqa: PLC0415
    from daemon.lab.reinspect.tables import headline, tables  # noqa: PLC0415
    from daemon.offline.reinspect.kept import Kept  # noqa: PLC0415
    from daemon.store.tables import CsvTable  # noqa: PLC0415
    from models.machine.files import whole  # noqa: PLC0415

    found = figures(plates)
    try:
        kept = Kept(order.out, candidate)
        with whole(kept.page) as part:
            part.write_text(page(plates, found, _facts(candidate), kept), "utf-8")
    except OSError as error:
        fail(f"{order.out} cannot be written: {error.strerror or error}")
    if order.json:
        for plate in plates:
            sys.stdout.write(json.dumps(to_json(plate), allow_nan=False) + "\n")
    elif order.csv:
        table = CsvTable(sys.stdout, REINSPECT_COLUMNS)
        for plate in plates:
            for row in change_rows(plate):
                table.add(row)
    else:
        for one in tables(plates, found):
            console().print(one)
        console().print(headline(found), markup=False)
    say(f"linesentry: side by side in {kept.page}")
    faults = sum(map(is_faulty, plates))
    if faults:
        say(f"linesentry: {faults} plates could not be inspected anew: nothing is known of them")
        raise typer.Exit(NOT_ALL)


def _facts(candidate: Candidate) -> dict[str, Any]:
    return {
        "command": printable(shlex.join(["linesentry", *sys.argv[1:]])),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **{name: "none" if value is None else value for name, value in candidate.facts.items()},
        "candidate": candidate.digest,
    }
