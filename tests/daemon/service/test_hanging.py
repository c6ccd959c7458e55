"""Only the oldest plate can hang: the others wait for it."""

from __future__ import annotations

from config.schema import Lease as LeaseSettings
from config.schema import Windows
from daemon.service.hanging import Hanging
from stages.events import Place, PlateClosed, PlateFinal, PlateOpened
from stages.tile import WindowLedger

HANGS_S = 60.0


def ledger(*last_rows: float) -> WindowLedger:
    """A ledger with plates 1, 2, ... whose last rows came at these times."""
    made = WindowLedger(Windows(size=65, stride=60), 4, LeaseSettings(least_s=5.0, factor=10.0))
    for plate, at in enumerate(last_rows, start=1):
        place = Place(plate, 1, 120)
        made.handle(PlateOpened(plate, place), 0.0)
        made.handle(PlateClosed(plate, place, 60, last_row_at=at), 0.0)
    return made


def test_the_oldest_plate_hangs_when_its_rows_are_long_there_and_is_told_once() -> None:
    machine, hanging = ledger(10.0, 11.0), Hanging(HANGS_S)
    assert hanging.look(machine, 11.0) is None
    assert hanging.look(machine, 11.0 + HANGS_S) is None
    assert hanging.look(machine, 11.1 + HANGS_S) == 1
    assert hanging.look(machine, 99.0 + HANGS_S) is None


def test_a_plate_that_waited_for_those_before_it_has_its_own_time() -> None:
    machine, hanging = ledger(10.0, 11.0), Hanging(HANGS_S)
    assert hanging.look(machine, 12.0) is None
    machine.handle(PlateFinal(1), 0.0)
    assert hanging.look(machine, 70.0) is None, "it became the oldest just now"
    assert hanging.look(machine, 70.1 + HANGS_S) == 2


def test_a_plate_whose_rows_still_come_does_not_hang() -> None:
    machine, hanging = (
        WindowLedger(Windows(size=65, stride=60), 4, LeaseSettings(least_s=5.0, factor=10.0)),
        Hanging(HANGS_S),
    )
    machine.handle(PlateOpened(1, Place(0, 1, 120)), 0.0)
    assert hanging.look(machine, 0.0) is None
    assert hanging.look(machine, 10 * HANGS_S) is None
