"""What a PLC asks of us over Modbus TCP, and what it is answered: two blocks of its holding registers.

The PLC's side of it is docs/how-to/wire-the-plc.md. It has a connection and a thread of its own, so that a PLC which
is slow to be read delays no verdict.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import deque
from collections.abc import Sequence

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient

from config.schema import Modbus
from config.schema.outputs import ANSWER_REGISTERS, REQUEST_REGISTERS
from daemon.modbus.client import client_of
from daemon.outputs.door import RequestLink
from stages.plc import Answers, Asked, ChangeAnswer, IdsAnswer, PlcAsks, RecipeAsked, ResetAnswer, Trouble

TEXT_REGISTERS = 16
"""Of each text that the PLC gives: two characters each, the first in the high byte."""
WHY_REGISTERS = 32
"""Of the text why a recipe was refused."""
_REQUESTS = struct.Struct(f">I{2 * TEXT_REGISTERS}s{2 * TEXT_REGISTERS}sHH{2 * TEXT_REGISTERS}s")
"""Plate, part id, batch id, reset, change, recipe."""
_ANSWERS = struct.Struct(f">IHHIHHHHHI{2 * WHY_REGISTERS}s")
"""Next plate, troubles, alarms; plate and answer to its ids; reset, answer; change, answer, first plate, why."""
assert (_REQUESTS.size, _ANSWERS.size) == (2 * REQUEST_REGISTERS, 2 * ANSWER_REGISTERS)

TROUBLES = {
    Trouble.STARTING: 1,
    Trouble.STOPPING: 2,
    Trouble.PROCESS_DOWN: 4,
    Trouble.STORE_FAILS: 8,
    Trouble.NO_VERDICT: 16,
    Trouble.NO_SLOT: 32,
    Trouble.CAMERA: 64,
    Trouble.CHECK_OVERDUE: 128,
    Trouble.ATTENTION: 0x8000,
}
IDS = {
    IdsAnswer.TAKEN: 1,
    IdsAnswer.USED: 2,
    IdsAnswer.TOO_LATE: 3,
    IdsAnswer.TOO_EARLY: 4,
    IdsAnswer.OTHERS: 5,
    IdsAnswer.UNREADABLE: 6,
    IdsAnswer.GIVEN: 7,
}
RESETS = {ResetAnswer.DONE: 1, ResetAnswer.STANDS: 2}
CHANGES = {ChangeAnswer.DONE: 1, ChangeAnswer.REFUSED: 2, ChangeAnswer.UNREADABLE: 3}
"""PLCs are programmed by these: a number is never given again."""

_NEWS = 64
"""Changes that are kept for who asks for them; the last one says all."""
_CYCLE_S = 0.05
"""Between two looks at what the PLC asks for."""
_AGAIN_S = 1.0
"""The answers are written so often at least: a PLC that was away has forgotten them."""
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.2, 2.0
"""Between two tries to connect; the pauses double."""


class ModbusRequests(RequestLink):
    """One PLC, read from the making of this on."""

    def __init__(self, settings: Modbus) -> None:
        assert settings.request_register is not None
        self._settings, self._first = settings, settings.request_register
        self._peer = f"PLC {settings.host}:{settings.port}"
        self._client: ModbusTcpClient | None = None
        self._lock = threading.Lock()
        self._news: deque[PlcAsks] = deque(maxlen=_NEWS)
        self._answers: list[int] | None = None
        """None before there are any."""
        self._wanted = threading.Event()
        """Something is to be done before the cycle is over."""
        self._closing = False
        self._read: tuple[int, ...] | None = None
        self._fault = ""
        self._written: list[int] | None = None
        self._written_at = 0.0
        self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    def news(self) -> list[PlcAsks]:
        """What has changed."""
        with self._lock:
            news = list(self._news)
            self._news.clear()
        return news

    def answer(self, answers: Answers, recipe: RecipeAsked) -> None:
        """Have it written soon."""
        answered = registers_of(answers, recipe)
        with self._lock:
            changed, self._answers = answered != self._answers, answered
        if changed:
            self._wanted.set()

    def close(self) -> None:
        """Let go; a call that waits for the PLC just now is left to its time-out."""
        self._closing = True
        self._wanted.set()
        self._thread.join(self._settings.timeout_s)

    # --- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing:
            try:
                self._exchange()
                pause_s = _FIRST_PAUSE_S
                self._wanted.wait(_CYCLE_S)
            except (ModbusException, OSError, _RefusedError) as error:
                self._cut(str(error))
                self._wanted.wait(pause_s)
                pause_s = min(2 * pause_s, _LAST_PAUSE_S)
            self._wanted.clear()
        self._let_go()

    def _exchange(self) -> None:
        """Read what is asked, write what is answered. Raises ModbusException, OSError, _RefusedError."""
        client = self._connected()
        registers = self._block(client)
        at = time.monotonic()
        # Once more where it changed: a PLC may be in the midst of writing it.
        if registers != self._read and registers == self._block(client):
            self._read, self._fault = registers, ""
            self._say(PlcAsks(asked_of(registers, at)))
        with self._lock:
            answers = self._answers
        if answers is not None and (answers != self._written or at - self._written_at >= _AGAIN_S):
            what = f"registers {self._settings.answer_register} to {self._settings.answer_register + len(answers) - 1}"
            unit = self._settings.device_id
            found = client.write_registers(self._settings.answer_register, answers, device_id=unit)
            if found.isError():
                raise _RefusedError(self._refusal(what, "answer_register", found.exception_code))
            self._written, self._written_at = answers, at

    def _block(self, client: ModbusTcpClient) -> tuple[int, ...]:
        first, unit = self._first, self._settings.device_id
        found = client.read_holding_registers(first, count=REQUEST_REGISTERS, device_id=unit)
        what = f"registers {first} to {first + REQUEST_REGISTERS - 1}"
        if found.isError():
            raise _RefusedError(self._refusal(what, "request_register", found.exception_code))
        if len(found.registers) != REQUEST_REGISTERS:
            raise _RefusedError(f"{self._peer}: asked for {what}, found {len(found.registers)} registers")
        return tuple(found.registers)

    def _connected(self) -> ModbusTcpClient:
        if self._client is None:
            settings = self._settings
            self._client = client_of(settings.host, settings.port, settings.timeout_s)
            self._written = None
            if not self._client.connect():  # type: ignore[no-untyped-call] # as pymodbus has it
                raise _RefusedError(f"{self._peer} takes no second connection, over which its requests are read")
        return self._client

    def _cut(self, why: str) -> None:
        self._let_go()
        self._read = None
        if why != self._fault:
            self._fault = why
            self._say(PlcAsks(None, why))

    def _let_go(self) -> None:
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call] # the same
        self._client = None

    def _say(self, asks: PlcAsks) -> None:
        with self._lock:
            self._news.append(asks)

    def _refusal(self, what: str, key: str, code: int) -> str:
        return (
            f"{self._peer} refuses {what} (exception code {code}): give the PLC's server these addresses, or correct "
            f"{key}"
        )


class _RefusedError(Exception):
    """The PLC did not do its part."""


def asked_of(registers: Sequence[int], at: float) -> Asked:
    """What those registers ask for, as they were read at the monotonic time `at`, s."""
    plate, part, batch, reset, change, recipe = _REQUESTS.unpack(struct.pack(f">{REQUEST_REGISTERS}H", *registers))
    return Asked(at, plate, text_of(part), text_of(batch), reset, change, text_of(recipe))


def registers_of(answers: Answers, recipe: RecipeAsked) -> list[int]:
    """The answers as registers."""
    packed = _ANSWERS.pack(
        answers.next_plate & 0xFFFF_FFFF,
        sum(TROUBLES[one] for one in answers.troubles),
        sum(TROUBLES[one] for one in answers.alarms),
        answers.plate & 0xFFFF_FFFF,
        0 if answers.ids is None else IDS[answers.ids],
        answers.reset,
        0 if answers.done is None else RESETS[answers.done],
        recipe.number,
        0 if recipe.answer is None else CHANGES[recipe.answer],
        recipe.first_plate & 0xFFFF_FFFF,
        recipe.why.encode("ascii", errors="replace")[: 2 * WHY_REGISTERS],
    )
    return list(struct.unpack(f">{ANSWER_REGISTERS}H", packed))


def text_of(raw: bytes) -> str | None:
    """The text up to its end or to the first zero, without blanks around it; None where it is not printable ASCII."""
    text = raw.partition(b"\0")[0].decode("ascii", errors="replace")
    return text.strip(" ") if all(" " <= sign <= "~" for sign in text) else None
