"""Who is told verdicts by a program's protocol: a listener for lines, an HTTP server and a broker's reader.

All are real and on loopback. Each knows a plate by its number, so a verdict that is said again is none that is new.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from daemon.outputs.codes import VERDICTS
from stages.plate import Verdict
from tests.listeners import Lines, Requests
from tests.opcua_plc import free_port
from tests.plc import Heard


class Receiver:
    """What all have in common."""

    protocol: str
    beats = 1
    """It needs none: what is lost is said again."""

    def __init__(self, port: int = 0) -> None:
        self.new: list[Heard] = []
        self.released: dict[int, float] = {}
        """Numbers of plates that were told not to be diverted, and when."""
        self.port = port

    def settings(self) -> dict[str, object]:
        """What the configuration says of it."""
        return {"name": "gate", "host": "127.0.0.1", "port": self.port, "again_s": 0.1}

    def stop(self) -> None:
        """Cut its power."""
        raise NotImplementedError

    def _hear(self, plate: int, verdict: str, *, divert: bool) -> None:
        now = time.monotonic()
        if all(one.number != plate for one in self.new):
            self.new.append(Heard(plate, VERDICTS[Verdict(verdict)], divert, now))
        if not divert:
            self.released.setdefault(plate, now)

    def _hear_json(self, said: dict[str, Any]) -> None:
        self._hear(said["plate"], said["verdict"], divert=said["divert"])


class TextReceiver(Receiver):
    """Lines of text over TCP."""

    protocol = "text"

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._lines = Lines(port, self._answer)
        self.port = self._lines.port

    def stop(self) -> None:
        self._lines.stop()

    def _answer(self, fields: list[str]) -> str:
        self._hear(int(fields[1]), fields[2], divert=fields[3] == "1")
        return fields[1]


class WebhookReceiver(Receiver):
    """POSTs."""

    protocol = "webhook"

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self._requests = Requests(port, self._answer)
        self.port = self._requests.port

    def settings(self) -> dict[str, object]:
        return {"name": "gate", "url": self._requests.url, "again_s": 0.1}

    def stop(self) -> None:
        self._requests.stop()

    def _answer(self, said: dict[str, Any]) -> int:
        self._hear_json(said)
        return 204


class MqttReceiver(Receiver):
    """A broker that forgets everything when it dies, and who reads its topic."""

    protocol = "mqtt"

    def __init__(self, port: int = 0) -> None:
        super().__init__(port or free_port())
        self._directory = Path(tempfile.mkdtemp())
        config = self._directory / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\n", "utf-8")
        self._broker = subprocess.Popen(["mosquitto", "-c", config], stderr=subprocess.DEVNULL)
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("line/verdict", 1)
        self._client.on_message = self._on_message
        while True:
            with contextlib.suppress(OSError):
                self._client.connect("127.0.0.1", self.port)
                break
            time.sleep(0.01)
        self._client.loop_start()

    def settings(self) -> dict[str, object]:
        return {**super().settings(), "topic": "line"}

    def stop(self) -> None:
        self._broker.kill()
        self._broker.wait()
        self._client.loop_stop()
        shutil.rmtree(self._directory)

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        del client, data
        self._hear_json(json.loads(message.payload))


RECEIVERS: dict[str, type[Receiver]] = {one.protocol: one for one in (TextReceiver, WebhookReceiver, MqttReceiver)}
