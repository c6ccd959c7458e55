"""The service with a switch that is not wired to the camera, and with the picture to check it by."""

from __future__ import annotations

import socket
from collections.abc import Callable

from daemon.store.state import ROOT
from stages.plate import Cause, Verdict
from stages.switch_faults import SwitchFault
from tests.integration.conftest import ROWS, Service


def test_sheets_are_cut_by_a_plcs_input_and_where_the_picture_shows_others_it_is_said(
    service: Callable[..., Service],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    one = service(
        camera={
            "source": "tests.integration.wired_camera:Wired",
            "gap_rows": 800,
            "buffers": 16,
            "switch": {
                "source": "modbus",
                "modbus": {"host": "127.0.0.1", "port": port, "input": 5},
                "check": True,
                "picture": {"tolerance_rows": 300},
            },
        },
        simulator={"density": 0, "sheets": 1},
        # Cut longer than it is, by what the switch is late and by what a busy machine makes of it.
        recipe={"length": {"nominal_rows": ROWS, "tolerance": 0.5}, "most_rows": 2 * ROWS},
        overload="skip",
        slots=6,
    )
    one.start(5, {"PYTHONPATH": str(ROOT)})
    assert one.finish() == 0, one.stderr()
    # The second sheet is none: the switch did not see it.
    first, third, fourth, fifth = one.verdicts().values()
    for row in (first, third, fifth):
        assert (row.verdict, (row.rows or 0) >= ROWS) == (Verdict.OK, True), row.reason
    assert fourth.verdict is Verdict.INCONCLUSIVE
    assert Cause.SWITCH_DOUBTFUL in fourth.causes
    assert "part of the sheet may be missing: the picture shows the sheet at rows " in (fourth.reason or "")
    told = [line["fault"] for line in one.logged("the switch cannot be trusted")]
    assert told == [SwitchFault.STUCK_OFF, SwitchFault.STUCK_OFF, SwitchFault.DISAGREES]
    assert {line["fault"] for line in one.logged("the switch is well again")} == set(told), "the last sheet agrees"
