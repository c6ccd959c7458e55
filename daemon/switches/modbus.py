"""`camera.switch.source: modbus`: a discrete input of a PLC or of remote I/O is asked for again and again."""

from __future__ import annotations

import threading
import time
from collections import deque

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient

from config.schema import SwitchModbus
from daemon.modbus.client import client_of
from daemon.switches.door import SwitchInput
from stages.timed_switch import Reading

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0
"""Before a PLC that does not answer is tried again; twice as long each time."""
_KEPT = 10_000
"""Readings that nobody asked for."""


class ModbusSwitch(SwitchInput):
    """One discrete input."""

    def __init__(self, settings: SwitchModbus) -> None:
        self._settings = settings
        self._peer = f"PLC {settings.host}:{settings.port}"
        self._read: deque[Reading] = deque(maxlen=_KEPT)
        self._fault: str | None = f"{self._peer} was not asked yet"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)

    def open(self) -> None:
        """Begin to ask; a PLC that is not there yet is waited for."""
        self._thread.start()

    def readings(self) -> list[Reading]:
        """All readings since the last call."""
        return [self._read.popleft() for _ in range(len(self._read))]

    @property
    def fault(self) -> str | None:
        """Why the last question was not answered."""
        return self._fault

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(2 * self._settings.timeout_s)

    # --- in the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._closing.is_set():
            if self._ask_on():
                pause_s = _FIRST_PAUSE_S
            self._closing.wait(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _ask_on(self) -> bool:
        """Connect, and ask until there is no answer; whether there was one."""
        settings, answered = self._settings, False
        client = client_of(settings.host, settings.port, settings.timeout_s)
        try:
            if not client.connect():  # type: ignore[no-untyped-call] # as pymodbus has it
                self._fault = f"{self._peer} cannot be reached"
                return False
            due_at = time.monotonic()
            while not self._closing.wait(max(0.0, due_at - time.monotonic())):
                began = time.monotonic()
                self._read.append(Reading(self._level(client), began, time.monotonic()))
                self._fault, answered = None, True
                # From the last question, so that a slow answer is followed by no hurry.
                due_at = began + settings.poll_s
        except (ModbusException, OSError, ValueError) as error:
            self._fault = f"{self._peer} does not answer about input {settings.input}: {error}"
        finally:
            client.close()  # type: ignore[no-untyped-call] # the same
        return answered

    def _level(self, client: ModbusTcpClient) -> bool:
        """What the input says. Raises ModbusException, OSError, or ValueError: no level came."""
        answer = client.read_discrete_inputs(self._settings.input, count=1, device_id=self._settings.device_id)
        if answer.isError():
            code = answer.exception_code
            raise ValueError(f"it refuses (exception code {code}): correct camera.switch.modbus.input or device_id")
        if not answer.bits:
            raise ValueError("the answer has no bit")
        return bool(answer.bits[0])
