"""The experiment: sheets are inspected as they are, then with cracks painted on them; what was hit, what was missed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from config.schema import Recipe
from daemon.lab.chain import Chain
from daemon.lab.pod.forms import FORMS, Stroke
from daemon.lab.pod.measured import Measured, measured
from daemon.lab.pod.room import Room, lay_down
from daemon.lab.pod.sheets import GoodSheet, PodError, Sheets, none_good
from daemon.lab.pod.sizes import Ranges, Sizes, drawn_sizes, ranges_of, with_narrow
from models.images import ImageError
from models.measure.matching import Box, meeting, pairs
from models.measure.pod import NoCurveError, fit
from stages.comparison import box_of
from stages.plate import PlateResult
from stages.verdict import makes_ng

SEARCHED = (2.0, 120.0)
"""Grey levels: contrasts of the first, coarse look, which chooses the range of the experiment."""
_COARSE, COARSE_SHEETS = 48, 3
_LEAST_SPAN = 4.0
_LEAST, _MOST = 1.5, 120.0
"""Grey levels of the faintest and the strongest crack that is ever painted."""
_AROUND = 48
"""px of the sheet around a crack that a picture of it shows."""

Say = Callable[[str, float], None]
"""Told what is being done, and which share of it is done: 1 at the end of each inspection."""


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A painted crack and what became of it."""

    form: str
    sheet: str
    sizes: Sizes
    angle: float
    dark: bool
    box: Box
    measured: Measured
    """From pixels, without knowledge of the paint, as real ones are."""
    hit: bool
    score: float
    """Of the defect that hit it; 0 for a miss."""
    picture: NDArray[np.uint8]
    """Around it, (rows, columns)."""
    corner: tuple[int, int]
    """Of the crack's box in the picture, x and y."""


@dataclass(frozen=True, slots=True)
class Clean:
    """A sheet inspected as it is."""

    sheet: str
    verdict: str
    reason: str
    found: tuple[tuple[Box, float], ...]
    """What counts as a defect: the false calls."""
    every: tuple[Box, ...]
    """All that is reported, vetoed and fainter ones included."""
    rows: int
    columns: int


@dataclass(slots=True)
class Outcome:
    """All that was seen."""

    ranges: Ranges
    clean: dict[str, Clean] = field(default_factory=dict)
    painted: list[Painted] = field(default_factory=list)
    unplaced: dict[str, int] = field(default_factory=dict)
    """Cracks of a form for which there was no room on any sheet."""
    beside: dict[str, int] = field(default_factory=dict)
    """Defects of painted sheets that lie neither on a crack nor where the sheet had one: pieces, and new false ones."""
    left_out: list[tuple[str, str]] = field(default_factory=list)


def of_stretches(recipe: Recipe) -> Recipe:
    """The recipe for stretches of sheets: their length is no defect, and their columns are cut already."""
    return recipe.model_copy(update={"length": None, "columns": None, "most_rows": None, "least_rows": 0})


@dataclass(slots=True)
class Experiment:
    """One experiment; the same sheets, recipe and seed give the same cracks."""

    sheets: Sheets
    chain: Chain
    cracks: int
    """Of each form, and a third as many narrow ones."""
    seed: int
    say: Say
    _outcome: Outcome = field(init=False)

    def run(self) -> Outcome:
        """Inspect everything.

        Raises:
            PodError: none of the sheets can be inspected, or none has room for a crack.
        """
        self._outcome = Outcome(ranges_of(self.chain.recipe, SEARCHED))
        self._outcome.ranges = ranges_of(self.chain.recipe, self._coarse())
        queues = {
            form: deque(with_narrow(self._rng(1, place), self.cracks, self._outcome.ranges))
            for place, form in enumerate(FORMS)
        }
        turn, before = 0, -1
        while any(queues.values()) and len(self._outcome.painted) > before:
            turn, before = turn + 1, len(self._outcome.painted)
            self._once(queues, turn)
        self._outcome.unplaced = {form: len(queue) for form, queue in queues.items()}
        if not self._outcome.painted:
            raise PodError(
                f"{self.sheets.source}: no sheet has room for a crack: masks, dark ground or what is already found "
                "there take it all"
            )
        return self._outcome

    def _rng(self, *places: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence([self.seed, *places]))

    # --- sheets ------------------------------------------------------------------------------------------------------

    def _loaded(self) -> Iterator[tuple[int, GoodSheet, NDArray[np.uint8], Room]]:
        """The sheets that can be read, each inspected as it is before it is painted on."""
        known = {name for name, _ in self._outcome.left_out}
        for place, sheet in enumerate(self.sheets.good):
            if sheet.name in known:
                continue
            self.say(f"{sheet.name}: reading", 0.0)
            try:
                image = sheet.load()
                if sheet.name not in self._outcome.clean:
                    self._outcome.clean[sheet.name] = self._clean(sheet.name, image)
            except (ImageError, OSError, MemoryError) as error:
                self._outcome.left_out.append((sheet.name, str(error) or "not enough memory"))
                continue
            yield place, sheet, image, self._room(image, sheet.name)
        if not self._outcome.clean:
            raise PodError(none_good(self.sheets.source, self._outcome.left_out))

    def _room(self, image: NDArray[np.uint8], name: str) -> Room:
        return Room(image, self.chain.recipe, self._outcome.clean[name].every)

    def _clean(self, name: str, image: NDArray[np.uint8]) -> Clean:
        plate = self._inspect(image, f"{name}: as it is")
        counting = [one for one in plate.defects if makes_ng(one, self.chain.recipe)]
        return Clean(
            sheet=name,
            verdict=plate.verdict.value,
            reason=plate.reason,
            found=tuple((box_of(one), one.score) for one in counting),
            every=tuple(box_of(one) for one in plate.defects),
            rows=plate.rows,
            columns=plate.columns,
        )

    def _inspect(self, image: NDArray[np.uint8], words: str) -> PlateResult:
        plate = self.chain.inspect(image, lambda done, total: self.say(words, 0.99 * done / max(1, total)))
        self.say(words, 1.0)
        return plate

    # --- paint -------------------------------------------------------------------------------------------------------

    def _coarse(self) -> tuple[float, float]:
        """The range of contrasts from which nearly nothing to which nearly all is hit, by a few cracks."""
        form = next(iter(FORMS))
        queue = deque(drawn_sizes(self._rng(0, 0), _COARSE, self._outcome.ranges))
        sheets = min(COARSE_SHEETS, len(self.sheets.good))
        seen: list[Painted] = []
        for place, sheet, image, room in self._loaded():
            share = -(-len(queue) // max(1, sheets - place))
            seen += self._painted(form, queue, share, sheet.name, image, room=room, rng=self._rng(0, 1, place))[0]
            if place + 1 >= sheets and (len(seen) >= _COARSE // 2 or not queue):
                break
        return chosen_range(np.array([one.sizes.contrast for one in seen]), np.array([one.hit for one in seen]))

    def _once(self, queues: dict[str, deque[Sizes]], turn: int) -> None:
        """Every sheet once with its share of each form's cracks."""
        left = len(self.sheets.good) - len(self._outcome.left_out)
        for place, sheet, image, room in self._loaded():
            for number, (form, queue) in enumerate(queues.items()):
                if not queue:
                    continue
                share, rng = -(-len(queue) // max(1, left)), self._rng(2, number, turn, place)
                # Each form has the whole sheet to itself.
                own = room if number == 0 else self._room(image, sheet.name)
                seen, beside = self._painted(form, queue, share, sheet.name, image, room=own, rng=rng)
                self._outcome.painted += seen
                self._outcome.beside[form] = self._outcome.beside.get(form, 0) + beside
            left -= 1

    def _painted(
        self,
        form: str,
        queue: deque[Sizes],
        share: int,
        name: str,
        image: NDArray[np.uint8],
        *,
        room: Room,
        rng: np.random.Generator,
    ) -> tuple[list[Painted], int]:
        """What becomes of up to `share` cracks of the queue; those that find no room go to its end."""
        laid: list[tuple[Sizes, Stroke, int, int, int]] = []
        under: list[NDArray[np.uint8]] = []
        for _ in range(min(share, len(queue))):
            sizes = queue.popleft()
            stroke = FORMS[form](rng, sizes, self._outcome.ranges)
            sign = {"bright": 1, "dark": -1}.get(self.chain.recipe.polarity) or int(rng.choice((-1, 1)))
            place = room.place(rng, stroke, sign)
            if place is None:
                queue.append(sizes)
                continue
            laid.append((sizes, stroke, *place, sign))
            under.append(_part(image, stroke, *place).copy())
            lay_down(image, stroke, *place, sign)
        if not laid:
            return [], 0
        plate = self._inspect(image, f"{name}: {len(laid)} {form} cracks")
        had = self._outcome.clean[name].every
        boxes = [_true_box(stroke, x, y) for _, stroke, x, y, _ in laid]
        counting = [one for one in plate.defects if makes_ng(one, self.chain.recipe)]
        old = meeting([box_of(one) for one in counting], had)
        found = [one for one, meets in zip(counting, old, strict=True) if not meets.any()]
        taken = pairs([box_of(one) for one in found], boxes)
        score = {index: one.score for one, index in zip(found, taken, strict=True) if index >= 0}
        seen = [
            self._seen(form, name, image, one, box, score.get(index))
            for index, (one, box) in enumerate(zip(laid, boxes, strict=True))
        ]
        for (_, stroke, x, y, _), before in zip(laid, under, strict=True):
            _part(image, stroke, x, y)[:] = before
        return seen, len(found) - len(score)

    def _seen(
        self,
        form: str,
        name: str,
        image: NDArray[np.uint8],
        laid: tuple[Sizes, Stroke, int, int, int],
        box: Box,
        score: float | None,
    ) -> Painted:
        sizes, stroke, x, y, sign = laid
        rows, columns = image.shape
        left, top = max(0, box[0] - _AROUND), max(0, box[1] - _AROUND)
        picture = image[
            top : min(rows, box[1] + box[3] + _AROUND), left : min(columns, box[0] + box[2] + _AROUND)
        ].copy()
        row, column = box[1] - y, box[0] - x
        pixels = stroke.inside[row : row + box[3], column : column + box[2]]
        return Painted(
            form=form,
            sheet=name,
            sizes=sizes,
            angle=stroke.angle,
            dark=sign < 0,
            box=box,
            measured=measured(image, box, pixels, sign),
            hit=score is not None,
            score=score or 0.0,
            picture=picture,
            corner=(box[0] - left, box[1] - top),
        )


def chosen_range(contrasts: NDArray[np.float64], hits: NDArray[np.bool_]) -> tuple[float, float]:
    """Contrasts from about 3 to about 97 % POD, by the hits and misses of a coarse look."""
    try:
        curve = fit(contrasts, hits)
        low, high = curve.size(0.03), curve.size(0.97)
    except NoCurveError as error:
        if error.why == "separated":
            low, high = contrasts[~hits].max() / 2, contrasts[hits].min() * 2
        elif error.why == "all hit":
            low, high = _LEAST, contrasts.min() * 2
        elif error.why == "all missed":
            low, high = contrasts.max() / 4, _MOST
        else:
            low, high = SEARCHED
    low, high = float(np.clip(low, _LEAST, _MOST)), float(np.clip(high, _LEAST, _MOST))
    if high < _LEAST_SPAN * low:
        low = float(np.clip((low * high / _LEAST_SPAN) ** 0.5, _LEAST, _MOST / _LEAST_SPAN))
        high = low * _LEAST_SPAN
    return round(low, 1), round(high, 1)


def _part(image: NDArray[np.uint8], stroke: Stroke, x: int, y: int) -> NDArray[np.uint8]:
    height, width = stroke.added.shape
    return image[y : y + height, x : x + width]


def _true_box(stroke: Stroke, x: int, y: int) -> Box:
    """The box of a crack's own pixels."""
    left, top, width, height = cv2.boundingRect(stroke.inside.view(np.uint8))
    return x + left, y + top, width, height
