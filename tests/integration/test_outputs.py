"""The whole service and a PLC: what the PLC passes, whatever becomes of the service."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from daemon.outputs.codes import VERDICTS
from stages.plate import Cause, Verdict
from tests.plc import WATCHDOG_S, Plc


def test_a_plc_passes_what_is_ok_and_nothing_after_the_service_was_killed_and_hears_nothing_twice_as_new(
    service: Callable[..., Any],
) -> None:
    plc = Plc()
    try:
        one = service(
            outputs={"modbus": [{"name": "gate", "host": "127.0.0.1", "port": plc.port}]},
            recipe={"classifier": {"mode": "off"}},
            simulator={"density": 0, "sheets": 1},
            camera={"line_rate_hz": 6000},
        )
        one.start()
        number = one.wait_for(lambda: next((known for known in list(plc.released) if plc.passes(known)), None))
        one.send(signal.SIGKILL)
        one.finish()
        until = time.monotonic() + 10 * WATCHDOG_S
        while plc.passes(number):
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
        assert not plc.passes(max(rows))
    finally:
        plc.stop()
