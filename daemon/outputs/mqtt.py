"""Topics of an MQTT broker: the latest verdict and the status are retained, and the last will says that we are gone."""

from __future__ import annotations

import threading

from paho.mqtt.client import Client, ConnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from config.schema import Mqtt
from daemon.outputs.door import OutputError, OutputLink
from daemon.outputs.words import as_json
from stages.output import Echoed, Say

_KEEPALIVE_S = 4
"""The broker publishes the last will when it has heard nothing for one and a half times as long."""
_ACKNOWLEDGED = 1
"""Quality of service: at least once, with an acknowledgement."""


class MqttLink(OutputLink):
    """One broker; the client's own thread moves the packets."""

    says_late = True

    def __init__(self, settings: Mqtt) -> None:
        self._settings = settings
        self._peer = f"broker {settings.host}:{settings.port}"
        self._status = f"{settings.topic}/status"
        self._client: Client | None = None
        self._greeted = threading.Event()
        self._refused = ""
        self._said: tuple[int, MQTTMessageInfo] | None = None
        """What was published last, and whether the broker has it."""

    def connect(self) -> None:
        """Connect, and say that we are there."""
        settings = self._settings
        client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.connect_timeout = settings.timeout_s
        client.on_connect = self._on_connect
        client.will_set(self._status, "offline", _ACKNOWLEDGED, retain=True)
        self._client, self._said, self._refused = client, None, ""
        self._greeted.clear()
        try:
            if settings.username is not None:
                client.username_pw_set(settings.username, self._password())
            if settings.tls:
                client.tls_set()
            client.connect(settings.host, settings.port, _KEEPALIVE_S)
            client.loop_start()
        except (OSError, ValueError) as error:
            self.close()
            raise OutputError(f"{self._peer} cannot be reached: {error}") from error
        if not self._greeted.wait(settings.timeout_s) or self._refused:
            refused = self._refused
            self.close()
            raise OutputError(f"{self._peer} refuses us: {refused}" if refused else f"{self._peer} does not answer")
        self._publish(self._status, b"online")

    def say(self, order: Say) -> None:
        """Publish the verdict, retained: whoever subscribes later has the latest."""
        self._said = (order.due.plate, self._publish(f"{self._settings.topic}/verdict", as_json(order)))

    def answer(self) -> Echoed | None:
        """The broker's acknowledgement, once."""
        self._check()
        if self._said is None or not self._said[1].is_published():
            return None
        plate, _ = self._said
        self._said = None
        return Echoed(plate, "PUBACK")

    def beat(self, *, on: bool) -> None:  # noqa: ARG002 - MQTT has a heartbeat of its own
        """See whether the broker is still there."""
        self._check()

    def close(self) -> None:
        """Say that we go, as far as that is possible, and let go of the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        if client.is_connected():
            client.publish(self._status, b"offline", _ACKNOWLEDGED, retain=True)
            client.disconnect()
        client.loop_stop()

    # --- inside --------------------------------------------------------------------------------------------------

    def _publish(self, topic: str, payload: bytes) -> MQTTMessageInfo:
        info = self._check().publish(topic, payload, _ACKNOWLEDGED, retain=True)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise OutputError(f"{self._peer} takes nothing: {info.rc.name}")
        return info

    def _check(self) -> Client:
        if self._client is None or not self._client.is_connected():
            raise OutputError(f"{self._peer} is cut off")
        return self._client

    def _password(self) -> str | None:
        path = self._settings.password_file
        return None if path is None else path.read_text(encoding="utf-8").strip()

    def _on_connect(
        self, client: Client, data: object, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        """The broker's answer to the connection; called in the client's thread."""
        del client, data, flags, properties
        self._refused = str(code) if code.is_failure else ""
        self._greeted.set()
