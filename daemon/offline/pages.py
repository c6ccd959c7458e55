"""Pages of HTML that hold their plots and pictures themselves, so that a page is one file."""

from __future__ import annotations

import base64
import io
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def page(template: str, *packages: str, **values: Any) -> str:  # noqa: ANN401 - its names
    """One HTML page that needs no other file, by a template of the first package.

    What it includes may be of any of them, or of this folder. Values are escaped.
    """
    import jinja2  # noqa: PLC0415 - only for those who want a page

    folders = [files(name) for name in (*packages, "daemon.offline")]

    def read(name: str) -> str | None:
        return next((file.read_text("utf-8") for one in folders if (file := one.joinpath(name)).is_file()), None)

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template).render(**values)


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
