"""What a recipe finds on good sheets held apart, as they are and with painted cracks: before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from daemon.lab.chain import Chain
from daemon.lab.evaluate.detector_gallery import Gallery
from daemon.lab.teach.floor import Told, told
from daemon.lab.teach.look import Looked, alarms_of
from daemon.lab.teach.painted import painted
from daemon.lab.teach.places import Offset, Place, on_sheet
from models.measure.assessment import Found, Scored, Share
from models.measure.matching import Judgement, Match, meets_any
from models.measure.scored import outcome
from models.training.detector.metal import Paint
from stages.comparison import box_of
from stages.plate import Defect
from stages.verdict import makes_ng, standing


@dataclass(slots=True)
class Figures:
    """Of one recipe, added up over sheets."""

    match: Match = field(default_factory=Match)
    clean: int = 0
    """Good sheets as they are."""
    clean_ng: int = 0
    """Of those, how many alarm away from marks of the die."""
    veto_lost: int = 0
    """Painted cracks that only the classifier's veto kept from being found."""
    alarms: dict[str, tuple[Defect, ...]] = field(default_factory=dict)
    """On good sheets as they are, by sheet, away from marks."""
    on_marks: dict[int, int] = field(default_factory=dict)
    """Good sheets that alarm at each mark, by its number."""

    @property
    def recall(self) -> Share:
        """Painted cracks on which something was found."""
        return Share(self.match.true, self.match.true + self.match.missed)

    @property
    def precision(self) -> Share:
        """Of these and of what was found beside them, on painted sheets, the former."""
        return Share(self.match.true, self.match.true + self.match.false)

    @property
    def called_ng(self) -> Share:
        """Good sheets as they are that alarm."""
        return Share(self.clean_ng, self.clean)

    def told(self) -> dict[str, Any]:
        """As JSON has it."""
        each = {"recall": self.recall, "precision": self.precision, "good_called_ng": self.called_ng}
        shares = {
            name: {"count": one.count, "of": one.of, "share": one.share, "lower": one.lower, "upper": one.upper}
            for name, one in each.items()
        }
        return {**shares, "painted_cracks_vetoed": self.veto_lost}


class HeldApart:
    """The good sheets that nothing is learnt from, and where marks of the die lie on them."""

    def __init__(
        self, sheets: Sequence[Looked], where: Sequence[Offset], marks: Sequence[Place], paint: Paint, seed: int
    ) -> None:
        self.sheets = sheets
        self._places = marks
        self._marks = [[on_sheet(mark, offset) for mark in marks] for offset in where]
        self._paint, self._seed = paint, seed

    def told(self, chain: Chain, step: Callable[[], None]) -> list[Told]:
        """What a chain with a low floor says of the sheets, as they are and with cracks of a first seed painted."""
        found = []
        for index, one in enumerate(self.sheets):
            rng = np.random.default_rng((self._seed, 1, index))
            pixels = one.sheet.read()
            plain = chain.inspect(pixels).defects
            step()
            image, truth = painted(pixels, chain.recipe, self._paint, rng)
            found.append(told(one.sheet.name, plain, chain.inspect(image).defects, truth, self._marks[index]))
            step()
        return found

    def on_clean(self, chain: Chain, step: Callable[[], None]) -> list[tuple[Defect, ...]]:
        """The alarms of a chain on the sheets as they are."""
        found = []
        for one in self.sheets:
            found.append(alarms_of(chain.inspect(one.sheet.read()), chain.recipe))
            step()
        return found

    def standing(self, figures: Figures) -> list[Place]:
        """The marks that alarm on half of the sheets or more."""
        return [
            mark for number, mark in enumerate(self._places) if 2 * figures.on_marks.get(number, 0) >= len(self.sheets)
        ]

    def clean_figures(self, figures: Figures, alarms: Sequence[tuple[Defect, ...]], odd: Sequence[str]) -> None:
        """Add what is known of the sheets as they are; on `odd` ones perhaps there is a crack."""
        for index, (one, found) in enumerate(zip(self.sheets, alarms, strict=True)):
            boxes = [box_of(alarm) for alarm in found]
            taken = meets_any(boxes, self._marks[index])
            own = tuple(alarm for alarm, hit in zip(found, taken, strict=True) if not hit)
            for number, hit in enumerate(meets_any(self._marks[index], boxes)):
                figures.on_marks[number] = figures.on_marks.get(number, 0) + hit
            if one.sheet.name not in odd:
                figures.clean += 1
                figures.clean_ng += bool(own)
                figures.alarms[one.sheet.name] = own

    def painted_figures(self, figures: Figures, chain: Chain, gallery: Gallery, step: Callable[[], None]) -> None:
        """Add what a chain finds with cracks of a second seed painted; what is at a mark counts neither way."""
        at = chain.recipe.decision.ng_score
        for index, one in enumerate(self.sheets):
            rng = np.random.default_rng((self._seed, 2, index))
            image, truth = painted(one.sheet.read(), chain.recipe, self._paint, rng)
            plate = chain.inspect(image)
            on_mark = meets_any([box_of(defect) for defect in plate.defects], self._marks[index])
            kept = [defect for defect, hit in zip(plate.defects, on_mark, strict=True) if not hit]
            counted = [defect for defect in kept if makes_ng(defect, chain.recipe)]
            scored = Scored(
                name=one.sheet.name,
                group=one.sheet.name,
                truth=tuple(truth),
                found=tuple(Found(box_of(one), max(at, standing(one, chain.recipe))) for one in counted),
                rows=plate.rows,
                columns=plate.columns,
            )
            found, judgement = outcome(scored, at)
            figures.match += _met(judgement)
            vetoed = [box_of(defect) for defect in kept if defect.vetoed and not defect.faint]
            missed = [scored.judged[index].box for index in judgement.missed if index not in judgement.shared]
            figures.veto_lost += sum(meets_any(missed, vetoed))
            gallery.look(image, _plainly(scored, found, judgement))
            step()


def _met(judgement: Judgement) -> Match:
    """What became of the cracks, by whether anything lies on them.

    They are painted so densely that they cross: one found thing lies on several, and several on one.
    """
    shared, match = len(judgement.shared), judgement.match
    return Match(match.true + shared, match.missed - shared, match.false - len(judgement.fragments))


def _plainly(scored: Scored, found: Sequence[Found], judgement: Judgement) -> Scored:
    """The same for pictures: without further pieces of cracks that are found, and cracks that share what was found."""
    shared = {id(scored.judged[index]) for index in judgement.shared}
    truth = tuple(replace(one, asked=False) if id(one) in shared else one for one in scored.truth)
    kept = tuple(one for index, one in enumerate(found) if index not in judgement.fragments)
    return replace(scored, truth=truth, found=kept)
