"""Evidence: pictures that show the plate as it was, never in the way of a verdict, never larger than allowed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from config.schema import Results
from daemon.store.evidence import crop_at, write_evidence
from daemon.store.overview import BOX, VETOED_BOX, counted, draw_overview, shrink
from models.classifier.overlay import overlay
from stages.plate import Cause, Defect, Heat, PlateResult, Verdict, worst_first

Grey = NDArray[np.uint8]


def plate(rows: int, columns: int) -> Grey:
    return np.random.default_rng(rows * columns).integers(0, 256, (rows, columns), dtype=np.uint8)


def result(image: Grey, *defects: Defect, verdict: Verdict = Verdict.NG) -> PlateResult:
    causes = (Cause.DEFECT,) if verdict is Verdict.NG else ()
    rows, columns = image.shape
    return PlateResult("a" * 32, 7, verdict, causes, "why", True, rows, columns, 4, 4, 0.9, defects=defects)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def defect(x: int, y: int, score: float = 0.9, side: int = 20) -> Defect:
    return Defect(x, y, side, side, side * side, score, x + side // 2, y + side // 2, edge=False)


def test_the_overview_and_the_crops_of_the_worst_defects_are_written(tmp_path: Path) -> None:
    image = plate(900, 700)
    found = [defect(50 * i, 60 * i, score=0.5 + i / 100) for i in range(1, 9)]
    directory = tmp_path / "pictures" / "01234567" / "000007"
    written = write_evidence(image, result(image, *found), directory, Results(overview_px=300, crops=3))
    assert written.errors == ()
    assert written.overview == directory / "overview.jpg"
    assert [path.name for path in written.crops] == ["defect-001.png", "defect-002.png", "defect-003.png"]
    assert names(directory) == [*(path.name for path in written.crops), "overview.jpg"]
    with Image.open(written.crops[0]) as crop:
        assert np.array_equal(np.asarray(crop), crop_at(image, 8 * 50 + 10, 8 * 60 + 10))  # the worst, to the bit
    with Image.open(directory / "overview.jpg") as overview:
        assert overview.mode == "RGB"
        assert overview.height > 300  # the plate and the legend below it


def test_vetoed_defects_come_after_all_others_and_are_drawn_and_counted_apart(tmp_path: Path) -> None:
    image = np.full((900, 700), 100, np.uint8)
    found = [
        replace(defect(100, 100, 0.99), vetoed=True),
        defect(300, 300, 0.6),
        replace(defect(500, 100, 0.7), vetoed=True),
        defect(500, 500, float("nan")),
    ]
    written = write_evidence(image, result(image, *found), tmp_path, Results(overview_px=900, crops=3))
    assert len(written.crops) == 3
    assert worst_first(found) == [found[3], found[1], found[0], found[2]]
    drawn = np.asarray(draw_overview(image, result(image, *found), overview_px=900, title="t"))[:900]
    left = (drawn.shape[1] - 700) // 2
    for one in found:
        part = drawn[one.y - 4 : one.y + 24, one.x - 4 + left : one.x + 24 + left]
        colours = {tuple(pixel) for pixel in part.reshape(-1, 3).tolist()} - {(100, 100, 100)}
        assert colours == {VETOED_BOX if one.vetoed else BOX}
    assert counted(found) == "2 defects, 2 vetoed"
    assert counted(found[:1]) == "no defects, 1 vetoed"
    assert counted(found[1:2]) == "1 defect"


def test_beside_the_crop_of_a_defect_lies_what_the_classifier_saw_of_it(tmp_path: Path) -> None:
    image = plate(900, 700)
    cells = np.zeros((7, 7), np.uint8)
    cells[3, 3] = 255
    # Near the corner the classifier's crop lies inside the plate, so that its middle is elsewhere.
    judged = replace(defect(100, 200), heat=Heat(20, 30, cells.tobytes()))
    written = write_evidence(image, result(image, judged, defect(300, 300, 0.5)), tmp_path, Results(overview_px=300))
    assert written.heats == (tmp_path / "defect-001-heat.png",)
    assert "defect-002-heat.png" not in names(tmp_path)
    with Image.open(written.heats[0]) as picture:
        found = np.asarray(picture.convert("RGB"))
    assert np.array_equal(found, overlay(image[:224, :224], cells))
    assert np.array_equal(found[:40, :40], np.repeat(image[:40, :40, None], 3, 2))


def test_files_of_several_images_lie_side_by_side_by_their_stem(tmp_path: Path) -> None:
    image = plate(60, 50)
    for stem in ("one", "two"):
        write_evidence(image, result(image, defect(5, 5)), tmp_path, title=stem, stem=stem)
    assert names(tmp_path) == [
        "one-defect-001.png",
        "one-overview.jpg",
        "two-defect-001.png",
        "two-overview.jpg",
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(-5, 95), st.integers(-5, 95), st.integers(1, 40))
def test_a_crop_is_the_image_around_the_point_with_its_edge_repeated(
    rows: int, columns: int, x: int, y: int, size: int
) -> None:
    image = plate(rows, columns)
    air = 200
    padded = cv2.copyMakeBorder(image, air, air, air, air, cv2.BORDER_REPLICATE)
    top, left = y - size // 2 + air, x - size // 2 + air
    assert np.array_equal(crop_at(image, x, y, size), padded[top : top + size, left : left + size])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 120))
def test_a_shrunken_image_fits_and_averages(rows: int, columns: int, longest: int) -> None:
    ramp = np.add.outer(np.arange(rows), np.arange(columns))
    image = (ramp * 255 // max(1, int(ramp.max()))).astype(np.uint8)
    small, scale = shrink(image, longest)
    assert max(small.shape) <= max(longest, 1)
    if scale < 1:
        step = round(1 / scale)
        whole = image[: small.shape[0] * step, : small.shape[1] * step].astype(np.float64)
        if whole.shape == (small.shape[0] * step, small.shape[1] * step):
            means = whole.reshape(small.shape[0], step, small.shape[1], step).mean((1, 3))
            assert np.abs(small - means).max() <= 0.51


def test_a_box_lies_where_the_defect_is() -> None:
    image = np.full((3000, 2000), 100, np.uint8)
    picture = np.asarray(draw_overview(image, result(image, defect(1000, 1500, side=400)), overview_px=750, title="t"))
    rows, columns = np.nonzero((picture[:750] == BOX).all(axis=2))
    left = (picture.shape[1] - 500) // 2
    assert (rows.min(), rows.max()) == (1500 // 4 - 3, 1900 // 4 + 3)
    assert (columns.min() - left, columns.max() - left) == (1000 // 4 - 3, 1400 // 4 + 3)


def test_every_number_that_has_room_is_drawn_and_none_covers_a_box() -> None:
    image = np.full((1000, 1000), 100, np.uint8)
    found = [defect(x, y) for x in (0, 400, 980) for y in (0, 500, 980)]
    bare = np.asarray(draw_overview(image, result(image, *found), overview_px=1000, title="t", numbered=0))
    numbered = np.asarray(draw_overview(image, result(image, *found), overview_px=1000, title="t", numbered=9))
    boxes = (bare == BOX).all(axis=2)
    assert np.array_equal(numbered[boxes], bare[boxes])
    changed = (numbered != bare).any(axis=2)[:1000].astype(np.uint8)
    assert cv2.connectedComponents(changed)[0] - 1 == 9


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 7)])
def test_images_of_any_shape_get_a_picture(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = plate(*shape)
    written = write_evidence(image, result(image, defect(0, 0, side=1)), tmp_path, title="x" * 300, notes=["y" * 500])
    assert written.errors == ()
    assert written.overview is not None
    with Image.open(written.overview) as overview:
        assert overview.width >= 720


def test_a_plate_without_a_pixel_gets_no_picture(tmp_path: Path) -> None:
    image = np.zeros((0, 500), np.uint8)
    assert write_evidence(image, result(image, verdict=Verdict.INCONCLUSIVE), tmp_path / "new", Results()).crops == ()
    assert not (tmp_path / "new").exists()


def test_a_view_into_a_slot_is_read_in_place(tmp_path: Path) -> None:
    slot = plate(800, 640)
    slot.flags.writeable = False
    view = slot[:500]
    assert write_evidence(view, result(view), tmp_path, Results()).overview is not None
    assert np.array_equal(shrink(view, 100)[0], shrink(view.copy(), 100)[0])


def test_what_cannot_be_written_is_said_and_leaves_no_half_file(tmp_path: Path) -> None:
    image = plate(50, 50)
    file = tmp_path / "file"
    file.write_text("in the way")
    assert "pictures of plate 7" in write_evidence(image, result(image), file / "below", Results()).errors[0]
    (tmp_path / "overview.jpg").mkdir()  # a directory where the file should go
    written = write_evidence(image, result(image), tmp_path, Results())
    assert written.overview is None
    assert "overview.jpg" in written.errors[0]
    assert names(tmp_path) == ["file", "overview.jpg"]


def test_an_image_that_is_none_is_an_error_and_no_exception(tmp_path: Path) -> None:
    image = plate(50, 50)
    coloured: Any = np.zeros((50, 50, 3), np.uint8)
    assert write_evidence(coloured, result(image), tmp_path).errors != ()
    assert names(tmp_path) == []


def test_a_name_that_is_no_text_is_drawn_as_far_as_it_is(tmp_path: Path) -> None:
    image = plate(50, 50)
    name = b"plate-\xff\xfe.png".decode("utf-8", "surrogateescape")
    assert write_evidence(image, result(image), tmp_path, title=name, stem=name).errors == ()
