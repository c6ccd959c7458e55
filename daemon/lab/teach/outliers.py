"""Which sheets are not like the others: out of focus, or with something on them that the others have not.

Medians and median deviations are used, so that up to one in five odd sheets hardly move what the others look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from daemon.lab.teach.look import Looked
from daemon.lab.teach.places import Offset, Place, on_sheet
from models.detector.findings import evidence_over
from models.measure.matching import meets_any
from stages.plate import Cause, Defect

_BLURRED = 0.6
"""A sheet with less than so large a share of the others' focus is out of focus."""
_FAR = 3.0
"""Deviations beyond which an alarm is not like those of the other sheets."""
_LEAST_DEVIATION = 0.7
"""Feature units: a third of what tells a crack from what is at the floor."""
_MOST_ODD = 5
"""At most one sheet in so many is left out for its alarms: were it more, they would be the rule."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A sheet that is not like the others."""

    looked: Looked
    why: str
    alarm: Defect | None = None
    """What stands out on it; None where it is the whole picture."""
    left_out: bool = True
    """False: it is told, and used, for too many others are odd too."""


def odd_sheets(looked: Sequence[Looked], where: Sequence[Offset], places: Sequence[Place]) -> list[Odd]:
    """The sheets that are not like the others, with the reason."""
    focus = [one.plate.quality.focus for one in looked]
    usual = float(np.median(focus))
    odd = [found for one, sharp in zip(looked, focus, strict=True) if (found := _picture(one, sharp, usual))]
    sound = [one for one in looked if all(one is not other.looked for other in odd)]
    if not sound:
        return odd
    offset_of = {id(one): offset for one, offset in zip(looked, where, strict=True)}
    own = [_own(one, offset_of[id(one)], places) for one in sound]
    highest = np.array([evidence_over(alarms[0].score) if alarms else -1.0 for alarms in own])
    middle = float(np.median(highest))
    deviation = max(_LEAST_DEVIATION, 1.4826 * float(np.median(np.abs(highest - middle))))
    standing = sorted(np.flatnonzero(highest > middle + _FAR * deviation), key=lambda index: -highest[index])
    for rank, index in enumerate(standing):
        words = (
            f"something on it stands {highest[index]:.1f} feature units above the floor, on the others "
            f"{max(middle, -1.0):.1f}: an overlooked crack?"
        )
        odd.append(Odd(sound[index], words, own[index][0], left_out=rank < len(looked) // _MOST_ODD))
    return odd


def _picture(one: Looked, focus: float, usual: float) -> Odd | None:
    if focus < _BLURRED * usual:
        return Odd(one, f"out of focus: {focus:.3f}, the others {usual:.3f}")
    if set(one.plate.causes) - {Cause.DEFECT, Cause.CLASSIFIER_LATE}:
        causes = ", ".join(cause.value for cause in one.plate.causes if cause is not Cause.DEFECT)
        return Odd(one, f"the picture itself is in doubt: {causes}")
    return None


def _own(one: Looked, offset: Offset, places: Sequence[Place]) -> list[Defect]:
    """Alarms that stand at no place of the die, the strongest first."""
    common = [on_sheet(place, offset) for place in places]
    boxes = [(alarm.x, alarm.y, alarm.width, alarm.height) for alarm in one.alarms]
    return [alarm for alarm, known in zip(one.alarms, meets_any(boxes, common), strict=True) if not known]
