"""The archive process: a slot is free at once, and a file is whole or not there, whatever dies."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile

from config.schema import Archive, Config
from daemon.store.archive_files import archive_path, sha256_of
from daemon.wire import messages as m
from daemon.wire.channel import Server
from daemon.wire.plate_memory import PlateMemory
from stages.events import ArchivePlate, PlateArchived, PlateCopied, PlateNotArchived
from stages.plate import Verdict
from tests.daemon.conftest import KEY, RUN, SHAPE, Parent

Start = Callable[..., Parent]
Kind = TypeVar("Kind")
ABOUT = {"plate": "7", "part_id": "<a>&\x1b]]>", "batch_id": "=1+1", "camera": "../21", "image": "é.png"}
PIXELS = np.random.default_rng(3).integers(0, 256, (SHAPE.rows, SHAPE.columns), dtype=np.uint8)


def fill(memory: PlateMemory) -> None:
    for slot, place in enumerate(memory.free_places()):
        memory.pixels(slot)[:] = PIXELS + slot
        memory.open(place, 7 + slot)


class Record:
    """Record's end of one archive process."""

    def __init__(self, parent: Parent, archive: Path) -> None:
        self.links = Server(parent.context, m.Sender(RUN, "record", 0, 1), parent.directory / "record", KEY)
        self.memory = parent.memory
        self.archive = archive
        self._heard: list[object] = []

    def order(self, slot: int, generation: int | None = None) -> ArchivePlate:
        facts = self.memory.facts(slot)
        place = facts.place
        if generation is not None:
            place = type(place)(slot, generation, place.columns)
        order = ArchivePlate(facts.plate, place, SHAPE.rows, Verdict.NG, ABOUT, (0.05, 0.04))
        self.links.send("archive-0", order, time.monotonic())
        return order

    def hear(self, kind: type[Kind]) -> Kind:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            while self._heard:
                body = self._heard.pop(0)
                if isinstance(body, kind):
                    return body
            self._heard += [body for _, body in self.links.receive(time.monotonic())]
            self.links.tick(time.monotonic())
            time.sleep(0.01)
        pytest.fail(f"no {kind.__name__} came")


def started(parent: Start, directory: Path, **settings: float) -> tuple[Parent, Record]:
    archive = Archive.model_validate({"directory": directory / "archive", **settings})
    child = parent("archive", prepare=fill, config=Config(archive=archive))
    return child, Record(child, directory / "archive")


def test_plates_are_copied_and_written_and_what_a_predecessor_left_half_written_is_gone(
    parent: Start, tmp_path: Path
) -> None:
    path = archive_path(tmp_path / "archive", RUN, 7)
    path.parent.mkdir(parents=True)
    half, whole = path.with_name(".000003.ome.tif.part"), path.with_name("000002.ome.tif")
    half.write_bytes(b"half")
    whole.write_bytes(b"whole")
    child, record = started(parent, tmp_path, least_free_gb=0)
    record.order(0)
    assert record.hear(PlateCopied) == PlateCopied(7)
    # The slot is another plate's from now on.
    child.memory.pixels(0)[:] = 0
    done = record.hear(PlateArchived)
    assert (done.plate, done.bytes, done.sha256) == (7, path.stat().st_size, sha256_of(path))
    with tifffile.TiffFile(path) as file:
        assert np.array_equal(file.asarray(), PIXELS)
        root = ET.fromstring(str(file.ome_metadata))
    values = {one.get("K"): one.text for one in root.iter() if one.get("K")}
    assert values == ABOUT | {"part_id": "<a>&\\x1b]]>"}
    # One that is told to stop while it has a plate finishes it.
    child.hear(m.Heartbeat)
    record.order(1)
    record.hear(PlateCopied)
    child.tell(m.Exit())
    assert record.hear(PlateArchived).plate == 8
    assert child.child.wait(30) == 0
    assert sorted(one.name for one in path.parent.iterdir()) == ["000002.ome.tif", "000007.ome.tif", "000008.ome.tif"]
    record.links.close()


def test_a_slot_that_is_another_plates_by_now_is_not_written_and_the_next_plate_is(
    parent: Start, tmp_path: Path
) -> None:
    _, record = started(parent, tmp_path, least_free_gb=0)
    record.order(0, generation=99)
    assert "another plate" in record.hear(PlateNotArchived).text
    record.order(1)
    assert record.hear(PlateArchived).plate == 8
    record.links.close()


def test_where_too_little_is_free_nothing_is_written_and_the_process_goes_on(parent: Start, small_disk: Path) -> None:
    _, record = started(parent, small_disk)
    foreign = small_disk / "foreign"
    foreign.write_bytes(b"x" * 2_500_000)
    record.order(0)
    left = record.hear(PlateNotArchived)
    assert (left.plate, left.why) == (7, "no room")
    assert not list(record.archive.glob("*/*"))
    foreign.unlink()
    record.order(1)
    assert record.hear(PlateArchived).plate == 8
    record.links.close()


def test_a_directory_that_cannot_be_written_costs_the_file_alone(parent: Start, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("no directory")
    _, record = started(parent, tmp_path, least_free_gb=0)
    record.order(0)
    record.hear(PlateCopied)
    left = record.hear(PlateNotArchived)
    assert (left.why, "archive" in left.text) == ("not written", True)
    record.links.close()
