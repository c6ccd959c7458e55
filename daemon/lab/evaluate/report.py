"""What evaluations share: how their figures are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from daemon.telemetry.printing import say

WRONG, INTERRUPTED = 2, 130
_Pictures = TypeVar("_Pictures")


def answer(
    evaluate: Callable[[], tuple[dict[str, Any], _Pictures]],
    drawn: Callable[[dict[str, Any], _Pictures], str],
    tables: Callable[[dict[str, Any]], Sequence[Table]],
    refusals: tuple[type[Exception], ...],
    *,
    console: Console,
    html: Path | None,
    figures: Path | None,
) -> int:
    """Evaluate, and write what was asked for.

    Args:
        evaluate: gives the figures, as values that JSON knows, and what the page shows beside them.
        drawn: makes the page of both.
        tables: of the figures.
        refusals: what is raised where something asked for cannot be used.
        console: stdout, for the tables.
        html: where the page goes.
        figures: where the figures go as JSON; - for stdout, in place of the tables.

    Returns:
        0; 2 with one line on stderr when something asked for cannot be used; 130 after Ctrl-C.
    """
    unusable: tuple[type[Exception], ...] = (*refusals, OSError)
    try:
        for path in (html, figures):
            if path is not None and not path.parent.is_dir():
                raise OSError(f"{path} cannot be written: there is no folder {path.parent}")
        result, pictures = evaluate()
        text = json.dumps(result, allow_nan=False)
        if html is not None:
            html.write_text(drawn(result, pictures), "utf-8")
        if figures is not None and str(figures) != "-":
            figures.write_text(text + "\n", "utf-8")
    except unusable as error:
        say(f"linesentry evaluate: {error}")
        return WRONG
    except KeyboardInterrupt:
        say("linesentry evaluate: interrupted; nothing was written")
        return INTERRUPTED
    if str(figures) == "-":
        print(text)  # noqa: T201 - the same
    else:
        for table in tables(result):
            console.print(table)
    return 0


def shown(value: float | None, form: str = ".3f") -> str:
    """A figure as text; a dash where there is none."""
    return "-" if value is None else f"{value:{form}}"
