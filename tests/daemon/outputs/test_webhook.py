"""A POST for each verdict, signed, and what each answer means."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.load import load_config
from config.outputs import output_faults
from config.schema import Config, Webhook
from daemon.outputs.door import OutputError
from daemon.outputs.webhook import WebhookLink
from stages.events import VerdictDue
from stages.output import Echoed, Refused, Say
from stages.plate import Cause, Verdict
from tests.listeners import Requests

KEY = b"0123456789abcdef"
NG = Say(VerdictDue(7, Verdict.NG, (Cause.DEFECT,), "worst at x 1 \ud800", 3, "P7", "B1", 0.24), divert=True, times=1)


@pytest.fixture
def requests() -> Iterator[Requests]:
    one = Requests()
    yield one
    one.stop()


def linked(requests: Requests, secret: Path | None = None) -> WebhookLink:
    link = WebhookLink(Webhook(name="mes", url=requests.url, secret_file=secret))
    link.connect()
    return link


def test_a_verdict_is_a_post_of_json_and_its_answer_acknowledges_it(requests: Requests) -> None:
    link = linked(requests)
    assert link.answer() is None
    link.say(NG)
    assert link.answer() == Echoed(7, "204 No Content")
    assert link.answer() is None
    said = json.loads(requests.bodies[0])
    assert said.pop("reason").startswith("worst at x 1")
    assert said == {
        "plate": 7,
        "part_id": "P7",
        "batch_id": "B1",
        "verdict": "NG",
        "divert": True,
        "causes": ["defect"],
        "defects": 3,
        "latency_s": 0.24,
        "simulated": False,
    }
    assert "X-Linesentry-Signature" not in requests.headers[0]
    link.close()


def test_a_request_is_signed_by_the_key_of_the_file_as_the_page_says(requests: Requests, tmp_path: Path) -> None:
    secret = tmp_path / "mes.key"
    secret.write_bytes(KEY + b"\n")
    link = linked(requests, secret)
    link.say(NG)
    header, body = requests.headers[0]["X-Linesentry-Signature"], requests.bodies[0]
    at, _, signature = header.removeprefix("t=").partition(",v1=")
    right = hmac.new(KEY, at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, right)
    assert abs(time.time() - int(at)) < 300
    secret.unlink()
    with pytest.raises(OutputError, match="so nothing can be signed"):
        link.say(NG)
    link.close()


@pytest.mark.parametrize("status", [400, 401, 404, 301, 303])
def test_what_is_refused_is_said_with_its_status(requests: Requests, status: int) -> None:
    requests.answer = lambda _: status
    link = linked(requests)
    link.say(NG)
    found = link.answer()
    assert isinstance(found, Refused)
    assert found.text.startswith(str(status))
    link.close()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_that_asks_for_later_is_an_error_and_no_refusal(requests: Requests, status: int) -> None:
    requests.answer = lambda _: status
    link = linked(requests)
    with pytest.raises(OutputError, match=f"answers {status}"):
        link.say(NG)
    link.close()


def test_a_server_that_closed_an_idle_connection_is_asked_anew(requests: Requests) -> None:
    link = linked(requests)
    link.say(NG)
    assert link._connection is not None
    assert link._connection.sock is not None
    link._connection.sock.shutdown(2)
    link.say(NG)
    assert requests.plates == [7, 7]
    link.close()


def test_a_server_that_is_not_there_is_named(requests: Requests) -> None:
    requests.stop()
    with pytest.raises(OutputError, match=rf"http://127.0.0.1:{requests.port}/verdicts.* cannot be reached"):
        linked(requests)


@pytest.mark.parametrize("url", ["ftp://a/b", "mes.example.com", "http://", "https://u:p@host/", "http://a b/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        Webhook(name="mes", url=url)


def test_a_key_is_a_file_beside_the_configuration_and_of_some_length(tmp_path: Path) -> None:
    config = tmp_path / "line.yaml"
    config.write_text(
        "simulator: {}\noutputs:\n  webhook:\n    - {name: mes, url: 'http://mes/', secret_file: mes.key}\n", "utf-8"
    )
    key = "outputs.webhook[0].secret_file"
    assert output_faults(load_config(config)) == [(key, f"found '{tmp_path / 'mes.key'}', which is no file")]
    (tmp_path / "mes.key").write_bytes(b"short")
    assert "5 bytes, allowed: 16 or more" in output_faults(load_config(config))[0][1]
    (tmp_path / "mes.key").write_bytes(KEY)
    assert output_faults(load_config(config)) == []


def test_an_output_may_not_wait_so_long_that_it_looks_hung() -> None:
    webhook = {"name": "mes", "url": "http://mes/", "timeout_s": 5.0}
    config = Config.model_validate({"outputs": {"webhook": [webhook]}, "restart": {"hang_s": 20.0}})
    ((key, message),) = output_faults(config)
    assert key == "outputs.webhook[0].timeout_s"
    assert message.startswith("found 5, allowed: up to 4, a fifth of restart.hang_s")
