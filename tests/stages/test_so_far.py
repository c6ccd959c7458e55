"""What people who watch a line see of a plate before its verdict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stages.events import PlateClosed, WindowQuarantined
from stages.merge import Merger
from stages.so_far import SoFar
from tests.stages.test_merge import PLACE, RECIPE, ROWS, WINDOWS, scored, told


def merger(*events: object) -> Merger:
    one = Merger(RECIPE, "run")
    told(one, *events)  # type: ignore[arg-type]
    return one


def windows_in(bits: bytes) -> set[int]:
    return {8 * byte + bit for byte, value in enumerate(bits) for bit in range(8) if value >> bit & 1}


@given(scores=st.dictionaries(st.integers(0, WINDOWS - 1), st.none() | st.floats(0.1, 1)), most=st.integers(1, 8))
def test_the_windows_that_are_judged_are_told_and_the_worst_boxes_in_plate_coordinates(
    scores: dict[int, float | None], most: int
) -> None:
    far = merger(*(scored(1, window, score) for window, score in scores.items())).progress(1, most)
    assert windows_in(far.judged) == scores.keys()
    assert far.windows == len(scores)
    found = {window: score for window, score in scores.items() if score is not None}
    assert far.regions == len(found)
    assert len(far.boxes) == min(most, len(found))
    kept = {y // 20 * 3 + x // 20 - 1 for x, y, _, _ in far.boxes}
    assert far.boxes == () or {(width, height) for _, _, width, height in far.boxes} == {(10, 2)}
    assert kept <= found.keys()
    assert min((found[window] for window in kept), default=1) >= max(
        (score for window, score in found.items() if window not in kept), default=0
    )


def test_a_window_that_was_given_up_counts_among_those_that_nobody_waits_for() -> None:
    far = merger(scored(1, 0), WindowQuarantined(1, 5)).progress(1, 1)
    assert (far.windows, windows_in(far.judged)) == (2, {0, 5})


def test_without_boxes_it_is_told_in_numbers_alone_and_of_no_plate_nothing() -> None:
    one = merger(scored(1, 0, 0.8))
    assert one.progress(1) == SoFar(1, 1)
    assert one.progress(2, 64) == SoFar()


def test_a_decided_plate_has_all_its_windows_and_the_boxes_of_its_defects() -> None:
    events = [scored(1, window, 0.8 if window == 4 else None) for window in range(WINDOWS)]
    one = merger(*events, PlateClosed(1, PLACE, ROWS))
    far = one.progress(1, 64)
    assert windows_in(far.judged) == set(range(WINDOWS))
    assert (far.windows, far.regions, far.boxes) == (WINDOWS, 1, ((40, 35, 10, 2),))
