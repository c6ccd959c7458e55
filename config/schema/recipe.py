"""The recipe: all that belongs to one product model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.schema.archive import OwnArchive
from config.schema.section import Positive, Share, Strict

_FAR = 10_000_000
"""px; no plate reaches so far."""
_OFFSET_ROWS = 64
"""Rows from the switch to the camera where nothing is said."""
Coordinate = Annotated[int, Field(ge=0, le=_FAR)]
Corner = tuple[Coordinate, Coordinate]

MOST_ZONES = 256
"""Zones of a recipe."""
_CLEAR = 0.85
"""Below the score, 0.89, of the crack by which the weights that ship are proved: one as clear as that is always NG."""


class Pitch(Strict):
    """The size of a pixel on the sheet, in mm."""

    row_mm: float = Field(ge=0.0001, le=1000, description="mm from one row to the next, along the travel")
    column_mm: float = Field(ge=0.0001, le=1000, description="mm from one pixel to the next, across the sheet")


class Length(Strict):
    """The length of a plate along the travel, in rows."""

    nominal_rows: int = Field(ge=1, le=_FAR, description="rows of a sheet as drawn")
    tolerance: Share = Field(0.02, description="share of the nominal rows by which a sheet may differ and still be OK")


class Columns(Strict):
    """The camera columns [first, last) that the product covers."""

    first: int = Field(0, ge=0, le=_FAR, description="first camera column that is kept")
    last: int = Field(ge=1, le=_FAR, description="camera column after the last that is kept")

    @model_validator(mode="after")
    def _ordered(self) -> Columns:
        if self.last <= self.first:
            raise ValueError(f"last ({self.last}) must be greater than first ({self.first})")
        return self

    @property
    def count(self) -> int:
        """Width of the plate image, px."""
        return self.last - self.first


class Switch(Strict):
    """How the edges of the photoelectric switch become the edges of a plate."""

    offset_rows: int | None = Field(
        None,
        ge=0,
        le=_FAR,
        description="rows from the switch's edge until the sheet's edge is at the camera; null: as offset_mm says, "
        f"else {_OFFSET_ROWS}",
    )
    offset_mm: float | None = Field(
        None,
        ge=0,
        le=100_000,
        description="the same as mm along the travel, made into rows by pitch.row_mm, the encoder's mm a row; give one "
        "of the two",
    )
    debounce_rows: int = Field(16, ge=0, le=_FAR, description="rows for which a level must hold to count as an edge")

    @model_validator(mode="after")
    def _one_offset(self) -> Switch:
        if self.offset_rows is not None and self.offset_mm is not None:
            raise ValueError(
                f"offset_rows ({self.offset_rows}) and offset_mm ({self.offset_mm:g}) say the same: give one of the two"
            )
        return self


class Template(Strict):
    """One adaptive template F(W, H, dH): a line's width, height and endpoint difference (M 41-71)."""

    width: float = Field(gt=2, le=256, description="width W of the line, px across the sheet")
    height: float = Field(gt=0, le=255, description="height H of the line, grey levels")
    step: float = Field(ge=0, description="difference dH of the grey levels at its two ends, less than the height")

    @model_validator(mode="after")
    def _step_below_height(self) -> Template:
        if self.step >= self.height:
            raise ValueError(f"step ({self.step}) must be less than height ({self.height})")
        return self


class Windows(Strict):
    """How a plate is cut into windows (M 105)."""

    size: int = Field(650, ge=3, le=16_384, description="side of a window, px")
    stride: int = Field(600, ge=2, le=16_384, description="px from one window to the next, even")
    rule: Literal["ceil", "cover"] = Field(
        "ceil", description="ceil(H / stride) rows of windows, or just enough to cover"
    )

    @model_validator(mode="after")
    def _overlapping(self) -> Windows:
        if self.stride >= self.size:
            raise ValueError(f"stride ({self.stride}) must be less than size ({self.size}), or pixels are never seen")
        if self.stride % 2:
            raise ValueError(f"stride ({self.stride}) must be even: the network may work at half resolution")
        return self


class Threshold(Strict):
    """How feature values become candidates (M 88-91)."""

    mode: Literal["adaptive", "mu_3sigma", "top_fraction", "top_fraction_foreground"] = Field(
        "adaptive", description="the project's own adaptive rule, or one of three readings of the published rule"
    )
    floor: float | None = Field(
        None,
        ge=-20,
        le=20,
        description="least evidence of a region in adaptive mode; null takes the floor learnt with the weights. "
        "Scores count from the learnt one: what a lower floor adds scores below 0.5, and makes a plate NG only where "
        "decision.ng_score is lowered too",
    )
    fraction: float = Field(0.003, ge=0.0005, le=0.05, description="share of pixels taken by the top_fraction modes")


class PostProcessing(Strict):
    """What is done to candidates before they are regions (M 109)."""

    least_area: Positive = Field(4, le=100, description="components of fewer px are dropped")
    opening: bool | None = Field(None, description="open with a disk of radius 1; null: in the published modes only")
    join_gap: float = Field(
        16.0, ge=0, le=200, description="px between two regions that continue each other and are joined"
    )


class Limits(Strict):
    """The range in which a measured quality must lie; null is no limit."""

    least: float | None = Field(None, allow_inf_nan=False, description="lowest value that passes")
    most: float | None = Field(None, allow_inf_nan=False, description="highest value that passes")

    @model_validator(mode="after")
    def _something_passes(self) -> Limits:
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least ({self.least:g}) must not exceed most ({self.most:g}): no value would pass")
        return self


_REACH = {"brightness": 255.0, "contrast": 127.5, "saturation": 1.0, "focus": 1.0}
"""The highest value that each quality can have, from 0; of focus, that a sharp picture has."""


class Gates(Strict):
    """Quality gates: a band of rows or block of columns that fails one makes a plate INCONCLUSIVE, or is a warning."""

    action: Literal["fail", "warn"] = Field("fail", description="whether a failed gate makes the plate INCONCLUSIVE")
    brightness: Limits = Field(
        Limits(least=30, most=225), description="mean grey level of the judged pixels of a band or block"
    )
    contrast: Limits = Field(
        Limits(least=2.0), description="standard deviation of the judged pixels of a band or block, grey levels"
    )
    saturation: Limits = Field(Limits(most=0.05), description="share of the pixels of a band or block at full scale")
    focus: Limits = Field(
        Limits(least=0.08),
        description="fine over coarse detail of a band or block, noise taken off: under 0.05 is a blur",
    )
    integrity: Literal["fail", "warn"] = Field(
        "fail",
        description="whether what no working camera delivers (noise, faulty bits, rows or columns copied, dead or "
        "misplaced) makes the plate INCONCLUSIVE, in any action, or is only told",
    )
    judged: Share = Field(
        0.80, description="least share of a plate's unmasked pixels that must be judged, in any action"
    )

    @model_validator(mode="after")
    def _within_reach(self) -> Gates:
        for name, highest in _REACH.items():
            limits: Limits = getattr(self, name)
            if limits.least is not None and limits.least > highest:
                raise ValueError(f"{name}.least ({limits.least:g}) is above {highest:g}: no sheet would pass")
            if limits.most is not None and limits.most < 0:
                raise ValueError(f"{name}.most ({limits.most:g}) is below 0: no sheet would pass")
        return self


class Rectangle(Strict):
    """An area in plate coordinates, half-open."""

    x: int = Field(ge=0, description="its left edge, px from the plate's left")
    y: int = Field(ge=0, description="its upper edge, rows from the plate's leading edge")
    width: Positive = Field(description="px across the plate")
    height: Positive = Field(description="rows along the travel")


class Zone(Strict):
    """A part of the plate in which a region needs less evidence to be a defect, or more: a rectangle or a polygon."""

    rectangle: Rectangle | None = None
    polygon: tuple[Corner, ...] | None = Field(
        None, min_length=3, max_length=64, description="corners [x, y] in order, plate coordinates, px"
    )
    weight: float = Field(
        ge=-20,
        le=20,
        description="feature units added to the evidence of a region that lies in it; 0.5 where cracks are expected, "
        "negative where they are not",
    )

    @model_validator(mode="after")
    def _one_shape(self) -> Zone:
        if (self.rectangle is None) == (self.polygon is None):
            found = "neither" if self.rectangle is None else "both"
            raise ValueError(f"a zone is a rectangle or a polygon; found {found}")
        x, y = zip(*self.corners, strict=True)
        if min(x) == max(x) or min(y) == max(y):
            raise ValueError(f"the corners of a polygon must not lie in one row or column; found {list(self.corners)}")
        return self

    @property
    def corners(self) -> tuple[tuple[int, int], ...]:
        """x, y of the corners in order, px from the plate's origin to the corner of a pixel."""
        if self.polygon is not None:
            return self.polygon
        assert self.rectangle is not None
        area = self.rectangle
        left, top = min(area.x, _FAR), min(area.y, _FAR)
        right, bottom = min(area.x + area.width, _FAR + 1), min(area.y + area.height, _FAR + 1)
        return (left, top), (right, top), (right, bottom), (left, bottom)


class Decision(Strict):
    """When a defect makes a plate NG, and when a verdict is late."""

    ng_score: float = Field(
        0.5,
        ge=0.05,
        le=_CLEAR,
        description="a defect with at least this score makes the plate NG. Where the classifier vetoes, one that it "
        "takes for a crack does from a feature unit less on (0.38 for 0.5)",
    )
    deadline_s: float | None = Field(
        None, gt=0, le=86_400, description="seconds from the trailing edge after which it is late"
    )


class Classifier(Strict):
    """What the classifier's chance of a crack does to a defect, and how long it is waited for."""

    mode: Literal["off", "annotate", "veto", "confirm"] = Field(
        "off",
        description="off: not asked. annotate: the chance is noted with each defect. veto: a defect below veto_below "
        "makes no plate NG, and a fainter one than the detector reports alone does where the chance is not below. "
        "confirm: only one from confirm_above on does",
    )
    veto_below: float = Field(
        0.3, ge=0, le=0.5, description="chance of a crack below which a defect is vetoed; above 0 with mode veto"
    )
    veto_most_score: float = Field(
        0.81,
        ge=0,
        le=_CLEAR,
        description="a defect with a higher score is never vetoed, whatever the classifier says of it",
    )
    confirm_above: float = Field(0.5, ge=0, le=0.95, description="chance of a crack from which a defect is confirmed")
    deadline_s: float = Field(
        0.2, ge=0, le=60, description="seconds after a plate's last window for which the classifier is waited for"
    )
    weights: str | None = Field(
        None,
        description="weights file of the classifier for this product, relative to this file; null: those of `classify` "
        "in the configuration",
    )

    @model_validator(mode="after")
    def _something_vetoed(self) -> Classifier:
        if self.mode == "veto" and self.veto_below == 0:
            raise ValueError(
                "veto_below (0.0) must be above 0 where mode is veto: nothing would be vetoed, and each fainter region "
                "that was answered would be a defect; mode: annotate notes the chance and changes no verdict"
            )
        return self

    @model_validator(mode="after")
    def _no_crack_vetoed(self) -> Classifier:
        if self.mode == "veto" and self.veto_below > self.confirm_above:
            raise ValueError(
                f"veto_below ({self.veto_below}) must not exceed confirm_above ({self.confirm_above}): "
                "what counts as a crack must not be vetoed"
            )
        return self


class Challenger(Strict):
    """A candidate for this recipe: it judges plates of the archive when there is time, and changes no verdict."""

    recipe: str = Field(
        min_length=1, description="a recipe that ships, or a path relative to this file: its weights and thresholds"
    )
    share: float = Field(1.0, gt=0, le=1, description="share of the plates in the archive that it judges")


DEFAULT_TEMPLATES = (
    Template(width=21, height=38, step=18),
    Template(width=11, height=24, step=10),
    Template(width=7, height=8, step=3),
)


class Recipe(Strict):
    """All that belongs to one product model."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100, description="name of the product model")
    description: str = Field("", description="a few words for people")
    length: Length | None = Field(None, description="null: any length")
    columns: Columns | None = Field(None, description="null: all columns of the image")
    pitch: Pitch | None = Field(None, description="null: no sizes in mm")
    switch: Switch = Switch()
    most_rows: int | None = Field(
        None, ge=1, le=_FAR, description="a longer sheet is INCONCLUSIVE; null: 1.1 x nominal"
    )
    least_rows: int = Field(
        0, ge=0, le=_FAR, description="a shorter sheet is INCONCLUSIVE (too short), before the tolerance"
    )
    windows: Windows = Windows()
    templates: tuple[Template, ...] = Field(DEFAULT_TEMPLATES, min_length=1, max_length=64)
    polarity: Literal["bright", "dark", "both"] = Field(
        "bright", description="what a defect is against its surroundings"
    )
    resolution: Literal["half", "full"] = Field("half", description="resolution at which the feature network works")
    weights: str | None = Field(
        None, description="weights file, relative to this file; null: the weights that ship for the resolution"
    )
    threshold: Threshold = Threshold()
    post: PostProcessing = PostProcessing()
    masks: tuple[Rectangle, ...] = Field((), description="areas that are never judged")
    zones: tuple[Zone, ...] = Field(
        (), max_length=MOST_ZONES, description="parts of the plate where evidence counts more or less; they add up"
    )
    gates: Gates = Gates()
    decision: Decision = Decision()
    classifier: Classifier = Classifier()
    archive: OwnArchive = OwnArchive()
    challenger: Challenger | None = Field(None, description="null: none")

    @model_validator(mode="after")
    def _switch_decided_in_time(self) -> Recipe:
        if self.switch.offset_mm is not None and self.pitch is None:
            raise ValueError("switch.offset_mm needs pitch.row_mm, the mm of a row, to be made into rows: give both")
        if self.switch.debounce_rows > self.offset_rows:
            raise ValueError(
                f"switch.debounce_rows ({self.switch.debounce_rows}) must not exceed the rows from the switch to the "
                f"camera ({self.offset_rows}): an edge must be decided before the sheet is at the camera"
            )
        return self

    @property
    def offset_rows(self) -> int:
        """Rows from the switch's edge until the sheet's edge is at the camera."""
        if self.switch.offset_mm is not None and self.pitch is not None:
            return round(self.switch.offset_mm / self.pitch.row_mm)
        return _OFFSET_ROWS if self.switch.offset_rows is None else self.switch.offset_rows

    @property
    def slot_rows(self) -> int | None:
        """Most rows of a plate of this recipe, and so the rows of a slot; None when any length goes."""
        if self.most_rows is not None:
            return self.most_rows
        return None if self.length is None else int(1.1 * self.length.nominal_rows + 0.5)

    @property
    def shortest_rows(self) -> int:
        """Rows of the shortest sheet that can be OK; 0 where nothing is said of it."""
        if self.length is None:
            return self.least_rows
        nominal = self.length.nominal_rows
        return max(self.least_rows, round(nominal * (1 - self.length.tolerance)) or nominal)

    @property
    def edge_band(self) -> int:
        """Width, px, of the band along a plate's edge in which defects are marked `edge`: half the widest template."""
        return int(max(t.width for t in self.templates) / 2)
