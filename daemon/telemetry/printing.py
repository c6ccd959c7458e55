"""What people read at a terminal: nothing in a name or a message from outside can steer it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from config.errors import printable


class SafeConsole(Console):
    """A console that shows control characters of whatever it is given as text: only its own colours are colours."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and escape what would steer the terminal."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else printable(segment.text, lines=True)
            yield segment if text == segment.text else Segment(text, segment.style)


def say(text: str, *, error: bool = True) -> None:
    """Print a message of one or more lines, on stderr unless it is no error."""
    print(printable(text, lines=True), file=sys.stderr if error else sys.stdout, flush=True)
