"""Which plates a command is about: options that several commands share (daemon/store/asked.py understands them)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from daemon.cli.options import StateOption

_MOMENTS = "2026-11-29, 2026-11-29T06:00, 06:00 (today), 30m, 3h or 2d (ago), today or yesterday"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which plates, and of which results."""

    since: Annotated[str | None, Option(help=f"seen then or later: {_MOMENTS}")] = None
    until: Annotated[str | None, Option(help="seen before; a day is taken whole")] = None
    shift: Annotated[
        str | None, Option(help="seen in that shift of any day: a name of the configuration, or 06:00-14:00")
    ] = None
    product: Annotated[str | None, Option(help="of that product")] = None
    recipe: Annotated[str | None, Option(help="judged by the recipe of that name")] = None
    batch: Annotated[str | None, Option(help="of that batch")] = None
    part: Annotated[str | None, Option(help="with that part id")] = None
    verdict: Annotated[Literal["OK", "NG", "INCONCLUSIVE"] | None, Option(help="with that verdict")] = None
    cause: Annotated[str | None, Option(help="with that cause: focus, 'rows missing'")] = None
    marked: Annotated[bool, Option("--marked", help="of which somebody marked something")] = False
    place: Annotated[
        str | None, Option(help="with a defect there: a box X0,Y0,X1,Y1 or a circle X,Y,RADIUS, px of the plate")
    ] = None
    config: Annotated[Path | None, Option("--config", "-c", help="configuration file; default: the one that ships")] = (
        None
    )
    state: StateOption = None
