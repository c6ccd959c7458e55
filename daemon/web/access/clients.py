"""Who is at the other end of a request. What a proxy says is believed of the named one alone."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from config.schema import Web
from config.web import reaches_this_machine_alone

_HOST = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Served:
    """How the screen is served."""

    host: str
    """Address that it is bound to."""
    tls: bool = False
    proxy: str | None = None
    """Address of the one proxy that is believed."""

    @classmethod
    def by(cls, web: Web) -> Served:
        """As the configuration has it."""
        return cls(web.host, web.tls is not None, web.proxy)

    @property
    def opens_without_users(self) -> bool:
        """Only who sits at this machine gets here: while there are no users, all are let in."""
        return reaches_this_machine_alone(self.host) and self.proxy is None


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks."""

    address: str
    scheme: Literal["http", "https"]
    """What its browser speaks."""
    origin: str
    """What its browser takes the screen's pages to come from: scheme, host and port."""


class RefusedError(Exception):
    """A request that is not answered: the HTTP status, and one line that says why and what to do."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        super().__init__(text)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return _plain(host).is_loopback
    except ValueError:
        return False


def client(served: Served, peer: str, scheme: str, headers: Iterable[tuple[str, str]]) -> Client:
    """Who asks, by the address of the connection, its scheme and the request's headers, their names in small letters.

    Raises:
        RefusedError: nobody whom the screen is served to asks so.
    """
    given: dict[str, list[str]] = {}
    for name, value in headers:
        given.setdefault(name, []).append(value)
    try:
        peer = _told(peer)
    except ValueError:
        raise RefusedError(403, "this connection has no address") from None
    if served.proxy is not None and _is(peer, served.proxy):
        return _behind(given)
    if not served.tls and any(name in given for name in _FORWARDED):
        raise RefusedError(403, "this request comes through a proxy that web.proxy of the configuration does not name")
    if scheme != "https" and not is_loopback(peer):
        raise RefusedError(403, "the screen is not served in the clear: ask by https, or by the proxy")
    hosts = given.get("host", [])
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    if found is None:
        raise RefusedError(400, "the Host header is missing, or no host")
    if scheme == "https":
        return Client(peer, "https", _origin("https", found))
    # A page from elsewhere may have its name point here (DNS rebinding): only names of this machine are answered.
    if not is_loopback(found["name"].strip("[]").lower()):
        raise RefusedError(421, "the screen is at http://localhost and its port")
    return Client(peer, "http", _origin("http", found))


def is_origin(given: str, origin: str) -> bool:
    """Whether an Origin header, or the beginning of a Referer, names that origin."""
    scheme, _, host = given.partition("://")
    found = _HOST.fullmatch(host)
    return found is not None and scheme in _PORTS and _origin(scheme, found) == origin


def _behind(given: dict[str, list[str]]) -> Client:
    """Of several values that a proxy says, the last is its own; those before it came to it."""
    address, scheme = (_last(given, name) for name in ("x-forwarded-for", "x-forwarded-proto"))
    host = _last(given, "x-forwarded-host") or _last(given, "host")
    try:
        told = _told(address)
    except ValueError:
        raise RefusedError(403, "the proxy has to say whom it asks for: X-Forwarded-For with one address") from None
    if scheme != "https":
        raise RefusedError(403, "the proxy has to speak https with browsers, and to say so: X-Forwarded-Proto: https")
    found = _HOST.fullmatch(host)
    if found is None:
        raise RefusedError(400, "the Host header is missing, or no host")
    return Client(told, "https", _origin("https", found))


def _last(given: dict[str, list[str]], name: str) -> str:
    return given.get(name, [""])[-1].rpartition(",")[2].strip()


def _origin(scheme: str, host: re.Match[str]) -> str:
    port = host["port"]
    return f"{scheme}://{host['name'].lower()}" + ("" if port in (None, _PORTS[scheme]) else f":{port}")


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; that of IPv4 where one of IPv6 stands for it."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if found.version == 6 else None
    return found if mapped is None else mapped


def _told(address: str) -> str:
    """The address in one form. Raises ValueError."""
    return str(_plain(address))


def _is(address: str, other: str) -> bool:
    try:
        return _plain(address) == _plain(other)
    except ValueError:
        return False
