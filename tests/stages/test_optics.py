"""The optics over many plates: what is learnt, and which change is an alarm, on sheets of the simulator."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from config.schema import OpticsLimits, Recipe
from models.detector.findings import COLUMN_STEPS, Integrity
from models.detector.quality import measure
from models.detector.swaths import own_area
from simulator.line.optics import AgeingOptics
from simulator.line.replay import Picture
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from stages.optics import Kept, OpticalFault, OpticsState, OpticsWatch, profile_of, unevenness
from stages.plate import PlateResult, WindowResult, windows_of
from stages.verdict import facts_of, judged

ROWS, COLUMNS, FIRST, WIDTH = 1300, 1300, 300, 2048
RECIPE = Recipe.model_validate(
    {"name": "small", "length": {"nominal_rows": ROWS}, "columns": {"first": FIRST, "last": FIRST + COLUMNS}}
)
LIMITS = OpticsLimits(plates=6)
Image = NDArray[np.uint8]


class Still:
    """A picture in memory."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.height, self.width = image.shape

    def rows(self, first: int, last: int) -> Image:
        return self.image[first:last]

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def sheets() -> list[Image]:
    """Three sheets of a product, which come round again."""
    return [render(Product("small", ROWS, COLUMNS), seed, 1).image for seed in (1, 2, 3)]


def seen(image: Image) -> tuple[PlateResult, bytes]:
    """What a plate says, by the measures that a worker takes of its windows."""
    results = []
    for window in windows_of(image.shape[0], image.shape[1], RECIPE.windows):
        x0, y0, x1, y1 = own_area(window.x, window.y, window.width, window.height, image.shape[1], 650, 600)
        own = image[window.y + y0 : window.y + y1, window.x + x0 : window.x + x1]
        results.append(WindowResult("run", 1, window.index, (), False, measure(own, None), 0.0, 0.0))
    results = [replace(one, integrity=Integrity()) for one in results]
    facts = facts_of("run", 1, rows=image.shape[0], columns=image.shape[1], results=results, recipe=RECIPE)
    return judged(facts, (), results, image.shape[1], RECIPE), profile_of(results, image.shape[1], RECIPE)


def watched(sheets: list[Image], plates: int, **faults: Any) -> Iterator[OpticsState]:
    """The optics after each plate of a line whose optics have those faults after the reference is learnt."""
    optics, watch = AgeingOptics(WIDTH, after=LIMITS.plates, **faults), OpticsWatch(LIMITS, RECIPE)
    for number in range(plates):
        picture: Picture = optics.seen(number, FIRST, Still(sheets[number % len(sheets)]))
        state = watch.take(*seen(picture.rows(0, picture.height)))
        assert state is not None
        yield state


def test_a_line_whose_optics_stay_as_they_are_has_no_alarm(sheets: list[Image]) -> None:
    states = list(watched(sheets, 15))
    assert [state.faults for state in states] == [()] * 15
    assert states[-1].changes[OpticalFault.LENGTH] == 0


@pytest.mark.parametrize(
    ("fault", "by"),
    [
        (OpticalFault.LIGHT, {"light_a_sheet": 0.03}),
        (OpticalFault.LIGHT, {"light_a_sheet": -0.03}),
        (OpticalFault.UNEVEN, {"uneven": 0.4}),
        (OpticalFault.DUST, {"dust_column": FIRST + 500, "dust_share": 0.1}),
        (OpticalFault.FOCUS, {"defocus_a_sheet": 0.25}),
    ],
)
def test_each_fault_of_the_simulator_fires_its_alarm(
    sheets: list[Image], fault: OpticalFault, by: dict[str, Any]
) -> None:
    states = list(watched(sheets, 16, **by))
    assert all(fault not in state.faults for state in states[: LIMITS.plates])
    assert fault in states[-1].faults


def test_dust_is_found_where_it_lies_and_alone(sheets: list[Image]) -> None:
    *_, state = watched(sheets, 16, dust_column=FIRST + 500, dust_share=0.1)
    assert state.faults == (OpticalFault.DUST,)
    (found,) = state.dust
    assert (found.first, found.last) == (500, 506)
    assert found.depth == pytest.approx(0.1, abs=0.03)


def test_sheets_longer_than_nominal_are_an_alarm_of_the_length(sheets: list[Image]) -> None:
    watch = OpticsWatch(LIMITS, RECIPE)
    result, profile = seen(sheets[0])
    for _ in range(LIMITS.plates):
        state = watch.take(replace(result, rows=round(1.01 * ROWS)), profile)
    assert state is not None
    assert state.faults == (OpticalFault.LENGTH,)
    assert state.changes[OpticalFault.LENGTH] == pytest.approx(0.01)


def test_what_is_known_outlives_the_process(sheets: list[Image]) -> None:
    plates = [seen(sheet) for sheet in sheets]
    whole = OpticsWatch(LIMITS, RECIPE)
    first = OpticsWatch(LIMITS, RECIPE)
    for number in range(10):
        if number == 7:
            stored = msgspec.msgpack.encode(first.kept)
            first = OpticsWatch(LIMITS, RECIPE, msgspec.msgpack.decode(stored, type=Kept))
        assert whole.take(*plates[number % 3]) == first.take(*plates[number % 3])


def test_an_alarm_ends_well_within_its_limit(sheets: list[Image]) -> None:
    result, profile = seen(sheets[0])
    dark = replace(result, quality=replace(result.quality, total=0.8 * result.quality.total))
    watch = OpticsWatch(LIMITS, RECIPE)
    said = [watch.take(*one) for one in [(result, profile)] * 6 + [(dark, profile)] * 10 + [(result, profile)] * 20]
    light = [state is not None and OpticalFault.LIGHT in state.faults for state in said]
    assert light.index(True) > 6
    assert not light[-1]
    # Once on and once off: it does not come and go.
    assert sum(a != b for a, b in itertools.pairwise(light)) == 2


def test_a_plate_that_was_not_seen_whole_says_nothing(sheets: list[Image]) -> None:
    result, profile = seen(sheets[0])
    watch = OpticsWatch(LIMITS, RECIPE)
    assert watch.take(replace(result, complete=False), profile) is None
    assert watch.take(result, b"") is None
    assert watch.kept.present.plates == 0


def test_a_profile_is_the_mean_of_each_column_where_the_sheet_is(sheets: list[Image]) -> None:
    image = np.clip(sheets[0], 9, 254)
    profile = np.frombuffer(seen(image)[1], "<u2") / COLUMN_STEPS
    assert len(profile) == COLUMNS
    assert np.abs(profile - image.mean(axis=0))[profile > 0].max() < 12
    assert np.abs((profile - image.mean(axis=0))[profile > 0].mean()) < 1
    dark = sheets[0].copy()
    dark[:, :200] = 3
    assert not np.frombuffer(seen(dark)[1], "<u2")[:200].any()


def test_unevenness_is_the_spread_of_the_light_over_the_columns() -> None:
    profile = (COLUMN_STEPS * np.linspace(80, 120, 2000)).astype("<u2").tobytes()
    assert unevenness(profile) == pytest.approx(0.37, abs=0.02)
    assert unevenness(b"") is None


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_no_profile_whatever_is_in_it_breaks_the_watch(profiles: list[bytes]) -> None:
    watch = OpticsWatch(OpticsLimits(plates=1), RECIPE)
    image = np.full((650, 650), 100, np.uint8)
    result, _ = seen(image)
    for profile in profiles:
        watch.take(replace(result, complete=True), profile[: len(profile) // 2 * 2])
