"""The options of `linesentry torture`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option


@dataclass(frozen=True, slots=True)
class TortureOptions:
    """What is ordered."""

    minutes: Annotated[float, Option(min=0.01, help="how long the line is struck")] = 5.0
    seed: Annotated[int | None, Option(min=0, help="of the plan; default: another one each time")] = None
    rate: Annotated[float, Option(min=100, help="rows a second; choose one that this machine holds")] = 3000.0
    keep: Annotated[Path | None, Option(help="a new directory to work in, which is kept")] = None
    json: Annotated[bool, Option("--json", help="JSON on stdout, and nothing else there")] = False
