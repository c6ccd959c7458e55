"""How the line is, area by area."""

from __future__ import annotations

import pytest

from config.load import load_config
from config.schema import Config
from daemon.web.line.health import health
from daemon.wire.messages import Area, LineState, LineTrouble
from stages.optics import OpticalFault
from stages.plc import Trouble
from tests.daemon.web.conftest import line_state


def states(state: LineState, config: Config | None = None) -> dict[str, object]:
    return {str(one["area"]): one["state"] for one in health(state, config or load_config(None))}


def test_what_is_well_works_and_what_is_not_known_or_not_there_is_said_so() -> None:
    assert states(line_state()) == {
        "camera": "works",
        "light": "nothing_known",
        "processes": "works",
        "disk": "works",
        "plc": "none_here",
        "verdicts": "works",
    }
    assert states(line_state(optics=()))["light"] == "works"


@pytest.mark.parametrize("area", list(Area))
@pytest.mark.parametrize("trouble", list(Trouble))
def test_each_trouble_is_a_fault_of_its_area_or_needs_a_look(area: Area, trouble: Trouble) -> None:
    ill = line_state(troubles=(LineTrouble(area, trouble, "why"),))
    passes = trouble in (Trouble.ATTENTION, Trouble.STARTING, Trouble.STOPPING)
    assert states(ill)[area] == ("attention" if passes else "fault")
    assert states(ill) | {area: None} == states(line_state()) | {area: None}
    (said,) = [one["troubles"] for one in health(ill, load_config(None)) if one["area"] == area]
    assert said == [{"trouble": str(trouble), "text": "why"}]


def test_a_fault_of_the_optics_needs_a_look_at_the_light() -> None:
    dusty = line_state(optics=(OpticalFault.DUST, OpticalFault.UNEVEN))
    light = next(one for one in health(dusty, load_config(None)) if one["area"] == "light")
    assert (light["state"], light["optics"]) == ("attention", ["dust", "uneven light"])
