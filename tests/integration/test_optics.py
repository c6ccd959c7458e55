"""The slow faults of the optics, shown by the simulator to the whole service: each alarm is told, measured and kept."""

from __future__ import annotations

import re
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

from daemon.store.results import store_path
from tests.integration.conftest import ROWS, Service


def exported(service: Service) -> dict[str, float]:
    """The metrics of the optics that the service exports now, by what stands before the value."""
    address = service.logged("service starts")[0]["metrics"]
    with urllib.request.urlopen(address, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = (line.rpartition(" ") for line in lines if line.startswith("linesentry_optics_"))
    return {name: float(value) for name, _, value in values}


def test_dust_fading_light_and_a_lens_that_moves_are_alarms_and_stand_with_the_plates(tmp_path: Path) -> None:
    plates, after = 16, 5
    service = Service(
        tmp_path,
        recipe={"length": {"nominal_rows": ROWS // 2}, "gates": {"focus": {"least": 0.0}, "judged": 0.0}},
        simulator={"ageing": {"after": after, "light": 0.02, "uneven": 0.3, "dust_column": 800, "defocus": 0.25}},
        optics={"plates": after},
    )
    service.start()
    try:
        service.wait_for(lambda: len(service.finals()) >= plates, seconds=90)
        found = exported(service)
    finally:
        service.end()
    faults = {"light", "uneven light", "dust", "focus"}
    assert {name for name in faults if found[f'linesentry_optics_alarm{{fault="{name}"}}']} == faults
    assert found['linesentry_optics_alarm{fault="length"}'] == 0
    assert found["linesentry_optics_reference_plates"] == after
    assert found['linesentry_optics_change{fault="light"}'] > 0.1
    told = {line["fault"]: line["plate"] for line in service.logged("the optics have changed")}
    assert told.keys() == faults
    assert min(told.values()) > after
    rows = service.plates()
    assert all(fault in rows[plate].optics for fault, plate in told.items())
    assert not any(rows[plate].optics for plate in range(1, after + 1))
    assert all(rows[plate].unevenness for plate in range(1, plates + 1))
    with closing(sqlite3.connect(store_path(service.state))) as store:
        noted = store.execute("SELECT plate, text FROM events WHERE kind = 'optics'").fetchall()
    assert {plate for plate, _ in noted} == set(told.values())
    (dust,) = [text for _, text in noted if text.startswith("dust")]
    first, last = map(int, re.findall(r"plate columns (\d+) to (\d+)", dust)[0])
    # The lens blurs its edges.
    assert first in range(497, 502)
    assert last in range(504, 509)
