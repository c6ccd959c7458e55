"""What the result store keeps of the optics."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from daemon.store.optics import keep_optics, kept_optics, note_optics
from daemon.store.results import Store, store_path


def test_what_is_known_of_a_product_is_kept_in_place_of_what_was(tmp_path: Path) -> None:
    with Store.open(store_path(tmp_path)) as store:
        assert kept_optics(store, "small") is None
        keep_optics(store, "small", b"first")
        keep_optics(store, "other", b"of another")
        keep_optics(store, "small", b"second")
    with Store.open(store_path(tmp_path), read_only=True) as store:
        assert kept_optics(store, "small") == b"second"
        assert kept_optics(store, "other") == b"of another"


def test_an_alarm_is_an_event_with_its_plate(tmp_path: Path) -> None:
    with Store.open(store_path(tmp_path)) as store:
        note_optics(store, "a" * 32, 7, "dust: 5.0% of the light is missing in plate columns 500 to 505")
    with closing(sqlite3.connect(store_path(tmp_path))) as other:
        (row,) = other.execute("SELECT kind, plate, text FROM events").fetchall()
    assert row == ("optics", 7, "dust: 5.0% of the light is missing in plate columns 500 to 505")
