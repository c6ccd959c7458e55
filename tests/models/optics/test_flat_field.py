"""Flat field by column: what references say, the file that keeps it, and the correction while rows are copied."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.optics.flat_field import FORMAT, Correction, FlatField, FlatFieldError, from_references, read

WIDTH = 500
Grey = NDArray[np.uint8]


def rows(levels: NDArray[np.float64], count: int = 200, noise: float = 1.5) -> Grey:
    """Rows whose columns have those levels, with a sensor's noise."""
    seen = levels + np.random.default_rng(7).normal(0, noise, (count, len(levels)))
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


LIGHT = np.interp(np.arange(WIDTH), [0, 200, WIDTH - 1], [120, 215, 130])
DARK = rows(np.full(WIDTH, 4.0))
WHITE = rows(LIGHT)


def flat(white: Grey = WHITE, dark: Grey = DARK) -> FlatField:
    return from_references(white, dark, "2026-11-30T08:00:00+00:00")


def corrected(found: FlatField, seen: Grey) -> Grey:
    into = np.zeros_like(seen)
    Correction(found, (0, WIDTH)).copy(seen, into)
    return into


def test_the_white_reference_is_even_after_it() -> None:
    before, after = WHITE.mean(axis=0), corrected(flat(), WHITE).mean(axis=0)
    assert (before.max() - before.min()) / before.mean() > 0.5
    assert (after.max() - after.min()) / after.mean() < 0.01


def test_a_surface_under_the_same_light_shows_its_own_grey() -> None:
    surface = 0.5 + 0.1 * np.sin(np.arange(300) / 20)[:, None]
    seen = np.clip(np.rint(4 + surface * (LIGHT - 4)), 0, 255).astype(np.uint8)
    even = corrected(flat(), seen)
    assert np.ptp(even.astype(np.float64), axis=1).max() <= 3


def test_full_scale_stays_full_scale_and_dark_is_0() -> None:
    found = flat()
    assert (corrected(found, np.full((20, WIDTH), 255, np.uint8)) == 255).all()
    assert (corrected(found, np.full((20, WIDTH), 3, np.uint8)) == 0).all()


def test_a_scratch_on_the_target_is_no_column_of_the_camera() -> None:
    scratched = WHITE.copy()
    scratched[20:50, 100:103] = 40
    assert flat(scratched).extra[100] == pytest.approx(flat().extra[100], abs=2)


def reference(seen: Grey, found: FlatField) -> Grey:
    """The correction as the module's first lines write it."""
    lit = np.maximum(seen.astype(np.int64), found.dark) - found.dark
    return np.minimum(255, lit + (lit * found.extra + 128) // 256).astype(np.uint8)


@settings(deadline=None, max_examples=30)
@given(
    dark=st.lists(st.integers(0, 255), min_size=WIDTH, max_size=WIDTH),
    extra=st.lists(st.integers(0, 255), min_size=WIDTH, max_size=WIDTH),
    seed=st.integers(0, 99),
    count=st.integers(0, 30),
)
def test_it_is_reckoned_as_it_is_written(dark: list[int], extra: list[int], seed: int, count: int) -> None:
    found = FlatField(FORMAT, "", WIDTH, 0, WIDTH, dark, extra)
    seen = np.random.default_rng(seed).integers(0, 256, (count, WIDTH), dtype=np.uint8)
    assert np.array_equal(corrected(found, seen), reference(seen, found))


def test_some_columns_are_corrected_as_they_are_among_all() -> None:
    found = flat()
    wide = np.zeros((60, WIDTH), np.uint8)
    Correction(found, (100, 300)).copy(WHITE[:60, 100:300], wide[:, 50:250])
    assert np.array_equal(wide[:, 50:250], corrected(found, WHITE[:60])[:, 100:300])
    assert not wide[:, :50].any()


def test_columns_beside_the_target_are_left_as_they_are() -> None:
    narrow = WHITE.copy()
    narrow[:, :60] = narrow[:, 450:] = 6
    found = flat(narrow)
    assert (found.first, found.last) == (60, 450)
    seen = np.full((10, WIDTH), 100, np.uint8)
    assert (corrected(found, seen)[:, :60] == 100).all()


@pytest.mark.parametrize(
    ("white", "dark", "said"),
    [
        (WHITE[:10], DARK, "the white reference has 10 rows: take 64 or more"),
        (WHITE[:, :400], DARK, "400 columns and the dark one 500"),
        (WHITE, WHITE, "cover the lens"),
        (DARK, DARK, "turn on the lamp"),
        (np.full_like(WHITE, 255), DARK, "at full scale in 500 columns, the first is 0: shorten the exposure"),
    ],
)
def test_references_that_say_nothing_are_refused(white: Grey, dark: Grey, said: str) -> None:
    with pytest.raises(FlatFieldError, match=said):
        flat(white, dark)


def test_columns_that_get_less_than_half_of_the_light_are_named() -> None:
    shaded = LIGHT.copy()
    shaded[240:243] = 60
    with pytest.raises(FlatFieldError, match=r"3 columns between 0 and 499 get less than half .* the first is 240"):
        flat(rows(shaded))


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "flat.json"
    path.write_bytes(msgspec.json.encode(flat()))
    assert read(path, WIDTH, (100, 200)) == flat()


def test_a_file_that_somebody_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.json"
    values = json.loads(msgspec.json.encode(flat()))
    values["extra"][10] += 1
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(FlatFieldError, match="is not as it was written: make it again"):
        read(path, WIDTH)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[1, 2]", b'{"format": 1}'])
def test_what_is_no_flat_field_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "flat.json"
    path.write_bytes(content)
    with pytest.raises(FlatFieldError, match="is no flat field"):
        read(path, WIDTH)


def test_a_file_of_another_camera_or_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.json"
    narrow = WHITE.copy()
    narrow[:, 450:] = 6
    path.write_bytes(msgspec.json.encode(flat(narrow)))
    with pytest.raises(FlatFieldError, match="of a camera of 500 columns, this one has 600"):
        read(path, 600)
    with pytest.raises(FlatFieldError, match="covers the camera columns 0 to 449, the recipe keeps 100 to 459"):
        read(path, WIDTH, (100, 460))
    with pytest.raises(FlatFieldError, match="cannot be read: No such file"):
        read(tmp_path / "nowhere.json", WIDTH)
