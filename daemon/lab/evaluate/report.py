"""What evaluations share: how their figures are written, and pages that hold their plots and pictures themselves."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from daemon.telemetry.printing import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def page(template: str, *, package: str = "daemon.lab.evaluate", **values: Any) -> str:  # noqa: ANN401 - its names
    """One HTML page that needs no other file, by a template of that package; what it includes may be of this folder."""
    import jinja2  # noqa: PLC0415 - only for those who want a page

    folders = [files(name) for name in dict.fromkeys((package, "daemon.lab.evaluate"))]

    def read(name: str) -> str | None:
        return next((file.read_text("utf-8") for one in folders if (file := one.joinpath(name)).is_file()), None)

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template).render(**values)


def shown(value: float | None, form: str = ".3f") -> str:
    """A figure as text; a dash where there is none."""
    return "-" if value is None else f"{value:{form}}"


def svg(figure: Figure) -> str:
    """As the data URL of an image: nothing of one drawing can clash with another's."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _url("svg+xml", buffer.getvalue())


def png(picture: NDArray[np.uint8]) -> str:
    """A picture, (rows, columns) or (rows, columns, blue green red), as a data URL."""
    return _url("png", cv2.imencode(".png", picture)[1].tobytes())


def _url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()
