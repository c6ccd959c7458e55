"""The certificate of the screen, and whether it can be used."""

from __future__ import annotations

import ssl
from pathlib import Path


class TlsError(Exception):
    """The certificate or its key cannot be used; the message says why and what to do."""


class Certificate:
    """A certificate with its key, as PEM files that may be replaced while it is used. Raises TlsError."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate, self._key = certificate, key
        self._read_at = self._changed_at()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(self.context)

    def renew(self) -> bool:
        """Take the files again where they have changed: for connections that begin from now on. Raises TlsError."""
        changed_at = self._changed_at()
        if changed_at == self._read_at:
            return False
        # On trial: half a pair would stop what works.
        self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self._load(self.context)
        self._read_at = changed_at
        return True

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self._certificate, self._key, password=_none)
        except ssl.SSLError as error:
            reason = (error.reason or str(error)).replace("_", " ").lower()
            raise TlsError(
                f"{self._certificate} and {self._key} are no certificate with its key ({reason}): both PEM, the key "
                "without a password, and the certificate followed by those that signed it"
            ) from error
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise TlsError(f"cannot read {self._certificate} and {self._key}: {why}") from error

    def _changed_at(self) -> tuple[int, int]:
        try:
            return self._certificate.stat().st_mtime_ns, self._key.stat().st_mtime_ns
        except OSError as error:
            raise TlsError(f"cannot read {error.filename}: {error.strerror}") from error


def _none() -> str:
    """Of a key that has a password: nobody is there to be asked for it."""
    return ""
