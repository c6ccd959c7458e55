"""A PLC over Modbus TCP: linesentry writes registers and coils of the PLC, and reads its echo.

The PLC's side of it is docs/how-to/wire-the-plc.md. The block of registers is written in one request, so that a PLC
which takes a request whole never sees half a verdict.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient
from pymodbus.pdu import ModbusPDU

from config.schema import Modbus
from daemon.modbus.client import client_of
from daemon.outputs.codes import CAUSES, OTHER_CAUSE, VERDICTS
from daemon.outputs.door import OutputError, OutputLink
from stages.output import Echoed, Say
from stages.plc import Answers

UNKNOWN_LATENCY = 0xFFFF
HEARTBEAT, RELEASE, READY = 1, 2, 4
"""Bits of the status word."""
_BLOCK = struct.Struct(">HIHHHHHI")
"""Status, sequence, verdict, divert, cause, defects, latency, plate seen: ten registers, high word first."""
REGISTERS = _BLOCK.size // 2


class ModbusLink(OutputLink):
    """One PLC."""

    says_late = False

    def __init__(self, settings: Modbus) -> None:
        self._settings = settings
        self.hold_s = settings.hold_s
        self._peer = f"PLC {settings.host}:{settings.port}"
        self._client: ModbusTcpClient | None = None
        self._on = False
        self._released = False
        self._ready = False
        self._seen = 0

    def connect(self) -> int | None:
        """Connect, clear what a predecessor may have released, and read the echo."""
        settings = self._settings
        self._client = client_of(settings.host, settings.port, settings.timeout_s)
        if not self._client.connect():  # type: ignore[no-untyped-call] # as pymodbus has it
            self.close()
            raise OutputError(f"{self._peer} cannot be reached")
        self._released = False
        self._write_status()
        return self._echo()

    def say(self, order: Say) -> None:
        """Write the block; its coil has fallen before."""
        self._write_registers(0, self._block(order))

    def answer(self) -> Echoed | None:
        """The number that stands in the echo."""
        number = self._echo()
        return Echoed(number, f"echo {number}")

    def clear(self) -> None:
        """Write the number 0, and no verdict with it."""
        self._write_registers(0, [self._status(), *[0] * (REGISTERS - 3)])

    def release(self, plate: int | None) -> None:
        """Set or clear the release bit; the registers have that plate's number then."""
        self._released = plate is not None
        self._write_status()

    def beat(self, *, on: bool) -> None:
        """Set the heartbeat bit."""
        self._on = on
        self._write_status()

    def stands(self, answers: Answers) -> None:
        """Set the ready bit; it is written with the next heartbeat, for it is in no hurry."""
        self._ready = answers.ready

    def seen(self, plate: int) -> None:
        """Write the number of the plate that the switch saw last."""
        self._seen = plate
        self._write_registers(REGISTERS - 2, list(struct.unpack(">HH", struct.pack(">I", plate & 0xFFFFFFFF))))

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call] # the same
        self._client = None

    # --- inside --------------------------------------------------------------------------------------------------

    def _block(self, order: Say) -> list[int]:
        due = order.due
        cause = CAUSES.get(due.causes[0], OTHER_CAUSE) if due.causes else 0
        latency = UNKNOWN_LATENCY if due.latency_s is None else min(UNKNOWN_LATENCY, round(1000 * due.latency_s))
        packed = _BLOCK.pack(
            self._status(),
            due.plate & 0xFFFFFFFF,
            VERDICTS[due.verdict],
            order.divert,
            cause,
            min(0xFFFF, due.defects),
            latency,
            self._seen & 0xFFFFFFFF,
        )
        return list(struct.unpack(f">{REGISTERS}H", packed))

    def _status(self) -> int:
        bits = ((self._on, HEARTBEAT), (self._released, RELEASE), (self._ready, READY))
        return sum(bit for stands, bit in bits if stands)

    def _write_status(self) -> None:
        """The bits, in the status word and two of them as coils."""
        self._write_registers(0, [self._status()])
        first, bits, unit = self._settings.first_coil, [self._released, self._on], self._settings.device_id
        if first is not None:
            self._ask(lambda client: client.write_coils(first, bits, device_id=unit), f"coils {first} to {first + 1}")

    def _write_registers(self, offset: int, values: list[int]) -> None:
        first, unit = self._settings.first_register + offset, self._settings.device_id
        what = f"registers {first} to {first + len(values) - 1}"
        self._ask(lambda client: client.write_registers(first, values, device_id=unit), what)

    def _echo(self) -> int:
        first, unit = self._settings.echo_register, self._settings.device_id
        what = f"registers {first} to {first + 1}"
        found = self._ask(lambda client: client.read_holding_registers(first, count=2, device_id=unit), what)
        if len(found.registers) != 2:
            raise OutputError(f"{self._peer}: asked for {what}, found {len(found.registers)} registers")
        return found.registers[0] << 16 | found.registers[1]

    def _ask(self, request: Callable[[ModbusTcpClient], ModbusPDU], what: str) -> ModbusPDU:
        if self._client is None:
            raise OutputError(f"{self._peer} is not connected")
        try:
            answer = request(self._client)
        except (ModbusException, OSError) as error:
            raise OutputError(f"{self._peer} does not answer about {what}: {error}") from error
        if answer.isError():
            raise OutputError(
                f"{self._peer} refuses {what} (exception code {answer.exception_code}): give the PLC's server these "
                "addresses, or correct first_register, echo_register, first_coil or device_id"
            )
        return answer
