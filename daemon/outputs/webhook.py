"""A POST of JSON for each verdict, signed where there is a key; any answer of 200 to 299 acknowledges it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
from urllib.parse import urlsplit

from config.schema import Webhook
from daemon.outputs.door import OutputError, OutputLink
from daemon.outputs.words import as_json
from stages.output import Echoed, Refused, Say

_LATER = (408, 425, 429)
"""Answers that ask for another try; so do those from 500 on."""
_KEPT = 60
"""Characters of an answer that are told."""


class WebhookLink(OutputLink):
    """One address."""

    says_late = True

    def __init__(self, settings: Webhook) -> None:
        self._settings = settings
        parts = urlsplit(settings.url)
        self._secure, self._host = parts.scheme == "https", parts.netloc
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._connection: http.client.HTTPConnection | None = None
        self._answer: Echoed | Refused | None = None

    def connect(self) -> None:
        """Connect, so that it is known whether anybody is there."""
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        try:
            self._connection = kind(self._host, timeout=self._settings.timeout_s)
            self._connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self.close()
            raise OutputError(f"{self._settings.url} cannot be reached: {error}") from error

    def say(self, order: Say) -> None:
        """Send the request, and take its answer."""
        body = as_json(order)
        headers = {"Content-Type": "application/json", "User-Agent": "linesentry", **self._signature(body)}
        try:
            status, text = self._post(body, headers)
        except (OSError, http.client.HTTPException) as error:
            raise OutputError(f"{self._settings.url} does not answer: {error!r}") from error
        found = f"{status} {text}".strip()
        if status in _LATER or status >= 500:
            raise OutputError(f"{self._settings.url} answers {found}")
        self._answer = Echoed(order.due.plate, found) if 200 <= status < 300 else Refused(found)

    def answer(self) -> Echoed | Refused | None:
        """The answer to the last request, once."""
        found, self._answer = self._answer, None
        return found

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    # --- inside --------------------------------------------------------------------------------------------------

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        assert self._connection is not None
        try:
            response = self._posted(self._connection, body, headers)
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            # A server ends a connection that was idle; by this nothing is known of whether it is well.
            self._connection.close()
            response = self._posted(self._connection, body, headers)
        response.read(4096)
        if response.read(1):
            self._connection.close()  # nobody needs the rest, and the next request begins anew
        return response.status, response.reason[:_KEPT]

    def _posted(
        self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        connection.request("POST", self._path, body, headers)
        return connection.getresponse()

    def _signature(self, body: bytes) -> dict[str, str]:
        """The header that proves who sent it and when: HMAC-SHA256 of time and body by the key of the file."""
        path = self._settings.secret_file
        if path is None:
            return {}
        try:
            key = path.read_bytes().strip()
        except OSError as error:
            raise OutputError(f"{path} cannot be read, so nothing can be signed: {error.strerror}") from error
        at = str(int(time.time()))
        signed = hmac.new(key, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"X-Linesentry-Signature": f"t={at},v1={signed}"}
