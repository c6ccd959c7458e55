"""A client of Modbus TCP that tries once and says nothing: who uses it tries again, and tells of it."""

from __future__ import annotations

import logging

from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient


def client_of(host: str, port: int, timeout_s: float) -> ModbusTcpClient:
    """A client that is not connected yet.

    Args:
        host: of the server.
        port: of the server.
        timeout_s: longest time of a connection or an answer.
    """
    # What it would log of each failed try is said by who uses it, and once.
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
    return ModbusTcpClient(host, port=port, framer=FramerType.SOCKET, timeout=timeout_s, retries=0, reconnect_delay=0)
