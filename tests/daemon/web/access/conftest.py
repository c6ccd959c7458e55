"""A screen with users, and who comes to it as a browser would."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.routing import BaseRoute

from config.load import load_config
from daemon.web.access.access import Access
from daemon.web.access.audit import COMMAND_LINE, Note, What
from daemon.web.access.book import Book
from daemon.web.access.clients import Served
from daemon.web.access.passwords import Passwords
from daemon.web.access.tls import Certificate
from daemon.web.access.users import Role
from daemon.web.app import application
from daemon.web.server import WebServer
from daemon.web.site import Site

PASSWORD = "correct horse"
QUICK = Passwords(memory_kib=64, passes=1)
CONFIG = load_config(None)
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate, and is made once."""
HTML = {"Accept": "text/html"}


@dataclass
class Guarded:
    """A screen that is served, and its users."""

    address: str
    book: Book
    access: Access
    port: int
    site: Site
    routes: list[BaseRoute]
    clients: list[httpx.Client] = field(default_factory=list)

    def add(self, name: str, role: Role, password: str = PASSWORD) -> None:
        self.book.add(name, role, QUICK.hash(password), Note("root", What.USER_ADDED, name, COMMAND_LINE))

    def visitor(self, **options: Any) -> Visitor:
        self.clients.append(httpx.Client(base_url=self.address, timeout=60, **{"verify": NOBODY, **options}))
        return Visitor(self.clients[-1], self.address)

    def whats(self) -> list[tuple[str, str, str]]:
        """What was done on the screen, the latest first."""
        return [(one.who, one.what.value, one.address) for one in self.book.notes(99) if one.address != COMMAND_LINE]


@dataclass
class Visitor:
    """A browser, as far as it is needed: it keeps cookies, and says where its forms come from."""

    client: httpx.Client
    origin: str

    def get(self, path: str = "/", **options: Any) -> httpx.Response:
        return self.client.get(path, **{"headers": HTML, **options})

    def form_token(self, path: str = "/login") -> str:
        found = re.search(r'<meta name="csrf-token" content="([0-9a-f]*)">', self.get(path).text)
        assert found is not None
        return found[1]

    def post(self, path: str, token: str, fields: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        given = {"csrf": token, **(fields or {})}
        return self.client.post(path, data=given, headers={**HTML, "Origin": self.origin, **headers})

    def login(self, name: str, password: str = PASSWORD, then: str = "/") -> httpx.Response:
        fields = {"name": name, "password": password, "next": then}
        return self.post("/login", self.form_token(), fields)

    def logout(self) -> httpx.Response:
        return self.post("/logout", self.form_token("/"))

    @property
    def token(self) -> str | None:
        return next((value for name, value in self.client.cookies.items() if "session" in name), None)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    """Makes a screen that is served so; without users at first."""
    made: list[tuple[Guarded, WebServer]] = []

    def make(host: str = "127.0.0.1", proxy: str | None = None, files: tuple[Path, Path] | None = None) -> Guarded:
        book = Book(tmp_path)
        # A busy machine forgives nobody a failed attempt.
        access = Access(book, Served(host, files is not None, proxy), QUICK, clock=lambda: 1000.0)
        certificate = None if files is None else Certificate(*files)
        site = Site(CONFIG, tmp_path)
        app = application(site, access)
        server = WebServer(app, host, 0, certificate)
        server.start()
        scheme = "http" if files is None else "https"
        one = Guarded(f"{scheme}://127.0.0.1:{server.port}", book, access, server.port, site, app.routes)
        made.append((one, server))
        return one

    yield make
    for one, server in made:
        for client in one.clients:
            client.close()
        server.close()


def pair(folder: Path, name: str = "screen", *, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate for this machine, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    hidden = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden))
    return paths
