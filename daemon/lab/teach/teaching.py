"""A teaching from its sheets to its report, part by part (docs/decisions/0042-teach.md)."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from config.schema import Recipe
from config.weights import weights_path
from daemon.lab.chain import Chain
from daemon.lab.evaluate.detector_gallery import Gallery
from daemon.lab.orders import Teach
from daemon.lab.progress import Teller
from daemon.lab.teach import floor as floors
from daemon.lab.teach import pictures, report
from daemon.lab.teach.figures import Figures, HeldApart
from daemon.lab.teach.floor import Floor, Told
from daemon.lab.teach.folder import Folder, require_memory
from daemon.lab.teach.ground import MOST_PIXELS, ground_of, marked_ground
from daemon.lab.teach.look import look_at, needed_floor
from daemon.lab.teach.parts import Parts, parted
from daemon.lab.teach.recipe import taught_recipe, without_veto, write_recipe
from daemon.lab.teach.sheets import Sheet, TeachError
from daemon.lab.teach.training import card_facts, network_of, trained
from daemon.lab.teach.usual import reference_of
from models.detector import card as cards
from models.detector.reference import Reference
from models.machine.memory import available_bytes
from models.training.detector import card
from models.training.detector.ground import ProductGround
from models.training.detector.train import Outcome
from simulator.crops import cut

_LEAST_TRAINING_S = 60.0
_INSPECTIONS = 7
"""Of each sheet held apart after the training: for its marks, twice for the floor, for its proof, twice more if that
fails, and for the figures."""
_PROOFS = 3
_CALMER = 1.0
"""Feature units by which a floor may lie below the base's: what stands at its place on every sheet counts less."""
_GAIN = 0.01
"""Share of the painted cracks for which the classifier's veto is limited."""


class Teaching:
    """One call of the command.

    Args:
        order: its options.
        base: the recipe to start from.
        sheets: those called good.
        folder: where it is written.
        teller: hears how far it is.
    """

    def __init__(self, order: Teach, base: Recipe, sheets: Sequence[Sheet], folder: Folder, teller: Teller) -> None:
        self._order, self._base, self._sheets, self._folder, self._teller = order, base, sheets, folder, teller
        self._began = time.monotonic()
        self._before, self._after = Figures(), Figures()
        self._reference: Reference | None = None
        self._galleries = Gallery(base.decision.ng_score), Gallery(base.decision.ng_score)

    def run(self) -> list[str]:
        """Teach, write everything, and say what was won in three lines.

        Raises:
            TeachError: nothing can be learnt, or the time is too short.
            DetectorError: the base's weights cannot be used, or the taught ones have come to nothing.
            ClassifierError: the classifier cannot be used.
            OSError: nothing can be written.
        """
        marked_ground(self._order.data)  # what cannot be used is told before anything is done
        require_memory(min(MOST_PIXELS, sum(one.rows * one.columns for one in self._sheets)))
        chain = Chain(self._base)
        self._teller.part(f"looking at {len(self._sheets)} sheets", len(self._sheets))
        parts = parted(look_at(self._sheets, chain, self._teller.at), accept_marks=self._order.accept_marks)
        self._training_minutes(parts, _INSPECTIONS + 1)  # too short a time is told before it is spent
        held = HeldApart(
            [parts.looked[index] for index in parts.held],
            [parts.where[index] for index in parts.held],
            parts.marks,
            cut.paint_on_metal,
            self._order.seed,
        )
        self._teller.part("measuring the base on painted cracks", len(parts.held))
        held.painted_figures(self._before, chain, self._galleries[0], self._teller.step)
        ground, outcome = self._trained(parts)
        recipe, floor = self._floor(chain, held, parts, outcome)
        return self._written(recipe, floor, held, parts, ground, outcome)

    # --- the training --------------------------------------------------------------------------------------------

    def _trained(self, parts: Parts) -> tuple[ProductGround, Outcome]:
        rng = np.random.default_rng(self._order.seed)
        looked, where = [parts.looked[i] for i in parts.learnt], [parts.where[i] for i in parts.learnt]
        pieces = ground_of(looked, where, parts.marks, self._base, rng)
        pieces += marked_ground(self._order.data)[0]
        ground = ProductGround(pieces, cut.paint_on_metal, self._base.polarity)
        minutes = self._training_minutes(parts, _INSPECTIONS)
        return ground, trained(ground, self._order, self._base, minutes, self._folder, self._teller)

    def _training_minutes(self, parts: Parts, inspections: int) -> float:
        """What is left of the time when the inspections that are still to come are taken off.

        Raises:
            TeachError: too little is left.
        """
        spent = time.monotonic() - self._began
        sheet_s = sum(one.seconds for one in parts.looked) / len(parts.looked)
        # Painted cracks are more to classify than a good sheet has.
        rest = (1.5 * inspections * len(parts.held) + len(parts.learnt)) * sheet_s + 10
        left = 60 * self._order.minutes - spent - rest
        if left < _LEAST_TRAINING_S and self._order.steps is None:
            least = math.ceil((spent + rest + _LEAST_TRAINING_S) / 60)
            raise TeachError(
                f"--minutes {self._order.minutes:g} is too short: on this machine these sheets take "
                f"{(spent + rest) / 60:.1f} minutes to be looked at, and learning some; give {least} at least, better "
                f"{least + 12}"
            )
        return max(left, 1.0) / 60

    # --- the floor -----------------------------------------------------------------------------------------------

    def _floor(self, chain: Chain, held: HeldApart, parts: Parts, outcome: Outcome) -> tuple[Recipe, Floor]:
        """The recipe with its floor, chosen on painted sheets and proved on the same sheets as they are."""
        plain = cards.learnt(cards.read(weights_path(self._base), self._base).card)
        self.threshold = plain
        recipe = taught_recipe(self._base, self._weights(outcome), self._order.name)
        self._reference = self._usual(Chain(recipe, chain.classifier), held, parts)
        self.threshold = replace(plain, floor=plain.floor - _CALMER)
        self._weights(outcome)
        self._teller.part("learning the floor", 3 * len(held.sheets))
        found = held.told(Chain(recipe, chain.classifier), self._teller.step)
        recipe, floor = _better_veto(recipe, found, self.threshold.floor)
        odd = [name for name, _ in floor.odd]
        for proof in range(_PROOFS):
            self.threshold = replace(plain, floor=floor.value)
            self._weights(outcome)
            taught = Chain(recipe, chain.classifier)
            self._after = Figures()
            held.clean_figures(self._after, held.on_clean(taught, self._teller.step), odd)
            loud = [needed_floor(one, recipe, floor.value) for each in self._after.alarms.values() for one in each]
            if not loud or proof == _PROOFS - 1:
                break
            floor = replace(floor, value=round(max(loud) + floors.STEP, 3))
        floor = replace(floor, bound=floors.alarm_bound(self._after.clean, self._after.clean_ng))
        held.clean_figures(self._before, [one.alarms for one in held.sheets], odd)
        self._teller.part("measuring what was taught on painted cracks", len(held.sheets))
        held.painted_figures(self._after, taught, self._galleries[1], self._teller.step)
        return recipe, floor

    def _usual(self, taught: Chain, held: HeldApart, parts: Parts) -> Reference:
        """What is usual at each place; marks that the training has not silenced go on to count there."""
        self._teller.part("looking at what is usual at each place", len(parts.learnt))
        largest = max(one.sheet.rows * one.sheet.columns for one in parts.looked)
        now = Figures()
        if parts.marks:
            held.clean_figures(now, held.on_clean(taught, lambda: None), [])
        return reference_of(
            [parts.looked[index] for index in parts.learnt],
            [parts.where[index] for index in parts.learnt],
            held.standing(now),
            # Each holds a whole sheet, and its negative.
            taught.detectors[: max(1, available_bytes() // (3 * largest))],
            self._teller.step,
        )

    def _weights(self, outcome: Outcome, facts: Mapping[str, Any] = MappingProxyType({})) -> Path:
        """Write what is known so far; the file."""
        return card.write(
            self._folder.part,
            outcome.state,
            self.threshold,
            facts,
            network_of(self._base),
            reference=self._reference,
            polarity=self._base.polarity,
        )

    # --- what is written -----------------------------------------------------------------------------------------

    def _written(
        self,
        recipe: Recipe,
        floor: Floor,
        held: HeldApart,
        parts: Parts,
        ground: ProductGround,
        outcome: Outcome,
    ) -> list[str]:
        """Write recipe, weights, card and report; the three lines."""
        part, out = self._folder.part, self._folder.out
        self._teller.part("writing", 1)
        path = write_recipe(recipe, self._base, part)
        standing = held.standing(self._after)
        odd = [one.looked.sheet.name for one in parts.odd] + [name for name, _ in floor.odd]
        why_not = report.worth_it(self._before, self._after)
        lines = [
            report.won(self._before, self._after, floor),
            f"use it: {out / path.name}" if why_not is None else f"do not use it: {why_not}",
            f"{report.stand_out(standing, odd, len(self._sheets)) or 'nothing odd was seen'}; {out / 'report.html'}",
        ]
        facts = card_facts(outcome, self._order, ground, self._base)
        result = {
            **report.figures(self._before, self._after, floor),
            "name": recipe.name,
            "base": self._base.name,
            "use": why_not is None,
            "lines": lines,
            "marks_accepted": self._order.accept_marks,
            **report.sheets(parts, floor, self._after, standing),
            "classifier": report.classifier(self._base, recipe, self._after),
            "facts": report.facts(self._base, recipe, facts),
        }
        # The same weights again, with their card complete.
        self._weights(outcome, {**facts, "figures": result["after"]})
        (part / "report.json").write_text(json.dumps(result, allow_nan=False, indent=1) + "\n", "utf-8")
        shown = pictures.of(parts, floor, standing, ground, self._order.seed)
        (part / "report.html").write_text(report.page(result, shown, *self._galleries), "utf-8")
        self._folder.finish()
        return lines


def _better_veto(recipe: Recipe, found: Sequence[Told], start: float) -> tuple[Recipe, Floor]:
    """The recipe as it is, or with a classifier that vetoes nothing, where that finds more; and its floor."""
    floor = floors.choose(found, recipe, start)
    limited = without_veto(recipe)
    if limited is not None:
        other = floors.choose(found, limited, start)
        if other.found > floor.found + _GAIN:
            return limited, other
    return recipe, floor
