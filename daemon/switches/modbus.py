"""`camera.switch.source: modbus`: a discrete input of a PLC or of remote I/O."""

from __future__ import annotations

from pymodbus import ModbusException
from pymodbus.client import ModbusTcpClient

from config.schema import SwitchModbus
from daemon.modbus.client import client_of
from daemon.switches.asked import AskedSwitch, NoAnswerError


class ModbusSwitch(AskedSwitch):
    """One discrete input."""

    def __init__(self, settings: SwitchModbus) -> None:
        super().__init__(f"PLC {settings.host}:{settings.port}", settings.poll_s, settings.timeout_s)
        self._settings = settings
        self._client: ModbusTcpClient | None = None

    def connect(self) -> None:
        """Connect to the PLC."""
        settings = self._settings
        self._client = client_of(settings.host, settings.port, settings.timeout_s)
        try:
            connected = self._client.connect()  # type: ignore[no-untyped-call] # as pymodbus has it
        except (ModbusException, OSError, ValueError) as error:
            raise NoAnswerError(f"cannot be reached: {error}") from error
        if not connected:
            raise NoAnswerError("cannot be reached")

    def level(self) -> bool:
        """What the input says."""
        assert self._client is not None
        settings = self._settings
        told = f"does not answer about input {settings.input}"
        try:
            answer = self._client.read_discrete_inputs(settings.input, count=1, device_id=settings.device_id)
        except (ModbusException, OSError, ValueError) as error:
            raise NoAnswerError(f"{told}: {error}") from error
        if answer.isError():
            why = f"it refuses (exception code {answer.exception_code})"
            raise NoAnswerError(f"{told}: {why}: correct camera.switch.modbus.input or device_id")
        if not answer.bits:
            raise NoAnswerError(f"{told}: the answer has no bit")
        return bool(answer.bits[0])

    def disconnect(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call] # as pymodbus has it
        self._client = None
