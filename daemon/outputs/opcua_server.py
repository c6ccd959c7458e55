"""The server of OPC UA: a few variables, one of which clients may write. It runs in a thread of its own.

OPC 40100-1 gives the names and the states; its types are not there, so nobody should take this for a server that
conforms to it (docs/decisions/0053-opcua-and-gpio.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as Waited
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncua import Node, Server, ua
from asyncua.common.connection import TransportLimits
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server import binary_server_asyncio
from asyncua.server.address_space import NodeData
from cryptography import x509

from config.schema import Opcua
from daemon.outputs.door import OutputError

Value = bool | int | str
NAMESPACE = "urn:linesentry:vision"
_T = ua.VariantType
RESULT = {
    "ResultId": _T.String,
    "IsPartial": _T.Boolean,
    "IsSimulated": _T.Boolean,
    "ResultState": _T.Int32,
    "PartId": _T.String,
    "JobId": _T.String,
    "InternalRecipeId": _T.String,
    "Verdict": _T.UInt16,
    "Divert": _T.Boolean,
    "Cause": _T.UInt16,
    "Reason": _T.String,
    "Defects": _T.UInt32,
    "Latency": _T.Int32,
    "Number": _T.UInt32,
}
"""Of the latest verdict; the fields of its event too. None has a value before there is one."""
GATE: dict[str, tuple[ua.VariantType, Value]] = {
    "Reject": (_T.Boolean, True),
    "ReleasedNumber": (_T.UInt32, 0),
    "Heartbeat": (_T.Boolean, False),
    "PlateSeen": (_T.UInt32, 0),
}
ECHO = "Echo"
STATE: dict[str, tuple[ua.VariantType, Value]] = {
    "CurrentState": (_T.String, "Preoperational"),
    "AutomaticMode": (_T.String, ""),
    "Ready": (_T.Boolean, False),
    "Troubles": (_T.String, ""),
}
_LIMITS = {
    "max_connections": 32,
    "max_subscriptions": 64,
    "max_unacked_messages_per_subscription": 256,
    "max_monitored_item_queue_size": 256,
    "max_pending_activation_seconds": 5.0,
    "max_session_timeout_ms": 30_000.0,
}
"""What clients may take; the last is how long one that fell silent counts as connected."""
_CHUNK_BYTES, _MESSAGE_BYTES = 65_535, 1 << 20
_BUILD_S = 60.0
"""For the address space: its two seconds of a processor may be long ones."""
_STUCK_S = 10.0
"""The server's thread has done nothing for so long though it was asked: only a new process can help."""
_TELL_S, _STOP_S = 0.25, 2.0
"""At its end: for what was written last to reach the clients, which look now and then; and for the end itself."""


class StuckError(Exception):
    """The server's thread does nothing any more: the process has to end, and its successor rejects until it is told."""


class VisionServer:
    """Takes no client before `listen`; each write is seen by all clients, whole.

    Args:
        settings: address, certificate and user.
        heard: called in the server's thread with each number that a client writes as echo.
    """

    def __init__(self, settings: Opcua, heard: Callable[[int], None]) -> None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"opc.tcp://{host}:{settings.port}/linesentry/"
        self._settings = settings
        self._heard = heard
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="opcua", daemon=True).start()
        self._server: Server | None = None
        self._listens = False
        self._refused_at: float | None = None
        """Since when the thread has not done what it was asked; None while it does."""
        self._build()

    @property
    def clients(self) -> int:
        """How many clients are let in, and not silent."""
        if self._server is None or self._server.bserver is None:
            return 0
        sessions = [one.processor.session for one in list(self._server.bserver.clients) if one.processor is not None]
        return sum(session is not None and session.is_activated() for session in sessions)

    def listen(self) -> None:
        """Let clients in, from now on. Raises OutputError."""
        if self._listens:
            return
        if self._server is None:
            self._build()
        settings = self._settings
        try:
            with socket.create_server((settings.host, settings.port), family=_family(settings.host)):
                pass  # the library cannot try twice
            if settings.password_file is not None:
                settings.password_file.read_bytes()
        except (OSError, UnicodeError) as error:
            raise OutputError(f"nobody can be let in at {self.url}: {error}") from error
        assert self._server is not None
        self._do(self._secure(self._server), "the certificate and its key")
        try:
            self._do(self._server.start(), "its start")
        except OutputError:
            self._server = None
            raise
        self._listens = True

    def write(self, values: Mapping[str, Value], event: str | None = None) -> None:
        """Write the variables in this order, and the event of the result with its text. Raises OutputError."""
        self._do(self._write(values, event), f"a write of {', '.join(values)}")

    def reject(self) -> None:
        """Release nothing, be it as soon as the thread comes to it; raises StuckError alone."""
        with contextlib.suppress(OutputError):
            self._do(self._write({"ReleasedNumber": 0, "Reject": True}, None), "a reject", keep=True)

    def stop(self) -> None:
        """No variable is good any more, and no client is let in; raises nothing."""
        if self._server is None or not self._listens:
            return
        with contextlib.suppress(OutputError, StuckError):
            self.reject()
            self.write({"CurrentState": "Halted", "AutomaticMode": "", "Ready": False})
            self._do(self._invalidate([*RESULT, *GATE], ua.StatusCodes.BadShutdown), "its end")
            time.sleep(_TELL_S)
            self._do(self._server.stop(), "its end", _STOP_S)
        self._server, self._listens = None, False

    # --- inside --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        # The standard's own 6,000 nodes are made of a million small objects, for which it would look again and again.
        gc.disable()
        try:
            self._do(self._made(), "its address space", _BUILD_S)
        finally:
            gc.freeze()
            gc.enable()

    async def _made(self) -> None:
        server = Server(user_manager=_Users(self._settings))
        for name, most in _LIMITS.items():
            setattr(server.iserver, name, most)
        server.limits = TransportLimits(_CHUNK_BYTES, _CHUNK_BYTES, _MESSAGE_BYTES // _CHUNK_BYTES + 1, _MESSAGE_BYTES)
        await server.init()
        server.name = "linesentry"
        server.set_endpoint(self.url)
        server.socket_address = (self._settings.host, self._settings.port)
        space = await server.register_namespace(NAMESPACE)
        self._nodes = {name: ua.NodeId(name, space) for name in (*RESULT, *GATE, *STATE, ECHO)}

        async def place(parent: Node, name: str) -> Node:
            return await parent.add_object(ua.NodeId(name, space), ua.QualifiedName(name, space))

        async def put(parent: Node, name: str, kind: ua.VariantType, value: Value) -> Node:
            browse = ua.QualifiedName(name, space)
            return await parent.add_variable(self._nodes[name], browse, ua.Variant(value, kind), varianttype=kind)

        system = await place(server.nodes.objects, "VisionSystem")
        states = await place(system, "VisionStateMachine")
        for name, (kind, value) in STATE.items():
            await put(states, name, kind, value)
        results = await place(await place(system, "ResultManagement"), "Results")
        result = await place(results, "Result")
        for name, kind in RESULT.items():
            await put(result, name, kind, ua.get_default_value(kind))
        gate = await place(system, "Gate")
        for name, (kind, value) in GATE.items():
            await put(gate, name, kind, value)
        echo = await put(gate, ECHO, _T.UInt32, 0)
        await echo.set_writable()
        server.iserver.aspace.set_attribute_value_setter(echo.nodeid, ua.AttributeIds.Value, self._echo)
        ready = await server.create_custom_event_type(space, "ResultReadyEventType", properties=list(RESULT.items()))
        self._event = await server.get_event_generator(ready)
        self._server = server
        await self._invalidate(list(RESULT), ua.StatusCodes.BadWaitingForInitialData)

    async def _secure(self, server: Server) -> None:
        settings = self._settings
        uri = f"urn:{socket.gethostname()}:linesentry"
        policies, tokens = [ua.SecurityPolicyType.NoSecurity], [ua.AnonymousIdentityToken]
        if settings.certificate_file is not None and settings.key_file is not None:
            certificate, key = settings.certificate_file.read_bytes(), settings.key_file.read_bytes()
            await server.load_certificate(certificate, format=_format(certificate))
            await server.load_private_key(key, format=_format(key))
            uri = _uri(server.iserver.certificate) or uri
            policies = [
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
                ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
            ]
        if settings.username is not None:
            tokens = [ua.UserNameIdentityToken]
        await server.set_application_uri(uri)
        server.set_security_policy(policies)
        server.set_identity_tokens(tokens)

    async def _write(self, values: Mapping[str, Value], event: str | None) -> None:
        assert self._server is not None
        now = datetime.now(UTC)
        for name, value in values.items():
            kind = RESULT[name] if name in RESULT else (GATE | STATE)[name][0]
            data = ua.DataValue(ua.Variant(value, kind), SourceTimestamp=now, ServerTimestamp=now)
            await self._server.write_attribute_value(self._nodes[name], data)
        if event is not None:
            for name, value in values.items():
                setattr(self._event.event, name, value)
            await self._event.trigger(now, event)

    async def _invalidate(self, names: list[str], why: int) -> None:
        assert self._server is not None
        for name in names:
            data = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(why)), SourceTimestamp=datetime.now(UTC))
            await self._server.write_attribute_value(self._nodes[name], data)

    def _echo(self, node: NodeData, attribute: ua.AttributeIds, written: ua.DataValue) -> None:
        """A client writes the echo: one number, or it is refused."""
        value = None if written.Value is None else written.Value.Value
        if isinstance(value, bool) or not isinstance(value, int):
            raise ua.uaerrors.BadTypeMismatch
        node.attributes[attribute].value = written
        self._heard(value)

    def _do(
        self, work: Coroutine[Any, Any, None], what: str, most_s: float | None = None, *, keep: bool = False
    ) -> None:
        """Have it done in the server's thread, or not at all unless it is to be kept.

        Raises:
            OutputError: it was not done in time, or it failed.
            StuckError: the thread has done nothing for long.
        """
        asked_at, dropped = time.monotonic(), threading.Event()

        async def unless_dropped() -> None:
            if dropped.is_set():
                work.close()  # to cancel it would come too late: its first step is due already
            else:
                await work

        future = asyncio.run_coroutine_threadsafe(unless_dropped(), self._loop)
        try:
            future.result(self._settings.timeout_s if most_s is None else most_s)
            self._refused_at = None
        except Waited as error:
            if not keep:
                dropped.set()
                future.cancel()
            self._refused_at = self._refused_at or asked_at
            if time.monotonic() - self._refused_at > _STUCK_S:
                raise StuckError(f"the server at {self.url} does nothing any more, last {what}") from error
            raise OutputError(f"the server at {self.url} hangs at {what}") from error
        except (OSError, ValueError, ua.UaError, CancelledError) as error:
            raise OutputError(f"the server at {self.url} fails at {what}: {error}") from error


class _Bounded(binary_server_asyncio.OPCUAProtocol):  # type: ignore[misc] # it has no types that fit
    """Cuts off who announces a chunk longer than any may be: the library would wait for all of it, in memory."""

    def data_received(self, data: bytes) -> None:
        """Bytes of a client; what is left of them is less than a chunk."""
        super().data_received(data)
        if len(self._buffer) > _CHUNK_BYTES:
            self.transport.close()


binary_server_asyncio.OPCUAProtocol = _Bounded  # the library takes no other way


class _Users:
    """Lets in the one user of the configuration, or anybody; nobody may change more than the echo."""

    def __init__(self, settings: Opcua) -> None:
        self._settings = settings

    def get_user(
        self, iserver: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        """The user, None for nobody; the password is read anew each time."""
        del iserver, certificate
        name, file = self._settings.username, self._settings.password_file
        if name is None or file is None:
            return User(role=UserRole.User)
        right = _password(file)
        known = username == name and right is not None
        same = hmac.compare_digest((password or "").encode(errors="replace"), right or b"")
        return User(role=UserRole.User, name=name) if known and same else None


def _password(file: Path) -> bytes | None:
    try:
        return file.read_bytes().strip() or None
    except OSError:
        return None


def _format(content: bytes) -> str:
    return "pem" if content.lstrip().startswith(b"-----BEGIN") else "der"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _uri(certificate: x509.Certificate) -> str | None:
    """The application's URI by its certificate, which clients compare."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), None)
