"""The key of one run: who has it may speak with its processes, everybody else is refused by the socket itself.

All connections are CURVE (encrypted and authenticated by ZeroMQ). A client proves in its first handshake message that
it knows the server's public key; here that key is handed to the processes of the run alone, and so both halves are
secret. A socket without them never gets as far as a name: it can take nobody's place and no message of it arrives.
"""

from __future__ import annotations

import msgspec
import zmq

_HANDSHAKE_MS = 5_000
"""A connection that has not proved itself by then is cut: it holds a descriptor."""


class RunKey(msgspec.Struct, frozen=True):
    """A pair of CURVE keys in Z85; never in a file, on a command line, in the environment or in a log."""

    public: str
    secret: str

    @classmethod
    def new(cls) -> RunKey:
        """A new one by the machine's random numbers."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())

    def guard_server(self, socket: zmq.Socket[bytes]) -> None:
        """Have a socket that will bind refuse whoever lacks the key."""
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, self.secret)

    def guard_client(self, socket: zmq.Socket[bytes]) -> None:
        """Have a socket that will connect prove itself, and speak to nobody who lacks the key."""
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, self.public)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, self.secret)

    def __repr__(self) -> str:
        return "RunKey(...)"
