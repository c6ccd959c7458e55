"""A real Prometheus and Alertmanager, with the rules and the routes that ship, watch a service that is killed."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.load import shipped
from tests.integration.conftest import Service

Make = Callable[..., Service]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(address: str) -> Any:
    """What it answers as JSON; None while it does not."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{address}", timeout=5) as answer:
        return json.load(answer)
    return None


class Watch:
    """Prometheus on a service, Alertmanager behind it, and what was told to whom."""

    def __init__(self, prometheus: int, told: list[tuple[str, str]]) -> None:
        self._prometheus = prometheus
        self.told = told
        """Receiver and alert of each notice."""

    def value(self, query: str) -> float | None:
        """The one value of the query now; None where there is none."""
        answer = ask(f"{self._prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        found = answer["data"]["result"] if answer else []
        return float(found[0]["value"][1]) if found else None

    def alerts(self) -> dict[str, str]:
        """Alerts by name, pending or firing."""
        answer = ask(f"{self._prometheus}/api/v1/alerts")
        return {one["labels"]["alertname"]: one["state"] for one in answer["data"]["alerts"]} if answer else {}


@contextlib.contextmanager
def receiver(told: list[tuple[str, str]]) -> Iterator[int]:
    """Takes Alertmanager's notices; its port."""

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            notice = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.extend((notice["receiver"], alert["labels"]["alertname"]) for alert in notice["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Take) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def configured(directory: Path, service: int, alertmanager: int, sink: int) -> None:
    """The files that ship, in a hurry: other ports, short intervals, and a webhook in the place of each mail."""
    config = yaml.safe_load(shipped("prometheus", "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{service}"]}]
    config["alerting"]["alertmanagers"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    rules = yaml.safe_load(shipped("prometheus", "rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = "200ms"
    (directory / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    routes = yaml.safe_load(shipped("prometheus", "alertmanager.yml").read_text(encoding="utf-8"))
    routes["receivers"] = [
        {"name": one["name"], "webhook_configs": [{"url": f"http://127.0.0.1:{sink}/"}]} for one in routes["receivers"]
    ]
    (directory / "alertmanager.yml").write_text(yaml.safe_dump(routes), encoding="utf-8")


@pytest.fixture
def watch(tmp_path: Path) -> Callable[[int], contextlib.AbstractContextManager[Watch]]:
    """Watches the service on that port."""
    for program, package in (("prometheus", "prometheus"), ("prometheus-alertmanager", "prometheus-alertmanager")):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not there: apt-get install {package}")

    @contextlib.contextmanager
    def watching(service: int) -> Iterator[Watch]:
        directory = tmp_path / "monitoring"
        directory.mkdir()
        prometheus, alertmanager = free_port(), free_port()
        told: list[tuple[str, str]] = []
        with contextlib.ExitStack() as stack:
            configured(directory, service, alertmanager, stack.enter_context(receiver(told)))
            for port, program, *more in (
                (alertmanager, "prometheus-alertmanager", "--cluster.listen-address="),
                (prometheus, "prometheus", "--log.level=warn"),
            ):
                name = program.removeprefix("prometheus-")
                command = [
                    program,
                    f"--config.file={directory / name}.yml",
                    f"--storage.{'tsdb.' if name == 'prometheus' else ''}path={directory / name}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    *more,
                ]
                log = stack.enter_context((directory / f"{name}.log").open("wb"))
                process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
                stack.callback(process.wait)
                stack.callback(process.kill)
            yield Watch(prometheus, told)

    return watching


@pytest.mark.long
@pytest.mark.debian
def test_a_crash_of_the_whole_service_rings_though_no_scrape_may_have_missed_it(
    service: Make, watch: Callable[[int], contextlib.AbstractContextManager[Watch]]
) -> None:
    port = free_port()
    one = service(telemetry={"port": port})
    with watch(port) as seen:
        one.start()
        one.wait_for(lambda: len(one.finals()) >= 1)
        worker = one.kill("detect-0", signal.SIGSTOP)
        one.wait_for(lambda: (seen.value("linesentry_open_plates") or 0) >= 1)
        assert one.wait_for(lambda: seen.value('linesentry_plates_total{verdict="INCONCLUSIVE"}') == 0.0)
        assert "firing" not in seen.alerts().values()
        started = seen.value("linesentry_start_time_seconds")
        assert seen.value('linesentry_previous_run_info{end="unknown"}') == 1.0

        one.send(signal.SIGKILL)
        one.finish()
        while Path(f"/proc/{worker}").exists():
            time.sleep(0.01)
        left = sorted(plate for plate, row in one.plates().items() if row.verdict is None)
        assert left
        one.start()
        one.wait_for(lambda: seen.alerts().get("LinesentryRestarted") == "firing")
        one.wait_for(lambda: seen.alerts().get("LinesentryPlatesClosedAtStart") == "firing")
        one.wait_for(
            lambda: {("line", "LinesentryRestarted"), ("line", "LinesentryPlatesClosedAtStart")} <= {*seen.told}
        )

        assert one.logged("nobody stopped the run before", end="died")
        assert one.logged("plates that an earlier run left open are INCONCLUSIVE now")[0]["plates"] == left
        assert seen.value("linesentry_start_time_seconds") != started
        assert seen.value("linesentry_plates_closed_at_start") == len(left)
        assert (seen.value('linesentry_plate_causes_total{cause="service died"}') or 0) == len(left)
        one.send(signal.SIGTERM)
        assert one.finish() == 0, one.stderr()

        # Whoever is stopped is started again without alarm.
        one.start()
        stopped = 'linesentry_previous_run_info{end="stopped"}'
        one.wait_for(lambda: seen.value(stopped) == 1.0 and seen.value("linesentry_plates_closed_at_start") == 0.0)
        one.wait_for(lambda: not {"LinesentryRestarted", "LinesentryPlatesClosedAtStart"} & seen.alerts().keys())
