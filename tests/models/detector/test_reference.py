"""What good sheets have at a place counts less there, however a sheet lies; elsewhere all counts in full."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detector.reference import CALM, PREFIX, SIDE, Lying, Reference, Shown, cells_of, near
from models.detector.repeats import Repeats

ROWS, COLUMNS = 816, 1800


@cache
def relief() -> NDArray[np.float32]:
    """Feature values at full resolution: bands that bend, and a crest line along one of them."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    bands = np.sin(x / 60 + np.sin(y / 170)) + np.sin((x + 2 * y) / 230)
    values = np.asarray(-6 + 1.5 * bands, np.float32)
    crest = [[900 + (yy // 5) % 40, yy] for yy in range(300, 700, 20)]
    cv2.polylines(values, [np.array(crest)], isClosed=False, color=4.0, thickness=9)
    return values


def sheet(seed: int, turn: float = 0.0, stretch: float = 0.0, shift: tuple[int, int] = (0, 0)) -> NDArray[np.float32]:
    """The same die once more: it lies a little elsewhere, and has a grain of its own."""
    matrix = cv2.getRotationMatrix2D((COLUMNS / 2, ROWS / 2), turn, 1 + stretch)
    matrix[:, 2] += shift
    moved = cv2.warpAffine(relief(), matrix, (COLUMNS, ROWS), borderMode=cv2.BORDER_REPLICATE)
    grain = np.random.default_rng(seed).normal(0, 0.5, (ROWS // SIDE, COLUMNS // SIDE)).astype(np.float32)
    return moved + np.kron(grain, np.ones((SIDE, SIDE), np.float32))


def with_crack(values: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
    cracked = values.copy()
    cv2.line(cracked, (x, y), (x + 60, y + 120), 4.0, 7)
    return cracked


def of(*sheets: NDArray[np.float32]) -> Reference:
    return Reference.of([shown(one) for one in sheets])


def shown(values: NDArray[np.float32]) -> Shown:
    cells = cells_of(values, 1)
    return Shown(cells, np.asarray((cells - CALM).clip(0, 255), np.uint8))


@pytest.fixture(scope="module")
def reference() -> Reference:
    shifts = [(0, 0), (9, -14), (-20, 20), (15, 4), (-6, -18)]
    return of(*(sheet(seed, shift=shift) for seed, shift in enumerate(shifts)))


def less(values: NDArray[np.float32], x: int, y: int, reference: Reference, top: int = 0) -> float:
    """What is taken from a region there, on the part of the sheet from the row `top` on, a window high."""
    part = values[top : top + 656]
    _, labels = cv2.connectedComponents((part > 1.5).view(np.uint8), connectivity=8)
    assert labels[y - top, x]
    rows, columns = np.nonzero(labels == labels[y - top, x])
    own = part[rows, columns]
    repeats = Repeats(part, 1, Lying(reference, part, 1, 0, top))
    return repeats.less(rows, columns, own, float(own.mean()))


def on_crest(values: NDArray[np.float32]) -> tuple[int, int]:
    y, x = np.unravel_index(int(values[400:600, 700:1200].argmax()), (200, 500))
    return int(x) + 700, int(y) + 400


@pytest.mark.parametrize(
    ("turn", "stretch", "shift"),
    [(0, 0, (0, 0)), (0, 0, (20, 20)), (0, 0, (-20, 20)), (0.3, 0, (0, 0)), (-0.3, 0, (10, -20)), (0, 0.005, (0, 0))],
)
def test_what_every_sheet_has_counts_less_however_a_sheet_lies(
    reference: Reference, turn: float, stretch: float, shift: tuple[int, int]
) -> None:
    values = sheet(99, turn, stretch, shift)
    x, y = on_crest(values)
    for top in (0, 80):
        assert less(values, x, y, reference, top) > 3


@pytest.mark.parametrize(("x", "y"), [(1400, 300), (300, 420), (1650, 380)])
def test_a_crack_counts_in_full(reference: Reference, x: int, y: int) -> None:
    for seed, shift in enumerate([(0, 0), (17, -9), (-20, 13)]):
        cracked = with_crack(sheet(90 + seed, shift=shift), x, y)
        assert less(cracked, x + 30, y + 60, reference) == 0


def test_a_crack_that_one_of_the_good_sheets_hides_is_not_taken_for_usual() -> None:
    one = with_crack(sheet(1), 1400, 300)
    assert less(one, 1430, 360, of(sheet(0), one, sheet(2), sheet(3))) == 0
    # On two of them it is what such sheets have.
    other = with_crack(sheet(4), 1400, 300)
    assert less(one, 1430, 360, of(sheet(0), one, sheet(2), other)) > 3


def test_what_is_taken_out_of_it_counts_in_full_again(reference: Reference) -> None:
    values = sheet(99)
    x, y = on_crest(values)
    assert less(values, x, y, reference.without([(850, 250, 150, 500)])) == 0
    assert less(values, x, y, reference.without([(1300, 250, 150, 500)])) > 3


def test_a_sheet_of_another_die_is_not_laid_upon_it(reference: Reference) -> None:
    noise = np.random.default_rng(3).normal(-6, 1, (80, 300)).astype(np.float32)
    even, small = np.full((80, 300), CALM, np.float32), cells_of(relief(), 1)[:10]
    for cells in (noise, even, small):
        lying = Lying(reference, np.kron(cells, np.ones((SIDE, SIDE), np.float32)), 1, 0, 0)
        assert lying.high(cells) is None
        assert lying.bright(0, 0, (5, 5), 4) is None


@cache
def small() -> Reference:
    return of(*(sheet(seed)[:400, :400] for seed in range(3)))


@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 200),
    row=st.integers(-300, 3000),
    column=st.integers(-300, 3000),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_any_piece_is_laid_or_not_and_is_of_its_own_shape(
    rows: int, columns: int, row: int, column: int, seed: int
) -> None:
    cells = np.random.default_rng(seed).normal(-5, 2, (rows, columns)).astype(np.float32)
    lying = Lying(small(), np.kron(cells, np.ones((SIDE, SIDE), np.float32)), 1, column * SIDE, row * SIDE)
    high, bright = lying.high(cells), lying.bright(column * SIDE, row * SIDE, (2 * rows, 2 * columns), SIDE // 2)
    assert (high is None) == (bright is None)
    assert high is None or high.shape == cells.shape
    assert bright is None or bright.shape == (2 * rows, 2 * columns)


def test_few_sheets_are_none() -> None:
    with pytest.raises(ValueError, match="needs 3 sheets"):
        of(sheet(0), sheet(1))


def test_what_is_no_number_is_calm_and_a_rest_is_no_cell() -> None:
    values = np.full((21, 33), np.nan, np.float32)
    values[3, 5], values[12, 20] = 2.5, np.inf
    cells = cells_of(values, 1)
    assert cells.shape == (2, 4)
    assert cells[0, 0] == 2.5
    assert (cells.ravel()[1:] == CALM).all()
    assert near(cells)[1, 1] == 2.5


def test_it_lies_in_a_file_of_weights_and_comes_back_equal(reference: Reference) -> None:
    weights = {"learned": torch.zeros(3)}
    rest, back = Reference.parted(weights | reference.tensors())
    assert rest.keys() == weights.keys()
    assert back is not None
    assert (back.middle == reference.middle).all()
    assert (back.high == reference.high).all()
    assert (back.bright == reference.bright).all()
    assert Reference.parted(weights) == (weights, None)


@pytest.mark.parametrize(
    "harm",
    [
        {f"{PREFIX}high": torch.zeros(3, 4)},
        {f"{PREFIX}high": torch.zeros(5, dtype=torch.int8)},
        {f"{PREFIX}high": torch.zeros((0, 4), dtype=torch.int8)},
        {f"{PREFIX}more": torch.zeros((3, 4), dtype=torch.int8)},
        {f"{PREFIX}middle": torch.zeros((3, 4), dtype=torch.int8)},
        {f"{PREFIX}middle": torch.zeros((3, 4), dtype=torch.int8).to_sparse()},
        {f"{PREFIX}middle": torch.zeros((3, 4), dtype=torch.int8, device="meta")},
    ],
)
def test_one_that_is_damaged_is_refused(reference: Reference, harm: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="reference by place is damaged"):
        Reference.parted(reference.tensors() | harm)


def test_what_stands_out_at_a_place_is_told_at_cells_of_any_size(reference: Reference) -> None:
    values = sheet(99, shift=(16, -8))
    x, y = on_crest(values)
    lying = Lying(reference, values[:656], 1, 0, 0)
    around = lying.bright(x - 40, y - 40, (20, 20), 4)
    assert around is not None
    assert around.max() >= 10
    calm = lying.bright(1400, y - 40, (20, 20), 4)
    assert calm is not None
    assert calm.max() < 8


def test_beyond_the_sheets_that_were_seen_nothing_is_usual(reference: Reference) -> None:
    """A sheet may be longer; what stood at the edge of the others does not go on there."""
    longer = np.vstack([sheet(7), np.full((400, COLUMNS), 3.0, np.float32)])[400:]
    lying = Lying(reference, longer, 1, 0, 400)
    high, bright = lying.high(cells_of(longer, 1)), lying.bright(0, ROWS + 160, (20, 20), 8)
    assert high is not None
    assert (high[(ROWS - 400) // SIDE + 20 :] <= CALM).all()
    assert bright is not None
    assert bright.max() == 0


def test_with_more_sheets_more_of_them_make_a_place_usual() -> None:
    """A fault of the die that begins during a run is not what its sheets have."""
    many = [sheet(seed) for seed in range(12)]
    cracked = [with_crack(one, 1400, 300) for one in many[:2]]
    assert less(cracked[0], 1430, 360, of(*cracked, *many[2:])) == 0
    cracked = [with_crack(one, 1400, 300) for one in many[:3]]
    assert less(cracked[0], 1430, 360, of(*cracked, *many[3:])) > 3
