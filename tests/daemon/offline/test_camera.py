"""What is shown of a camera's features beside what the configuration asks, with a real producer."""

from __future__ import annotations

import pytest

from config.load import load_recipe
from daemon.cameras.features import Value
from daemon.offline.camera import features
from tests.daemon.cameras import viky


@viky.needs_genicam
@pytest.mark.parametrize(
    ("name", "value", "asked", "differs"),
    [
        ("ChunkModeActive", True, "true", False),
        ("ChunkModeActive", False, "false", True),
        # On and Off of an enumeration are written as true and false too.
        ("GenDCStreamingMode", False, "Off", False),
        ("GenDCStreamingMode", True, "On", True),
        ("BouncingBallSize", "0x14", "0x14", False),
        ("BouncingBallSize", 21, "21", True),
        ("BouncingBallSize", "large", "large", True),
    ],
)
def test_what_is_asked_is_compared_as_it_would_be_set(name: str, value: Value, asked: str, differs: bool) -> None:
    _, shown, lacking = features(viky.configured(features={name: value}), load_recipe("P10B"))
    (one,) = [one for one in shown if one.feature.name == name]
    assert (one.asked, one.differs) == (asked, differs)
    assert lacking == []
