"""A command that writes into the store of a line at work."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Timer

import pytest

from daemon.store.optics import keep_optics, optics_kept_at
from daemon.store.results import Store, StoreError, store_path
from daemon.store.shared import open_shared


def test_a_store_that_is_written_to_just_now_is_waited_for(tmp_path: Path) -> None:
    Store.open(store_path(tmp_path)).close()
    service = sqlite3.connect(store_path(tmp_path), isolation_level=None, check_same_thread=False)
    service.execute("BEGIN EXCLUSIVE")
    Timer(0.5, service.rollback).start()
    with open_shared(tmp_path) as store:
        keep_optics(store, "P10B", b"known")
        assert optics_kept_at(store, "P10B") is not None
    service.close()


def test_no_store_is_made_where_none_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there are no results at"):
        open_shared(tmp_path)
    assert not store_path(tmp_path).exists()
