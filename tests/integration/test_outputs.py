"""The whole service and a PLC: what the PLC passes, whatever becomes of the service."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from daemon.outputs.codes import VERDICTS
from stages.plate import Cause, Verdict
from tests.integration.conftest import RECIPE
from tests.plc import REQUESTS, WATCHDOG_S, Plc

NO_SLOT = 32
"""Why the line is not ready, as docs/how-to/wire-the-plc.md has it."""


def test_a_plc_names_the_sheets_and_passes_what_is_ok_and_nothing_after_the_service_was_killed_nor_twice_as_new(
    service: Callable[..., Any], tmp_path: Path
) -> None:
    narrow = {**RECIPE, "name": "narrow", "classifier": {"mode": "off"}}
    (tmp_path / "narrow.yaml").write_text(yaml.safe_dump(narrow), encoding="utf-8")
    plc = Plc()
    try:
        one = service(
            outputs={"modbus": [{"name": "gate", "host": "127.0.0.1", "port": plc.port, "request_register": REQUESTS}]},
            recipe={"classifier": {"mode": "off"}},
            recipes=[str(tmp_path / "narrow.yaml")],
            simulator={"density": 0, "sheets": 1},
            camera={"line_rate_hz": 6000},
        )
        plc.names = lambda plate: (f"S{plate}", "lot 3")
        one.start()
        number = one.wait_for(lambda: next((known for known in list(plc.released) if plc.passes(known)), None))
        plc.ask(change=1, recipe="none")
        one.wait_for(lambda: list(plc.answers[9:11]) == [1, 2])
        plc.ask(change=2, recipe="narrow")
        one.wait_for(lambda: list(plc.answers[9:11]) == [2, 1])
        to_narrow = plc.answers[11] << 16 | plc.answers[12]
        number = one.wait_for(lambda: next((n for n in list(plc.released) if n > to_narrow and plc.passes(n)), None))
        one.send(signal.SIGKILL)
        one.finish()
        until = time.monotonic() + 10 * WATCHDOG_S
        assert plc.answers[2] in (0, NO_SLOT), "it was ready, or had all slots taken for a moment"
        while plc.passes(number) or plc.ready:
            assert time.monotonic() < until
            time.sleep(0.01)
        passed = set(plc.released)
        one.start(1)
        assert one.finish() == 0, one.stderr()
        rows = one.verdicts()
        assert {plate for plate, row in rows.items() if row.verdict is Verdict.OK} >= passed
        heard = [telling.number for telling in plc.new]
        assert len(heard) == len(set(heard)), "told twice as new"
        assert all(telling.verdict == VERDICTS[rows[telling.number].verdict] for telling in plc.new)
        told = {plate: row.told[0] for plate, row in rows.items() if row.told}
        assert told.keys() == rows.keys()
        assert all(told[plate].divert for plate, row in rows.items() if Cause.SERVICE_DIED in row.causes)
        assert one.logs()[-1]["event"] == "service ended"
        by_small = {plate for plate, row in rows.items() if row.recipe == "small"}
        assert by_small >= set(range(min(rows), to_narrow))
        assert {rows[plate].recipe for plate in range(to_narrow, number + 1)} == {"narrow"}
        ids = {plate: (row.part_id, row.batch_id) for plate, row in rows.items() if row.part_unknown is None}
        assert ids == {plate: (f"S{plate}", "lot 3") for plate in ids}
        # On a busy machine a name may come too late for one sheet or another.
        assert min(ids) < to_narrow <= max(ids), [row.part_unknown for row in rows.values()]
        assert not plc.passes(max(rows))
    finally:
        plc.stop()
