"""What can be asked of the simulator: sheets, with the options, defaults and help that the command line shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option


class Interference(StrEnum):
    """Disturbances that a sheet can have."""

    OIL = "oil"
    NOISE = "noise"
    LIGHT = "light"


FAMILIES = ("shaded", "drawn")
"""Yardsticks: other makers of sheets, which share no formula with the products' simulator."""


@dataclass(frozen=True, slots=True)
class MakeSheets:
    """Render sheets into a folder."""

    out: Annotated[Path, Argument(help="folder to write to")]
    product: Annotated[str, Option(help="P10B, 02CG, EA10B or U20B")] = "P10B"
    family: Annotated[
        Literal["shaded", "drawn"] | None,
        Option(help="in place of a product: sheets by other formulas, as a yardstick; nothing is trained on them"),
    ] = None
    die: Annotated[int, Option(min=0, help="of the family: sheets of one die are alike")] = 0
    plates: Annotated[int, Option(min=1, help="how many sheets")] = 1
    seed: Annotated[int, Option(min=0, help="the first sheet's seed; sheet k has seed + k")] = 1
    density: Annotated[int | None, Option(min=0, help="microcracks a sheet; default: the reference's")] = None
    interference: Annotated[tuple[Interference, ...], Option(help="may be repeated")] = ()
    strength: Annotated[float, Option(min=0, help="of the interference; 1 is the reference's")] = 1.0
    format: Annotated[Literal["png", "tiff"], Option(help="PNG, or tiled TIFF")] = "png"
