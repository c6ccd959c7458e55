from __future__ import annotations

import ast
import math
import mmap
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import daemon
from daemon.telemetry.counters import COUNTERS, HISTOGRAMS, RESTART_REASONS, Tally, key
from daemon.telemetry.metrics import MOST_LABELS, PREFIX, Metrics, private_memory
from daemon.telemetry.vram import Vram


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(generate_latest(metrics.registry).decode())
    return {
        (sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="0.1.0", recipe="P10B")


def test_absolute_counts_of_a_heartbeat_become_a_counter(metrics: Metrics) -> None:
    metrics.heartbeat("detect", 1, {"windows_total/scored": 5})
    metrics.heartbeat("detect", 1, {"windows_total/scored": 9})
    metrics.heartbeat("detect", 2, {"windows_total/scored": 1})
    assert metrics.total("windows_total", "scored") == 10
    assert samples(metrics)["windows_total", (("outcome", "scored"),)] == 10


def test_a_counter_goes_on_where_a_dead_process_left_it(metrics: Metrics) -> None:
    metrics.heartbeat("merge", 1, {"defects_total": 7})
    metrics.ended("merge", 1)
    metrics.heartbeat("merge", 2, {"defects_total": 2})
    assert metrics.total("defects_total") == 9


def test_a_late_heartbeat_of_an_ended_process_changes_nothing(metrics: Metrics) -> None:
    metrics.heartbeat("merge", 1, {"defects_total": 7})
    metrics.ended("merge", 1)
    metrics.heartbeat("merge", 1, {"defects_total": 8})
    assert metrics.total("defects_total") == 7


@settings(max_examples=100, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.floats(0, 1e6) | st.just(math.nan), st.booleans()),
        max_size=30,
    )
)
def test_counters_never_fall_and_are_the_sum_of_what_each_process_reached(
    events: list[tuple[int, int, float, bool]],
) -> None:
    metrics = Metrics("0", "P10B")
    reached: dict[tuple[int, int], float] = {}
    ended: set[tuple[int, int]] = set()
    before = 0.0
    for role, incarnation, value, ends in events:
        metrics.heartbeat(f"role{role}", incarnation, {"rows_total": value})
        who = (role, incarnation)
        if who not in ended and not math.isnan(value):
            reached[who] = max(value, reached.get(who, 0.0))
        if ends:
            metrics.ended(f"role{role}", incarnation)
            ended.add(who)
        assert metrics.total("rows_total") >= before
        before = metrics.total("rows_total")
    assert before == pytest.approx(sum(reached.values()))


@pytest.mark.parametrize(
    "counters",
    [
        {"no_such_total": 1.0},
        {"rows_total": -1.0},
        {"rows_total": math.nan},
        {"rows_total": math.inf},
        {"rows_total": 10**400},
        {"rows_total/label": 1.0},
        {"plates_total": 1.0},
        {"window_seconds/0.3": 1.0},
        {"rows_total": "3"},
    ],
)
def test_a_malformed_counter_is_refused_and_counted(metrics: Metrics, counters: Mapping[str, float]) -> None:
    assert metrics.heartbeat("tile", 1, counters) == 1
    assert metrics.total("messages_refused_total", "malformed counter") == 1
    assert metrics.total("rows_total") == 0


def test_no_process_can_grow_the_registry_without_end(metrics: Metrics) -> None:
    metrics.heartbeat("tile", 1, {f"windows_total/{number}": 1.0 for number in range(1000)})
    exported = [name for name, _ in samples(metrics) if name == "windows_total"]
    assert len(exported) <= MOST_LABELS + 1
    assert metrics.total("windows_total", "other") > 0


def test_a_tally_arrives_whole_at_the_registry(metrics: Metrics) -> None:
    tally = Tally()
    tally.add("rows_total", 512)
    tally.add("plates_total", label="NG")
    tally.set("line_faults_total", 7, "row lost")
    tally.set("line_faults_total", 9, "row lost")
    for seconds in (0.04, 0.05, 0.3, 99.0):
        tally.observe("plate_latency_seconds", seconds)
    metrics.heartbeat("record", 1, tally.values())
    metrics.heartbeat("record", 1, tally.values())
    exported = samples(metrics)
    assert exported["rows_total", ()] == 512
    assert exported["plates_total", (("verdict", "NG"),)] == 1
    assert exported["line_faults_total", (("kind", "row lost"),)] == 9
    assert exported["plate_latency_seconds_bucket", (("le", "0.05"),)] == 2
    assert exported["plate_latency_seconds_bucket", (("le", "0.5"),)] == 3
    assert exported["plate_latency_seconds_bucket", (("le", "+Inf"),)] == 4
    assert exported["plate_latency_seconds_count", ()] == 4
    assert exported["plate_latency_seconds_sum", ()] == pytest.approx(99.39)


def test_a_tally_takes_only_what_the_table_knows() -> None:
    tally = Tally()
    for name, label in (("no_such_total", ""), ("plates_total", ""), ("rows_total", "x")):
        with pytest.raises(KeyError):
            tally.add(name, label=label)
        with pytest.raises(KeyError):
            tally.set(name, 1.0, label)
    with pytest.raises(KeyError):
        tally.observe("rows_total", 1.0)
    assert tally.values() == {}
    assert key("plates_total", "NG") == "plates_total/NG"


def test_counters_of_the_supervisor_itself_join_those_of_its_children(metrics: Metrics) -> None:
    metrics.heartbeat("acquire", 1, {"plates_seen_total": 2})
    metrics.count("plates_seen_total")
    assert metrics.total("plates_seen_total") == 3
    with pytest.raises(KeyError):
        metrics.count("plates_total")


def test_gauges_say_what_was_set_last(metrics: Metrics) -> None:
    metrics.set_slots(free=1, filling=1, held=1)
    metrics.set_open_plates(2)
    metrics.set_role("detect", up=1, wanted=2, memory_bytes=1000)
    metrics.restarted("detect", "hang")
    metrics.set_vram(500)
    metrics.set_vram(300)
    exported = samples(metrics)
    assert exported["slots", (("state", "filling"),)] == 1
    assert exported["open_plates", ()] == 2
    assert exported["process_up", (("role", "detect"),)] == 1
    assert exported["process_wanted", (("role", "detect"),)] == 2
    assert exported["process_memory_bytes", (("role", "detect"),)] == 1000
    assert exported["restarts_total", (("reason", "hang"), ("role", "detect"))] == 1
    assert (exported["vram_used_bytes", ()], exported["vram_peak_bytes", ()]) == (300, 500)
    assert exported["build_info", (("recipe", "P10B"), ("version", "0.1.0"))] == 1


def test_without_a_gpu_there_is_no_vram_metric(metrics: Metrics) -> None:
    metrics.set_vram(None)
    assert not any(name.startswith("vram") for name, _ in samples(metrics))


def test_known_labels_are_exported_as_zero_from_the_start(metrics: Metrics) -> None:
    exported = samples(metrics)
    for name, counter in COUNTERS.items():
        for value in counter.known:
            assert exported[name, ((counter.label or "", value),)] == 0
    for name in HISTOGRAMS:
        assert exported[f"{name}_count", ()] == 0


def test_a_role_has_its_counters_from_the_start(metrics: Metrics) -> None:
    """A rate sees the first restart only if the series was there before it."""
    metrics.set_role("detect", up=0, wanted=2, memory_bytes=0)
    before = samples(metrics)
    for reason in RESTART_REASONS:
        assert before["restarts_total", (("reason", reason), ("role", "detect"))] == 0
    assert before["busy_seconds_total", (("role", "detect"),)] == 0
    metrics.restarted("detect", "died")
    metrics.set_role("detect", up=1, wanted=2, memory_bytes=0)
    assert samples(metrics).keys() == before.keys()
    assert samples(metrics)["restarts_total", (("reason", "died"), ("role", "detect"))] == 1


def test_every_label_that_the_code_counts_by_is_known_beforehand() -> None:
    """Read from the calls themselves, so that a new label cannot be forgotten."""
    found: dict[str, set[str]] = {}
    for path in Path(daemon.__path__[0]).rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            words = [word.value for word in call.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            if call.func.attr in ("add", "set", "count", "_grow") and len(words) == 2 and words[0] in COUNTERS:
                found.setdefault(words[0], set()).add(words[1])
    assert sum(map(len, found.values())) > 20
    for name, labels in found.items():
        assert labels <= set(COUNTERS[name].known), name


def test_plates_that_the_start_closed_keep_the_books_in_balance(metrics: Metrics) -> None:
    metrics.begun("died", 3)
    metrics.count("plates_seen_total", 5)
    metrics.count("plates_total", 4, "OK")
    metrics.set_open_plates(1)
    exported = samples(metrics)
    assert exported["plates_total", (("verdict", "INCONCLUSIVE"),)] == 3
    assert exported["plate_causes_total", (("cause", "service died"),)] == 3
    decided = sum(value for (name, _), value in exported.items() if name == "plates_total")
    assert exported["plates_seen_total", ()] + exported["plates_closed_at_start", ()] == decided + 1
    assert exported["previous_run_info", (("end", "died"),)] == 1
    assert exported["line_waits", ()] == 0
    assert 0 <= time.time() - exported["start_time_seconds", ()] < 60


def test_private_memory_is_that_of_living_processes_and_grows_with_use() -> None:
    before = private_memory([os.getpid()])
    # A mapping of its own: a block from the heap may lie in pages that were freed before.
    with mmap.mmap(-1, 16 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.write(bytes(len(block)))
        assert private_memory([os.getpid()]) >= before + len(block) // 2
    assert private_memory([2**22 + 1]) == 0


def test_private_memory_leaves_out_shared_memory_that_only_one_process_has_touched() -> None:
    size = 64 * 2**20
    descriptor = os.memfd_create("ring")
    os.posix_fallocate(descriptor, 0, size)
    with mmap.mmap(descriptor, size) as ring:
        os.close(descriptor)
        before = private_memory([os.getpid()])
        for offset in range(0, size, 4096):
            ring[offset] = 1
        assert private_memory([os.getpid()]) < before + size // 2


def test_gpu_memory_of_processes_that_use_no_gpu_is_unknown() -> None:
    vram = Vram()
    assert vram.used_bytes([os.getpid()]) is None
    vram.close()
    assert vram.used_bytes([os.getpid()]) is None
