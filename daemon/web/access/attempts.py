"""How often somebody may try a password: by name, by address, and all together. No clock of its own."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many attempts at once, and one more each `every_s`."""

    burst: int
    every_s: float


BY_NAME, BY_ADDRESS, BY_ALL = Rate(5, 60.0), Rate(10, 30.0), Rate(60, 2.0)
"""Attempts that fail; a login that succeeds costs nothing."""


class Attempts:
    """What each name and address has left. `now` is monotonic, s."""

    def __init__(self) -> None:
        self._until: dict[tuple[Rate, str], float] = {}
        """When all attempts of a key will be forgotten; keys without any are left out."""

    def wait_s(self, name: str, address: str, now: float) -> float:
        """How long the next attempt has to wait, s; 0: it may be made."""
        waits = [self._until.get(key, now) - now - (key[0].burst - 1) * key[0].every_s for key in _keys(name, address)]
        return max(0.0, *waits)

    def spend(self, name: str, address: str, now: float) -> None:
        """One attempt is made: counted before its outcome is known, so that many at once are many."""
        for key in _keys(name, address):
            self._until[key] = max(now, self._until.get(key, now)) + key[0].every_s
        # What is forgotten takes no room, and all attempts together are few: the table stays small.
        self._until = {key: until for key, until in self._until.items() if until > now}

    def refund(self, name: str, address: str) -> None:
        """That attempt was a login."""
        for key in _keys(name, address):
            if key in self._until:
                self._until[key] -= key[0].every_s

    def __len__(self) -> int:
        return len(self._until)


def _keys(name: str, address: str) -> list[tuple[Rate, str]]:
    return [(BY_NAME, name), (BY_ADDRESS, network(address)), (BY_ALL, "")]


def network(address: str) -> str:
    """The address, or the network of an IPv6 one: whoever has one such address has all of its network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64))) if found.version == 6 else str(found)
