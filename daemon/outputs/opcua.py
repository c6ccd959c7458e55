"""A PLC over OPC UA: linesentry is the server, whose variables the PLC reads; it writes the number back.

The client's side of it is docs/how-to/opc-ua.md. Names are those of OPC 40100-1 (machine vision) where it has
some.
"""

from __future__ import annotations

import logging

from config.schema import Opcua
from daemon.outputs.codes import CAUSES, OTHER_CAUSE, VERDICTS
from daemon.outputs.door import OutputError, OutputLink
from daemon.outputs.opcua_server import Value, VisionServer
from stages.output import Echoed, Say
from stages.plate import Verdict
from stages.plc import Answers, Trouble

COMPLETED, FAILED = 1, 4
"""ResultState by OPC 40100-1; a verdict is said once it is final, so none is in work (2)."""
UNKNOWN_LATENCY = -1
_NUMBERS = 0xFFFFFFFF
"""Numbers have 32 bit."""


class OpcuaLink(OutputLink):
    """Whoever is connected to the server; what is released is so for all of them."""

    says_late = False
    pause_s = 0.1

    def __init__(self, settings: Opcua) -> None:
        # What it would log of each client's faults is no fault of the line.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)
        self.hold_s = settings.hold_s
        self._server = VisionServer(settings, self._heard)
        self._said: Say | None = None
        """What is to be echoed; None: nothing, or that there is no verdict."""
        self._before = 0
        """The number that was said before, whose echo may come twice."""
        self._echoed = False
        self._other: int | None = None
        """A number that was written, and is not the right one."""
        self._standing: dict[str, Value] = {}
        self._shown: dict[str, Value] = {}
        """How the service stands, and what of it was written."""

    def connect(self) -> None:
        """Let clients in; there has to be one."""
        self._server.listen()
        self._check()

    def say(self, order: Say) -> None:
        """Write the variables; the number goes last, for clients wait for it to change."""
        due = order.due
        reason = _text(due.reason)
        if self._said is not None and self._said.due.plate != due.plate:
            self._before = self._said.due.plate & _NUMBERS
        self._said, self._echoed, self._other = order, False, None
        if order.times > 1:
            self._server.write({"Number": 0})  # or nobody would see that it is said again
        values: dict[str, Value] = {
            "ResultId": str(due.plate),
            "IsPartial": False,
            "IsSimulated": due.simulated,
            "ResultState": FAILED if due.verdict is Verdict.INCONCLUSIVE else COMPLETED,
            "PartId": _text(due.part_id),
            "JobId": _text(due.batch_id),
            "InternalRecipeId": _text(due.recipe),
            "Verdict": VERDICTS[due.verdict],
            "Divert": order.divert,
            "Cause": CAUSES.get(due.causes[0], OTHER_CAUSE) if due.causes else 0,
            "Reason": reason,
            "Defects": min(_NUMBERS, due.defects),
            "Latency": UNKNOWN_LATENCY if due.latency_s is None else round(1000 * due.latency_s),
            "Number": due.plate & _NUMBERS,
        }
        self._server.write(values, event=f"{due.verdict}: {reason}" if reason else due.verdict.value)

    def answer(self) -> Echoed | None:
        """The number that was written since, the right one before any other."""
        if self._echoed and self._said is not None:
            self._echoed = False
            return Echoed(self._said.due.plate, f"echo {self._said.due.plate & _NUMBERS}")
        other, self._other = self._other, None
        return None if other is None else Echoed(other, f"echo {other}")

    def clear(self) -> None:
        """Write the number 0."""
        self._said, self._echoed, self._other = None, False, None
        self._server.write({"Number": 0})

    def release(self, plate: int | None) -> None:
        """Say which plate is not to be rejected."""
        self._server.write({"ReleasedNumber": (plate or 0) & _NUMBERS, "Reject": plate is None})

    def beat(self, *, on: bool) -> None:
        """Set the heartbeat, say how the service stands, and see whether there is a client still."""
        changed = {name: value for name, value in self._standing.items() if self._shown.get(name) != value}
        self._server.write({**changed, "Heartbeat": on})
        self._shown = self._standing
        self._check()

    def seen(self, plate: int) -> None:
        """Write the number of the plate that the switch saw last."""
        self._server.write({"PlateSeen": plate & _NUMBERS})

    def stands(self, answers: Answers) -> None:
        """The state by OPC 40100-1, and what keeps the next plate from being inspected."""
        operational = answers.ready
        if Trouble.STOPPING in answers.troubles:
            state = "Halted"
        elif Trouble.STARTING in answers.troubles:
            state = "Preoperational"
        else:
            state = "Operational" if operational else "Error"
        self._standing = {
            "CurrentState": state,
            "AutomaticMode": "ContinuousExecution" if operational else "",
            "Ready": operational,
            "Troubles": ", ".join(answers.troubles),
        }

    def close(self) -> None:
        """Release nothing; the server stays, for a client to come."""
        self._said = None
        self._server.reject()

    def end(self) -> None:
        """Tell the clients that it ends, and end it."""
        self._server.stop()

    # --- inside --------------------------------------------------------------------------------------------------

    def _heard(self, number: int) -> None:
        """A client wrote the echo; called in the server's thread."""
        said = self._said
        if said is not None and number == said.due.plate & _NUMBERS:
            self._echoed = True
        elif said is None or number not in (0, self._before):  # 0 stands there when a verdict is said again
            self._other = number

    def _check(self) -> None:
        if not self._server.clients:
            raise OutputError(f"no client is connected to {self._server.url}")


def _text(text: str | None) -> str:
    """Without what UTF-8 has no sign for."""
    return (text or "").encode(errors="backslashreplace").decode()
