"""`linesentry mark`: what a person says of a plate's defects, beside a running service."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption, StateOption, caller, configured, fail
from stages.mark import WHYS, Mark, MarkKind, Place, Shape

_WHY = "; ".join(f"{kind}: {', '.join(words)}" for kind, words in WHYS.items())
_HOW = "give one of --confirmed, --false-alarm, --missed X0,Y0,X1,Y1, --missed-line X0,Y0,X1,Y1, --withdraw"


def mark(
    plate: Annotated[int, typer.Argument(min=1, help="number of the plate, as `linesentry results` shows it")],
    defect: Annotated[
        int | None, typer.Argument(min=1, help="number of the defect, as in its picture; none for a missed crack")
    ] = None,
    confirmed: Annotated[bool, typer.Option("--confirmed", help="the defect is one")] = False,
    false_alarm: Annotated[bool, typer.Option("--false-alarm", help="the defect is none")] = False,
    missed: Annotated[
        str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="a crack in this box was not found, px of the plate")
    ] = None,
    missed_line: Annotated[
        str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="a crack along this line was not found")
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="what was said of it does not hold any more")] = False,
    why: Annotated[str | None, typer.Option(help=f"a word of the list; {_WHY}")] = None,
    who: Annotated[str | None, typer.Option(help="name of who says so; default: the user")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Say whether a defect is one, or where a crack was missed. The verdict stays as it is."""
    from daemon.store.marks import MarkError, add_mark, said  # noqa: PLC0415 - commands load what they need
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.shared import use_shared  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415
    from daemon.store.view import mark_json  # noqa: PLC0415

    settings, _ = configured(config, None, state)
    place = _place(missed, missed_line)
    kind = _kind(confirmed=confirmed, false_alarm=false_alarm, place=place, withdraw=withdraw)
    if place is None and defect is None and not withdraw:
        fail("name the defect: linesentry mark PLATE DEFECT; `linesentry results --json` lists them", 2)
    new = Mark(plate, kind, caller() if who is None else who, datetime.now(UTC), defect, place, why)
    try:
        stored = use_shared(state_path(settings), lambda store: add_mark(store, new))
    except MarkError as error:
        fail(str(error), 2)
    except (StoreError, StateError) as error:
        fail(str(error))
    typer.echo(json.dumps(mark_json(stored)) if json_ else said(stored))


def _kind(*, confirmed: bool, false_alarm: bool, place: Place | None, withdraw: bool) -> MarkKind:
    """The one thing that is said; ends the command with code 2 where it is none or several."""
    if withdraw and not (confirmed or false_alarm):
        return MarkKind.WITHDRAWN
    said = {MarkKind.CONFIRMED: confirmed, MarkKind.FALSE_ALARM: false_alarm, MarkKind.MISSED: place is not None}
    if sum(said.values()) != 1 or withdraw:
        fail(_HOW, 2)
    return next(kind for kind, given in said.items() if given)


def _place(missed: str | None, missed_line: str | None) -> Place | None:
    """Where a crack was missed; ends the command with code 2 where that cannot be understood."""
    from config.errors import printable  # noqa: PLC0415 - commands load what they need

    if missed is not None and missed_line is not None:
        fail(_HOW, 2)
    text = missed if missed is not None else missed_line
    if text is None:
        return None
    words = text.split(",")
    if len(words) != 4 or not all(word.strip().isdecimal() and len(word) < 10 for word in words):
        fail(f"'{printable(text)}' is no place: give four whole numbers, X0,Y0,X1,Y1, in px of the plate", 2)
    x0, y0, x1, y1 = map(int, words)
    return Place(Shape.LINE if missed is None else Shape.BOX, x0, y0, x1, y1)
