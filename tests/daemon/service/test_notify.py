from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.service.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(10)
        yield listener


@pytest.fixture
def environ(systemd: socket.socket) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(systemd.getsockname()), "WATCHDOG_USEC": "20000000"}


def heard(systemd: socket.socket) -> dict[str, str]:
    lines = systemd.recv(4096).decode().split("\n")
    return dict(line.split("=", 1) for line in lines)


def test_each_notice_is_one_datagram_of_assignments(systemd: socket.socket, environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    notifier.extend(60, "loading weights")
    assert heard(systemd) == {"EXTEND_TIMEOUT_USEC": "60000000", "STATUS": "loading weights"}
    notifier.ready("inspecting P10B")
    assert heard(systemd) == {"READY": "1", "STATUS": "inspecting P10B"}
    notifier.status("3 plates, größte 1 m\nREADY=0")
    assert heard(systemd) == {"STATUS": "3 plates, größte 1 m READY=0"}
    notifier.stopping("draining")
    assert heard(systemd) == {"STOPPING": "1", "STATUS": "draining"}
    notifier.close()


def test_the_watchdog_is_pinged_at_half_its_time(systemd: socket.socket, environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    assert notifier.watchdog_interval_s == 10
    pinged = [now for now in (100.0, 105.0, 109.9, 110.0, 111.0, 130.0, 131.0) if notifier.ping_if_due(now)]
    assert pinged == [100.0, 110.0, 130.0]
    assert [heard(systemd) for _ in pinged] == [{"WATCHDOG": "1"}] * 3
    notifier.close()


@pytest.mark.parametrize(
    ("changes", "interval"),
    [
        ({"WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": ""}, None),
    ],
)
def test_the_watchdog_is_kept_only_by_the_process_it_is_meant_for(
    environ: dict[str, str], changes: dict[str, str], interval: float | None
) -> None:
    notifier = Notifier({**environ, **changes})
    assert notifier.watchdog_interval_s == interval
    assert notifier.ping_if_due(1.0) is (interval is not None)
    notifier.close()


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0linesentry-test-{os.getpid()}")
        listener.settimeout(10)
        notifier = Notifier({"NOTIFY_SOCKET": f"@linesentry-test-{os.getpid()}"})
        notifier.ready("up")
        assert heard(listener)["READY"] == "1"
        notifier.close()


@pytest.mark.parametrize("address", ["", "vsock:2:1234"])
def test_without_a_socket_notices_do_nothing(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("up")
    notifier.close()
    notifier.stopping("down")
    assert notifier.failures == 0


def test_a_systemd_that_does_not_listen_stops_nothing(systemd: socket.socket, environ: dict[str, str]) -> None:
    notifier = Notifier(environ)
    for number in range(2000):
        notifier.status(f"{number}")
    assert notifier.failures > 0
    systemd.close()
    before = notifier.failures
    notifier.status("gone")
    assert notifier.failures == before + 1
    notifier.close()
