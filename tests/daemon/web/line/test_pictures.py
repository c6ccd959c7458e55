"""Small pictures of sheets while they pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import cv2
import numpy as np
import pytest

from daemon.web.line.pictures import SheetPictures
from daemon.wire.messages import LinePlate
from daemon.wire.plate_memory import PlateMemory, Shape
from stages.events import Place, PlateClosed

ROWS, COLUMNS = 4000, 1600


@pytest.fixture
def memory() -> Iterator[PlateMemory]:
    with closing(PlateMemory.create(Shape(2, ROWS + 400, COLUMNS))) as one:
        rising = np.linspace(20, 220, ROWS + 400).astype(np.uint8)
        one.pixels(0)[:] = rising[:, None]
        one.pixels(1)[:] = rising[::-1, None]
        yield one


def plate(number: int, slot: int | None = 0) -> LinePlate:
    return LinePlate(number, slot, 0, closed=False, progress=None, columns=COLUMNS, nominal_rows=ROWS)


def grey(pictures: SheetPictures, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    jpeg = pictures.jpeg(number)
    assert jpeg is not None
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def test_a_picture_grows_with_its_sheet_and_shows_what_has_come(memory: PlateMemory) -> None:
    pictures = SheetPictures()
    memory.open(Place(0, 1, COLUMNS), 7)
    assert not pictures.look(memory, [plate(7)])
    assert (pictures.rows(7), pictures.jpeg(7)) == (None, None)
    for rows in (500, 501, 2000, 4000):
        memory.set_rows(0, rows)
        grown = pictures.look(memory, [plate(7)])
        assert grown == (rows != 501)
        shown = pictures.rows(7)
        assert shown is not None
        assert rows - 8 < shown <= rows
        picture = grey(pictures, 7)
        assert picture.shape == (shown // 8, COLUMNS // 8)
        expected = memory.pixels(0)[: shown // 8 * 8, 0].reshape(-1, 8).mean(axis=1)
        assert np.abs(picture.mean(axis=1) - expected).max() < 4


def test_a_slot_that_was_given_to_another_sheet_meanwhile_shows_nothing_of_it(memory: PlateMemory) -> None:
    pictures = SheetPictures()
    memory.open(Place(0, 1, COLUMNS), 7)
    memory.set_rows(0, 2000)
    for role in range(3):
        memory._slots["holds"][0, role] = 0
    memory.open(Place(0, 2, COLUMNS), 8)
    memory.set_rows(0, 2000)
    assert not pictures.look(memory, [plate(7)])
    assert pictures.jpeg(7) is None
    assert pictures.look(memory, [plate(8)])


def test_a_sheet_that_is_longer_than_drawn_and_one_without_a_slot_do_no_harm(memory: PlateMemory) -> None:
    pictures = SheetPictures()
    memory.open(Place(1, 1, COLUMNS), 9)
    memory.close_plate(PlateClosed(9, Place(1, 1, COLUMNS), ROWS + 400))
    assert pictures.look(memory, [plate(9, 1), plate(10, None)])
    assert (pictures.rows(9) or 0) <= ROWS + 400
    assert pictures.jpeg(10) is None


def test_only_the_last_pictures_are_kept(memory: PlateMemory) -> None:
    pictures = SheetPictures()
    for number in range(1, 9):
        for role in range(3):
            memory._slots["holds"][0, role] = 0
        memory.open(Place(0, number, COLUMNS), number)
        memory.set_rows(0, 800)
        assert pictures.look(memory, [plate(number)])
    assert [number for number in range(1, 9) if pictures.jpeg(number)] == [5, 6, 7, 8]
