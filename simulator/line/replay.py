"""The line replayed: sheets pass the switch and the camera as strips of rows.

A picture is asked for its rows band by band as they pass, so that one larger than memory can be replayed.

Nothing here sleeps or starts a process: a caller paces the strips as it likes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.sheets.products import CAMERA_WIDTH
from stages.camera import Edge, Sheet, Strip

Image = NDArray[np.uint8]

_BACKGROUND_ROWS = 1024
_BACKGROUND_SEED = 5
_BOUNCES = (2, 3, 5, 6)
"""Rows after an edge at which a bouncing switch changes again; it ends on the new level."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on purpose, by the number of a strip or of a sheet, both from 0.

    A set of strips may grow while the line runs.
    """

    lost_strips: AbstractSet[int] = frozenset()
    """Never delivered: block id and rows jump. Their edges come with the next strip: the switch has its own wire."""
    short_strips: AbstractSet[int] = frozenset()
    """End after half their rows, as after an encoder's stop; the rows that follow come in the next strip."""
    stale_strips: AbstractSet[int] = frozenset()
    """Delivered twice, the second time with the same block id, rows and edges."""
    bouncing_sheets: frozenset[int] = frozenset()
    """The switch bounces for some rows after both edges of these."""
    touching_sheets: frozenset[int] = frozenset()
    """Follow the sheet before without a gap: the switch does not fall between them."""
    starts_high: bool = False
    """The line starts in the middle of its first sheet: the switch is true, its rising edge is never seen."""


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How sheets pass the camera."""

    width: int = CAMERA_WIDTH
    """Pixels of a row."""
    strip_rows: int = 512
    """Rows of a strip."""
    gap_rows: int = 1024
    """Rows from a sheet's end to the next one's first row."""
    switch_offset_rows: int = 64
    """Rows by which the switch's edges come before the sheet's edges are at the camera."""
    background: int = 10
    """Grey level beside and between the sheets."""
    faults: Faults = Faults()
    optics: Optics | None = None
    """What the camera sees of a sheet; None: the sheet as it is."""

    def __post_init__(self) -> None:
        least = {"width": 1, "strip_rows": 2, "gap_rows": 8, "switch_offset_rows": 0, "background": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise ValueError(f"{name} is {getattr(self, name)}: give {bound} or more")
        if self.background > 255:
            raise ValueError(f"background is {self.background}: give a grey level up to 255")


class Picture(Protocol):
    """A sheet's pixels, uint8, read in bands."""

    width: int
    """px"""
    height: int
    """px"""

    def rows(self, first: int, last: int) -> Image:
        """Rows [first, last), shape (last - first, width)."""
        ...

    def close(self) -> None:
        """Let go of the pixels."""
        ...


class Optics(Protocol):
    """What lies between sheet and sensor."""

    def seen(self, number: int, column: int, picture: Picture) -> Picture:
        """The picture of sheet `number`, from 0, whose first px lies in that camera column, as the camera sees it."""
        ...


class ReplayError(ValueError):
    """Some rows of a sheet cannot be replayed; `sheet` is its number from 0. The line goes on without them."""

    def __init__(self, sheet: int, message: str) -> None:
        super().__init__(message)
        self.sheet = sheet


class Nothing:
    """The picture of a sheet that cannot be shown: it keeps the switch busy for some rows, and has no pixels."""

    width = 0

    def __init__(self, height: int) -> None:
        self.height = height

    def rows(self, first: int, last: int) -> Image:
        """Rows without pixels."""
        return np.zeros((last - first, 0), np.uint8)

    def close(self) -> None:
        """There is nothing to let go of."""


class _Array:
    """A picture in memory."""

    def __init__(self, image: Image) -> None:
        if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"found {image.dtype} {image.shape}: give uint8 (rows, columns)")
        self._image = image
        self.height, self.width = image.shape

    def rows(self, first: int, last: int) -> Image:
        return self._image[first:last]

    def close(self) -> None:
        """Its pixels are the caller's."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A sheet that can pass: its picture, the camera column of its first pixel, and what is known of it."""

    picture: Picture
    column: int
    sheet: Sheet | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A sheet that is yet to come: what to call it, and how to open it."""

    name: str
    open: Callable[[], Opened]


@dataclass(frozen=True, slots=True)
class _Passing:
    """A sheet under the camera: its number, and the camera row and column of its first pixel."""

    number: int
    row: int
    column: int
    name: str
    picture: Picture

    @property
    def end(self) -> int:
        return self.row + self.picture.height


class Replay:
    """Cuts a series of passing sheets into strips; `failures` are what a picture raises that cannot be read."""

    def __init__(
        self, sheets: Iterator[Entry], settings: LineSettings, failures: tuple[type[Exception], ...] = (ValueError,)
    ) -> None:
        self._failures = failures
        self._settings = settings
        self._sheets = sheets
        self._brought = 0
        self._passing: list[_Passing] = []
        self._last: _Passing | None = None
        self._end: int | None = None
        self._edges: list[tuple[int, Sheet | None, bool]] = []
        """Edges that no strip has carried yet: their rows, what rises, and their new levels."""
        self._counted = 0
        self._level = settings.faults.starts_high
        self._row = 0
        self._block = 0
        self._stale: Strip | None = None
        noise = np.random.default_rng(_BACKGROUND_SEED).integers(
            -2, 3, (_BACKGROUND_ROWS, settings.width), dtype=np.int16
        )
        self._background: Image = np.clip(noise + np.int16(settings.background), 0, 255).astype(np.uint8)

    @property
    def row(self) -> int:
        """Camera row at which the next strip begins."""
        return self._row

    @property
    def opens(self) -> bool:
        """Before the next strip another sheet must be opened, which may take long."""
        return self._lacks(self._row + self._settings.strip_rows)

    def open_next(self) -> None:
        """Open the sheets that the next strip needs; without it `next_strip` does so."""
        self._schedule(self._row + self._settings.strip_rows)

    def close(self) -> None:
        """Close the pictures that pass."""
        for sheet in self._passing:
            sheet.picture.close()

    def next_strip(self, into: Image) -> Strip | None:
        """Write the next strip's pixels into `into` (strip_rows x width, uint8) and say what it is.

        Rows of `into` beyond the valid ones are left as they are. None when the line has ended: after the last sheet
        its trailing edge, the switch's offset and the gap are still delivered, to a whole strip.

        Raises:
            ReplayError: the strip's rows of a sheet cannot be read, and the strip is lost. The next call goes on.
            ValueError: `into` has another shape or type, or a sheet does not fit the camera.
        """
        settings = self._settings
        if into.shape != (settings.strip_rows, settings.width) or into.dtype != np.uint8:
            raise ValueError(
                f"the buffer is {into.dtype} {into.shape}: give uint8 ({settings.strip_rows}, {settings.width})"
            )
        if self._stale is not None:
            strip, self._stale = self._stale, None
            self._fill(into, strip)
            return strip
        while self._block in self._settings.faults.lost_strips:
            if not self._advance(into=None):
                return None
        return self._advance(into)

    def _advance(self, into: Image | None) -> Strip | None:
        """Deliver a strip into `into`, or lose one when that is None; None when the line has ended."""
        faults = self._settings.faults
        rows = self._settings.strip_rows // (2 if self._block in faults.short_strips else 1)
        end = self._row + rows
        self._schedule(end)
        if self._end is not None and self._row >= self._end:
            return None
        strip = Strip(self._block, self._row, rows, (), self._level)
        # Before it is filled: a strip whose rows cannot be read is lost, and its edges come with the next.
        self._block += 1
        self._row = end
        if into is None:
            return strip
        self._let_go(strip.first_row)
        self._fill(into, strip)
        strip = Strip(strip.block, strip.first_row, rows, self._edges_before(end), self._level)
        if strip.edges:
            self._level = strip.edges[-1].rising
        if strip.block in faults.stale_strips:
            self._stale = strip
        return strip

    def _let_go(self, row: int) -> None:
        """Close the pictures that end before that row."""
        for sheet in self._passing:
            if sheet.end <= row:
                sheet.picture.close()
        self._passing = [sheet for sheet in self._passing if sheet.end > row]

    def _schedule(self, end: int) -> None:
        """Bring sheets onto the line until everything before row `end` is known."""
        while self._lacks(end):
            following = next(self._sheets, None)
            if following is None:
                self._finish()
            else:
                self._brought += 1
                self._bring(self._brought - 1, following)

    def _lacks(self, end: int) -> bool:
        """Not everything before row `end` is known."""
        offset = self._settings.switch_offset_rows
        return self._end is None and (self._last is None or self._last.end - offset < end)

    def _bring(self, number: int, entry: Entry) -> None:
        settings, last = self._settings, self._last
        opened = entry.open()
        picture, right = opened.picture, opened.column + opened.picture.width
        if opened.column < 0 or right > settings.width:
            picture.close()
            raise ValueError(
                f"{entry.name} covers camera columns {opened.column} to {right}: the camera has {settings.width}"
            )
        if settings.optics is not None:
            picture = settings.optics.seen(number, opened.column, picture)
        touching = last is not None and number in settings.faults.touching_sheets
        if last is None:
            first = settings.gap_rows + settings.switch_offset_rows
            row = -(picture.height // 2) if settings.faults.starts_high else first
        else:
            row = last.end + (0 if touching else settings.gap_rows)
            if not touching:
                self._edge(last.number, last.end, rising=False)
        if not touching and row >= 0:
            self._edge(number, row, rising=True, sheet=opened.sheet)
        self._last = _Passing(number, row, opened.column, entry.name, picture)
        self._passing.append(self._last)

    def _finish(self) -> None:
        settings = self._settings
        if self._last is None:
            self._end = 0
            return
        sheet = self._last
        self._edge(sheet.number, sheet.end, rising=False)
        self._end = sheet.end + max(settings.gap_rows, settings.switch_offset_rows)

    def _edge(self, number: int, row: int, *, rising: bool, sheet: Sheet | None = None) -> None:
        """An edge of the sheet that comes to the camera at `row`."""
        at = max(row - self._settings.switch_offset_rows, 0)
        self._edges.append((at, sheet, rising))
        if number in self._settings.faults.bouncing_sheets:
            for count, later in enumerate(_BOUNCES):
                level = rising if count % 2 else not rising
                self._edges.append((at + later, sheet if level else None, level))

    def _edges_before(self, row: int) -> tuple[Edge, ...]:
        due = list(itertools.takewhile(lambda edge: edge[0] < row, self._edges))
        del self._edges[: len(due)]
        first = self._counted + 1
        self._counted += len(due)
        return tuple(Edge(first + index, at, rising, sheet) for index, (at, sheet, rising) in enumerate(due))

    def _fill(self, into: Image, strip: Strip) -> None:
        row, end = strip.first_row, strip.first_row + strip.rows
        for sheet in self._passing:
            if sheet.end <= row or sheet.row >= end:
                continue
            self._fill_background(into, strip.first_row, slice(row, sheet.row), slice(None))
            first, last = max(row, sheet.row), min(end, sheet.end)
            right = sheet.column + sheet.picture.width
            place = slice(first - strip.first_row, last - strip.first_row)
            into[place, sheet.column : right] = self._rows_of(sheet, first - sheet.row, last - sheet.row)
            for beside in (slice(0, sheet.column), slice(right, None)):
                self._fill_background(into, strip.first_row, slice(first, last), beside)
            row = last
        self._fill_background(into, strip.first_row, slice(row, end), slice(None))

    def _rows_of(self, sheet: _Passing, first: int, last: int) -> Image:
        """Rows [first, last) of its picture. Raises ReplayError."""
        try:
            return sheet.picture.rows(first, last)
        except self._failures as error:
            raise ReplayError(sheet.number, f"{sheet.name}, rows {first} to {last}: {error}") from error

    def _fill_background(self, into: Image, origin: int, rows: slice, columns: slice) -> None:
        row = rows.start
        while row < rows.stop:
            start = row % _BACKGROUND_ROWS
            count = min(rows.stop - row, _BACKGROUND_ROWS - start)
            into[row - origin : row - origin + count, columns] = self._background[start : start + count, columns]
            row += count


class SheetLine(Replay):
    """Sheets in memory pass the camera, over and over: the plate of number k (from 0) shows `sheets[k % n]`.

    A sheet that touches the one before belongs to that one's plate.
    """

    def __init__(
        self,
        sheets: Sequence[Image],
        first_columns: Sequence[int] | int = 0,
        *,
        plates: int | None = None,
        settings: LineSettings | None = None,
    ) -> None:
        """Replay `sheets` (uint8, rows x columns) whose column 0 lies at the camera columns `first_columns`.

        `plates` is how many pass in all, None for ever. Raises ValueError for no sheets or columns that do not match.
        """
        columns = [first_columns] * len(sheets) if isinstance(first_columns, int) else list(first_columns)
        if not sheets:
            raise ValueError("no sheets were given: give at least one")
        if len(columns) != len(sheets):
            raise ValueError(f"{len(sheets)} sheets and {len(columns)} first columns were given: give one for each")
        if plates is not None and plates < 0:
            raise ValueError(f"plates is {plates}: give 0 or more, or None for ever")
        entries = [
            Entry(f"sheet {index}", partial(_opened, image, column))
            for index, (image, column) in enumerate(zip(sheets, columns, strict=True))
        ]
        super().__init__(itertools.islice(itertools.cycle(entries), plates), settings or LineSettings())


def _opened(image: Image, column: int) -> Opened:
    return Opened(_Array(image), column)
