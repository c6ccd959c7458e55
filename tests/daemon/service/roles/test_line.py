"""The line process and the images of a folder that cannot be read."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.service.roles.line import LineProcess
from models.images.source import ImageError
from stages.camera import Strip
from stages.events import LineEnded, StripDelivered, SwitchHeard

STRIP = Strip(1, 0, 8, (), level=False)


class Source:
    """Gives what it was told to, or raises it."""

    def __init__(self, *steps: Strip | Exception | None) -> None:
        self._steps = iter(steps)

    def next_strip(self, _into: object) -> Strip | None:
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        return step


def line(*steps: Strip | Exception | None) -> Any:
    """A line with two buffers and an acquisition that listens, and what it said."""
    made: Any = LineProcess.__new__(LineProcess)
    made._source, made._buffers, made._spare = Source(*steps), [None, None], None
    made._free, made._out, made._listener = [0, 1], {}, "acquire-0"
    made._ended, made._unread, made._rows, made._first_at = False, 0, 0, None
    made.said, made.logged = [], Counter()
    made.supervisor = SimpleNamespace(send=lambda body, _now: made.said.append(body))
    made._camera = SimpleNamespace(send=lambda _peer, body, _now: made.said.append(body))
    made.log = SimpleNamespace(warning=lambda text, error: made.logged.update([f"{text}: {error}"]))
    made.config = SimpleNamespace(camera=SimpleNamespace(line_rate_hz=None))
    return made


def test_an_image_that_cannot_be_read_is_left_out_and_the_line_goes_on() -> None:
    made = line(ImageError("cut off"), STRIP, ValueError("too wide"), None)
    for _ in range(4):
        made.tick(1.0)
    assert [type(body) for body in made.said] == [SwitchHeard, StripDelivered, LineEnded, LineEnded]
    assert set(made.logged) == {"an image is left out: cut off", "an image is left out: too wide"}
    assert sorted([*made._free, *made._out]) == [0, 1]


def test_a_folder_of_which_nothing_can_be_read_is_no_line() -> None:
    made = line(*[ImageError("cut off")] * 101)
    for _ in range(100):
        made.tick(1.0)
    with pytest.raises(ImageError):
        made.tick(1.0)
