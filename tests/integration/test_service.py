"""The service as its operator has it: plates in, verdicts out, and a word to systemd and Prometheus on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from daemon.cameras.simulated import product_of
from simulator.sheets.sheet import render
from stages.plate import Cause, Verdict
from tests.integration.conftest import COLUMNS, ROWS, SHEETS, SLOTS, Service, substance

Make = Callable[..., Service]
Undisturbed = Callable[[int], dict[str, Any]]


def memory_files() -> set[str]:
    """Inodes of the memory files of any linesentry process that is ours."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if "memfd:linesentry" in str(link.readlink()):
                found.add(f"{link.parent.parent.name} {link.stat().st_ino}")
        except OSError:
            continue
    return found


def test_every_plate_gets_a_verdict_and_the_ledger_adds_up(calm: Service) -> None:
    rows = calm.verdicts()
    assert len(rows) == SHEETS
    for row in rows.values():
        assert row.complete
        assert (row.rows, row.columns, row.windows, row.windows_scored) == (ROWS, COLUMNS, 9, 9)
        assert row.simulated
        assert row.weights_sha256
        assert row.verdict is (Verdict.NG if row.defects else Verdict.OK)
        assert row.pictures is not None
        assert (calm.state / row.pictures).is_dir()


def test_without_a_terminal_logs_are_json_on_stderr_and_stdout_is_empty(calm: Service) -> None:
    assert calm.stdout() == ""
    lines = calm.logs()
    assert [line["plate"] for line in lines if line["event"] == "plate final"] == [1, 2, 3]
    assert all({"level", "timestamp", "role", "pid"} <= line.keys() for line in lines)
    assert not [line for line in lines if line["level"] in ("warning", "error", "critical")]


def test_nothing_is_left_of_a_service_that_has_ended(calm: Service) -> None:
    run = calm.logged("service starts")[0]["run"]
    pids = {line["pid"] for line in calm.logs()}
    assert not list(Path(tempfile.gettempdir()).glob(f"linesentry-*{run[:8]}*"))
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert not [held for held in memory_files() if int(held.split()[0]) in pids]


def test_three_workers_find_to_the_bit_what_one_finds(service: Make, undisturbed: Undisturbed) -> None:
    three = service(workers={"count": 3})
    three.start(SHEETS)
    assert three.finish() == 0, three.stderr()
    assert {plate: substance(row) for plate, row in three.verdicts().items()} == {
        plate: undisturbed(plate) for plate in range(1, SHEETS + 1)
    }


@contextmanager
def systemd(path: Path) -> Iterator[list[str]]:
    """A socket as systemd has it; what was sent to it."""
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))

        def listen() -> None:
            while True:
                heard = listener.recv(4096).decode()
                if heard == "end":
                    return
                told.append(heard)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield told
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"end", str(path))
            thread.join()


def values(text: str, name: str) -> dict[str, float]:
    """A metric's values by the value of its label."""
    return {
        "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"linesentry_{name}"
    }


def test_a_service_at_work_and_its_orderly_end(service: Make, undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Metrics add up while plates pass, a second instance is refused, SIGTERM finishes what is in flight."""
    one = service(workers={"count": 2})
    with systemd(tmp_path / "notify") as told:
        one.start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
        scrapes = []
        while len(one.finals()) < 6:
            scrapes.append(one.wait_for(lambda: one.ask("/metrics")))
            assert sum(values(scrapes[-1], "slots").values()) == SLOTS
        health = json.loads(one.ask("/healthz"))
        assert health["status"] == "ok"
        assert health["seen"] >= 6

        second = subprocess.run(
            [sys.executable, "-m", "daemon", "run", "--config", str(one.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert second.returncode == 1
        assert f"another linesentry (process {one.pid}) uses {one.state}" in second.stderr
        assert second.stdout == ""

        one.send(signal.SIGTERM)
        assert one.finish() == 0, one.stderr()

    rows = one.verdicts()
    assert {plate: substance(row) for plate, row in rows.items()} == {plate: undisturbed(plate) for plate in rows}
    ended = one.logged("service ended")[0]
    assert (ended["seen"], ended["open"]) == (len(rows), 0)
    started = one.logged("service starts")[0]
    # Lines of before there is a run, of its configuration, say none.
    assert {line["run"] for line in one.logs() if line["timestamp"] >= started["timestamp"]} == {started["run"]}
    last = scrapes[-1]
    done = values(last, "plates_total")
    assert values(last, "plates_seen_total")[""] - values(last, "open_plates")[""] <= sum(done.values()) <= len(rows)
    for verdict, count in done.items():
        assert count <= sum(row.verdict == verdict for row in rows.values())
    assert len([text for text in told if text.startswith("READY=1")]) == 1
    assert [text for text in told if "plates seen" in text]
    assert "WATCHDOG=1" in told
    assert told[-1].startswith("STOPPING=1")


def test_no_process_imports_what_lies_in_the_directory_where_the_service_was_started(
    service: Make, tmp_path: Path
) -> None:
    """A file named as a module of ours or of a library would run as the operator."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("zmq", "random", "config", "daemon", "msgspec", "sitecustomize"):
        (here / f"{name}.py").write_text(f"open({str(here / 'ran')!r}, 'a').write('{name} ')\n", encoding="utf-8")
    one = service()
    one.start(plates=1, directory=here)
    assert one.finish() == 0, one.stderr()
    assert not (here / "ran").exists()


def test_no_time_to_drain_makes_open_plates_inconclusive_by_shutdown(service: Make) -> None:
    hasty = service(drain_s=0.0)
    hasty.start()
    hasty.wait_for(lambda: len(hasty.finals()) >= 1)
    worker = hasty.kill("detect-0", signal.SIGSTOP)
    hasty.wait_for(lambda: json.loads(hasty.ask("/healthz"))["open"] >= 2)
    hasty.send(signal.SIGTERM)
    hasty.wait_for(lambda: any(row.causes == (Cause.SHUTDOWN,) for row in hasty.plates().values()))
    os.kill(worker, signal.SIGCONT)
    assert hasty.finish() == 0, hasty.stderr()
    shut = [row for row in hasty.verdicts().values() if Cause.SHUTDOWN in row.causes]
    assert len(shut) >= 2
    assert all(row.verdict is Verdict.NG if row.defects else row.verdict is Verdict.INCONCLUSIVE for row in shut)
    assert not any(row.complete for row in shut)


def test_ctrl_c_drains_and_a_second_one_ends_at_once(service: Make) -> None:
    """The terminal sends SIGINT to every process of the group; the children leave it to the supervisor."""
    one = service()
    one.start()
    one.wait_for(lambda: len(one.finals()) >= 1)
    children = one.children()
    worker = one.kill("detect-0", signal.SIGSTOP)
    one.wait_for(lambda: json.loads(one.ask("/healthz"))["open"] >= 1)
    os.killpg(one.pid, signal.SIGINT)
    one.wait_for(lambda: one.logged("signal received", signal="SIGINT"))
    one.wait_for(lambda: "stopping" in one.ask("/healthz") or one.ask("/healthz") == "")
    assert one.children() == children
    os.killpg(one.pid, signal.SIGINT)
    assert one.finish(10) == 1
    assert not Path(f"/proc/{worker}").exists()
    rows = one.verdicts().values()
    assert [row for row in rows if row.causes == (Cause.SHUTDOWN,)]


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except OSError:
        return ""


def test_an_order_to_stop_while_the_command_still_loads_ends_it_with_its_own_code(service: Make) -> None:
    """However often it is given: nothing has begun, so nothing is cut short."""
    one = service()
    one.start()
    # The command has begun, and most of the service is not loaded yet.
    one.wait_for(lambda: "msgspec" in _maps(one.pid))
    for _ in range(2):
        one.send(signal.SIGTERM)
        time.sleep(0.002)
    assert one.finish(20) == 0, one.stderr()
    assert not one.state.exists() or not list(one.state.glob("*.sqlite"))


def test_orders_to_stop_that_come_after_its_end_do_not_change_the_code(service: Make) -> None:
    """systemd and people repeat themselves: what the service did is told, not that a signal met its last moments."""
    one = service()
    one.start()
    one.wait_for(lambda: one.logged("service starts"))
    one.send(signal.SIGTERM)
    one.wait_for(lambda: "service ended" in one.stderr())
    while one.exit_code() is None:
        one.send(signal.SIGTERM)
        time.sleep(0.001)
    assert one.finish() == 0, one.stderr()


def test_a_line_faster_than_the_detector_skips_plates_and_says_so(service: Make, undisturbed: Undisturbed) -> None:
    """While the worker is held up, two slots fill and the plates after them are counted as overload."""
    fast = service(
        overload="skip", slots=2, camera={"line_rate_hz": 4000}, restart={"hang_s": 30}, lease={"least_s": 30}
    )
    fast.start(9)
    fast.wait_for(lambda: len(fast.finals()) >= 1)
    worker = fast.kill("detect-0", signal.SIGSTOP)
    fast.wait_for(lambda: any(Cause.OVERLOAD in row.causes for row in fast.plates().values()))
    os.kill(worker, signal.SIGCONT)
    assert fast.finish() == 0, fast.stderr()
    rows = fast.verdicts()
    assert len(rows) == 9
    skipped = {plate for plate, row in rows.items() if Cause.OVERLOAD in row.causes}
    assert skipped
    for plate, row in rows.items():
        if plate in skipped:
            assert (row.verdict, row.causes, row.windows_scored) == (Verdict.INCONCLUSIVE, (Cause.OVERLOAD,), 0)
        else:
            assert substance(row) == undisturbed(plate)


def test_black_white_and_blurred_sheets_are_never_ok(service: Make, tmp_path: Path) -> None:
    """Image files pass the line like sheets; only the good one of them may be OK."""
    folder = tmp_path / "sheets"
    folder.mkdir()
    replay = service(camera={"source": "folder", "folder": str(folder)})
    good = render(product_of(replay.recipe), 5, 0).image
    sheets = [
        good,
        np.zeros_like(good),
        np.full_like(good, 255),
        np.asarray(cv2.GaussianBlur(good, (0, 0), 25), np.uint8),
    ]
    for index, image in enumerate(sheets):
        assert cv2.imwrite(str(folder / f"{index}.png"), image)
    replay.start()
    assert replay.finish() == 0, replay.stderr()
    rows = replay.verdicts()
    assert [row.verdict for row in rows.values()][1:] == [Verdict.INCONCLUSIVE] * 3
    assert rows[1].verdict is Verdict.OK, rows[1].reason
    # Blacked-out and clipped pixels are not judged at all.
    assert rows[2].causes[0] is rows[3].causes[0] is Cause.COVERAGE
    assert {Cause.FOCUS, Cause.CONTRAST} & set(rows[4].causes)


def test_a_service_goes_on_after_the_plates_of_a_former_version(service: Make) -> None:
    former = Path(__file__).parents[1] / "daemon" / "store" / "former" / "results.sqlite"
    later = service()
    later.state.mkdir()
    shutil.copy(former, later.state)
    later.start(1)
    assert later.finish() == 0, later.stderr()
    rows = later.verdicts()
    assert sorted(rows) == [1, 2, 3, 4]
    assert [rows[plate].recipe for plate in (1, 2, 3, 4)] == ["U20B", "U20B", "U20B", "small"]
    assert rows[3].causes == (Cause.SERVICE_DIED,)
