"""Pictures of a plate as they are asked for: tiles, overview, crops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import sqlalchemy as sa

from daemon.store.pictures import plate_directory
from daemon.store.results import Store, store_path
from daemon.store.schema import archive
from tests.archived import RUN
from tests.daemon.web.conftest import Screen
from tests.daemon.web.sheet.conftest import ANOTHER, OVERVIEW_ALONE, WITH_CRACKS, Sheets


def asked(address: str, **headers: str) -> httpx.Response:
    return httpx.get(address, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=60)


def decoded(content: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return np.asarray(found, np.uint8)


def test_the_pixels_of_the_tiles_are_those_of_the_archive(screen: Callable[..., Screen], sheets: Sheets) -> None:
    one, pixels = screen(sheets.state), sheets.pixels()
    for row in (0, 1):
        for column in (0, 1):
            answer = asked(f"{one.address}/sheet/{WITH_CRACKS}/tiles/0/{column}/{row}.png")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "image/png"
            expected = pixels[512 * row : 512 * row + 512, 512 * column : 512 * column + 512]
            np.testing.assert_array_equal(decoded(answer.content), expected)


def test_a_browser_that_has_a_picture_is_told_so_and_nobody_between_keeps_it(
    screen: Callable[..., Screen], sheets: Sheets
) -> None:
    one = screen(sheets.state)
    for path in ("tiles/0/0/0.png", "overview.jpg", "defects/1/crop.png", "defects/1/heat.png"):
        address = f"{one.address}/sheet/{WITH_CRACKS}/{path}"
        first = asked(address)
        assert first.status_code == 200, path
        assert first.headers["cache-control"].startswith("private")
        again = asked(address, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        assert asked(address, if_none_match='"another"').content == first.content


def test_overview_and_crops_are_as_they_were_stored(screen: Callable[..., Screen], sheets: Sheets) -> None:
    one, folder = screen(sheets.state), plate_directory(sheets.state, RUN, WITH_CRACKS)
    for path, name in (
        ("overview.jpg", "overview.jpg"),
        ("defects/2/crop.png", "defect-002.png"),
        ("defects/2/heat.png", "defect-002-heat.png"),
    ):
        answer = asked(f"{one.address}/sheet/{WITH_CRACKS}/{path}")
        assert answer.content == (folder / name).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "1/tiles/0/2/0.png",
        "1/tiles/1/0/0.png",
        "1/tiles/0/-1/0.png",
        "1/tiles/0/00/0.png",
        "1/tiles/0/0/%D9%A1.png",
        f"1/tiles/0/0/{'9' * 5000}.png",
        "1/tiles/..%2f..%2f..%2fetc%2fpasswd/0/0.png",
        "01/tiles/0/0/0.png",
        "0/tiles/0/0/0.png",
        "99/tiles/0/0/0.png",
        f"{'9' * 30}/tiles/0/0/0.png",
        "1e3/overview.jpg",
        "%2e%2e/overview.jpg",
        "1/../../overview.jpg",
        "1/defects/999/crop.png",
        "1/defects/001/crop.png",
        "1/defects/..%2f..%2fx/crop.png",
        "1/defects/1%00/heat.png",
        f"{OVERVIEW_ALONE}/tiles/0/0/0.png",
    ],
)
def test_what_is_no_number_or_none_of_the_plate_is_answered_by_a_sentence(
    screen: Callable[..., Screen], sheets: Sheets, path: str
) -> None:
    answer = asked(f"{screen(sheets.state).address}/sheet/{path}")
    assert answer.status_code == 404
    assert str(sheets.state) not in answer.text
    assert "Traceback" not in answer.text


def test_a_file_that_is_damaged_or_gone_is_said_in_the_visitors_language_without_a_path(
    screen: Callable[..., Screen], sheets: Sheets
) -> None:
    address = f"{screen(sheets.state).address}/sheet/{ANOTHER}/tiles/0/0/0.png"
    assert asked(address).status_code == 200
    file = sheets.made.file(ANOTHER)
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:200])
        damaged = asked(address, accept_language="de")
        file.unlink()
        gone = asked(address)
    finally:
        file.write_bytes(whole)
    assert (damaged.status_code, damaged.text) == (500, "Die Archivdatei dieses Blechs ist beschädigt.")
    assert gone.status_code == 410
    assert "not there any more" in gone.text


def test_a_path_in_a_store_that_somebody_changed_is_not_followed(screen: Callable[..., Screen], sheets: Sheets) -> None:
    def noted(path: str) -> None:
        with Store.open(store_path(sheets.state)) as store, store.transaction() as connection:
            connection.execute(sa.update(archive).where(archive.c.plate == ANOTHER).values(path=path))

    before = sheets.row(ANOTHER).archive
    assert before is not None
    assert before.path is not None
    other = sheets.state.parent / "other"  # the rows are kept for some seconds: another way to the same store
    other.symlink_to(sheets.state)
    noted(str(sheets.made.file(WITH_CRACKS)))
    try:
        answer = asked(f"{screen(other).address}/sheet/{ANOTHER}/tiles/0/0/0.png")
    finally:
        noted(before.path)
    assert answer.status_code == 404


def test_a_page_leads_to_the_sheets_beside_it_and_says_when_the_results_cannot_be_read(
    screen: Callable[..., Screen], sheets: Sheets, tmp_path: Path
) -> None:
    address = f"{screen(sheets.state).address}/sheet"
    assert 'rel="prev"' not in asked(f"{address}/1").text
    assert 'rel="next" href="/sheet/2"' in asked(f"{address}/1").text
    assert 'rel="prev" href="/sheet/1"' in asked(f"{address}/2").text
    assert 'rel="next"' not in asked(f"{address}/3").text
    store_path(tmp_path).write_text("no database")
    broken = asked(f"{screen(tmp_path).address}/sheet/1")
    assert broken.status_code == 503
    assert "is no SQLite database" in broken.text
    assert "Traceback" not in broken.text
    assert asked(f"{screen(tmp_path).address}/sheet/1/overview.jpg").status_code == 503
