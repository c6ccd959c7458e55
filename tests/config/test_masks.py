"""Masks leave something to be judged, and limits let something pass, or `check` says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.check import check
from config.masks import unmasked
from config.schema import Gates, Rectangle

masks = st.builds(
    Rectangle,
    x=st.integers(0, 30),
    y=st.integers(0, 30),
    width=st.integers(1, 30),
    height=st.integers(1, 30),
)


@given(st.lists(masks, max_size=6), st.integers(1, 25), st.integers(1, 25))
def test_what_masks_leave_is_counted_as_by_painting_them(given: list[Rectangle], rows: int, columns: int) -> None:
    plate = np.ones((rows, columns), np.bool_)
    for mask in given:
        plate[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width] = False
    assert unmasked(given, rows, columns) == plate.sum()


@pytest.mark.parametrize(("height", "sound"), [(2000, False), (1750, False), (1500, True)])
def test_masks_over_the_whole_plate_do_not_pass_the_check(tmp_path: Path, height: int, *, sound: bool) -> None:
    recipe = tmp_path / "masked.yaml"
    recipe.write_text(
        "name: masked\nlength: {nominal_rows: 1800}\ncolumns: {first: 0, last: 1300}\n"
        f"masks: [{{x: 0, y: 0, width: 700, height: {height}}}, {{x: 650, y: 0, width: 700, height: {height}}}]\n"
    )
    found = [fault for fault in check(recipe).faults if "masks" in fault]
    assert (found == []) is sound
    assert all("to be judged" in fault for fault in found)


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ({"brightness": {"least": 200, "most": 100}}, "least (200) must not exceed most (100)"),
        ({"brightness": {"least": 300}}, "brightness.least (300) is above 255"),
        ({"saturation": {"most": -0.1}}, "saturation.most (-0.1) is below 0"),
        ({"contrast": {"least": 200}}, "contrast.least (200) is above 127.5"),
        ({"contrast": {"least": float("nan")}}, "finite"),
    ],
)
def test_limits_that_no_sheet_can_pass_are_refused(gates: dict[str, dict[str, float]], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Gates.model_validate(gates)
    assert words in str(refused.value)
