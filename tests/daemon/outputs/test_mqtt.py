"""Verdict and status at a real broker: retained, acknowledged, and with a last will."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from config.schema import Mqtt
from daemon.outputs.door import OutputError
from daemon.outputs.mqtt import MqttLink
from stages.events import VerdictDue
from stages.output import Echoed, Refused, Say
from stages.plate import Cause, Verdict

pytestmark = pytest.mark.debian
NG = Say(VerdictDue(7, Verdict.NG, (Cause.DEFECT,), "because", 3), divert=True, times=1)
PASSWORD = "sesame"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Broker:
    """mosquitto on a port of loopback; it forgets everything when it is stopped."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        passwords = directory / "passwords"
        subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "linesentry", PASSWORD], check=True)
        # Run by root, mosquitto becomes another user, who has to read it.
        passwords.chmod(0o644)
        self.config = directory / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npassword_file {passwords}\nuser root\n", "utf-8"
        )
        self.start()

    def start(self) -> None:
        with (self._directory / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", self.config], stderr=log, stdout=log)
        until(self._is_up)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _is_up(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", self.port)) == 0


class Subscriber:
    """Whoever reads the topics; what it got, and whether that was retained."""

    def __init__(self, broker: Broker) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.subscribe("line/#", 1)
        self._client.loop_start()

    def _on_message(self, client: Client, data: object, message: MQTTMessage) -> None:
        del client, data
        self.got.append((message.topic, bytes(message.payload), message.retain))

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def until(what: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    one = Broker(tmp_path)
    yield one
    one.stop()


def linked(broker: Broker, **settings: object) -> MqttLink:
    link = MqttLink(
        Mqtt.model_validate({"name": "mes", "host": "127.0.0.1", "topic": "line", **settings, "port": broker.port})
    )
    link.connect()
    return link


def answered(link: MqttLink) -> Echoed | Refused:
    end = time.monotonic() + 20
    while (found := link.answer()) is None:
        assert time.monotonic() < end
    return found


def test_a_verdict_is_acknowledged_by_the_broker_and_retained_for_who_comes_later(broker: Broker) -> None:
    link = linked(broker)
    assert link.answer() is None
    link.say(NG)
    assert answered(link) == Echoed(7, "PUBACK")
    late = Subscriber(broker)
    until(lambda: len(late.got) == 2)
    got = {topic: (payload, retained) for topic, payload, retained in late.got}
    assert got["line/status"] == (b"online", True)
    payload, retained = got["line/verdict"]
    assert retained
    assert {"plate": 7, "verdict": "NG", "divert": True}.items() <= json.loads(payload).items()
    link.close()
    until(lambda: late.got[-1][:2] == ("line/status", b"offline"))
    late.stop()


def test_a_broker_that_dies_is_noticed_and_connected_to_again(broker: Broker) -> None:
    link = linked(broker)
    broker.stop()
    with pytest.raises(OutputError, match=f"broker 127.0.0.1:{broker.port} is cut off"):
        until(lambda: link.beat(on=True))
    link.close()
    with pytest.raises(OutputError, match="cannot be reached"):
        link.connect()
    broker.start()
    link.connect()
    link.say(NG)
    assert answered(link).plate == 7  # type: ignore[union-attr] # no broker refuses one
    link.close()


def test_a_password_is_asked_for_and_a_wrong_one_is_said(broker: Broker, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n", "utf-8")
    linked(broker, username="linesentry", password_file=secret).close()
    secret.write_text("open", "utf-8")
    with pytest.raises(OutputError, match=r"refuses us: (Not authorized|Bad user name or password)"):
        linked(broker, username="linesentry", password_file=secret)


def test_the_last_will_says_that_a_killed_process_is_gone(broker: Broker) -> None:
    reader = Subscriber(broker)
    code = (
        "import sys, time; from config.schema import Mqtt; from daemon.outputs.mqtt import MqttLink\n"
        "MqttLink(Mqtt(name='mes', host='127.0.0.1', port=int(sys.argv[1]), topic='line')).connect(); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(broker.port)])
    until(lambda: ("line/status", b"online", False) in reader.got)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: ("line/status", b"offline", False) in reader.got)
    reader.stop()


@pytest.mark.parametrize("topic", ["", "a/", "/a", "a/#", "a/+/b", "$SYS/a", "a b"])
def test_a_topic_that_is_none_is_refused(topic: str) -> None:
    with pytest.raises(ValidationError, match="topic"):
        Mqtt(name="mes", host="broker", topic=topic)
