"""How the line is, area by area, for a page that says it in words."""

from __future__ import annotations

from config.schema import Config
from daemon.wire.messages import Area, LineState
from stages.plc import Trouble

_PASSES = frozenset({Trouble.ATTENTION, Trouble.STARTING, Trouble.STOPPING})
"""With these nothing has failed that an inspection needs, or it belongs to normal work."""


def health(state: LineState, config: Config) -> list[dict[str, object]]:
    """Each area with its state (works, attention, fault, nothing_known, none_here) and what is said of it."""
    return [_area(area, state, config) for area in Area]


def _area(area: Area, state: LineState, config: Config) -> dict[str, object]:
    troubles = [one for one in state.troubles if one.area is area]
    optics = list(state.optics or ()) if area is Area.LIGHT else []
    if any(one.trouble not in _PASSES for one in troubles):
        how = "fault"
    elif troubles or optics:
        how = "attention"
    elif area is Area.LIGHT and state.optics is None:
        how = "nothing_known"
    elif area is Area.PLC and not config.outputs.all:
        how = "none_here"
    else:
        how = "works"
    said = [{"trouble": str(one.trouble), "text": one.text} for one in troubles]
    return {"area": str(area), "state": how, "troubles": said, "optics": [str(one) for one in optics]}
