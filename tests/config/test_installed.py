"""What is installed beside the service: the systemd unit, the Prometheus files and the Grafana dashboard."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from config.load import shipped
from config.schema import Config
from daemon.telemetry.counters import COUNTERS
from daemon.telemetry.metrics import Metrics
from stages.optics import OpticalFault, OpticsState

UNIT = shipped("systemd", "linesentry.service")
MOST_EXPOSURE = 15
"""Of 100: what `systemd-analyze security` may find in the unit (14 are the network on loopback, GPU and JIT)."""


def tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not there: apt-get install {package}")
    return path


def run(*command: str | Path, text: str = "") -> str:
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def unit_values() -> dict[str, str]:
    pairs = (line.split("=", 1) for line in UNIT.read_text(encoding="utf-8").splitlines() if re.match(r"\w+=", line))
    return {pair[0]: pair[1] for pair in pairs}


def exposition() -> str:
    """All that a service can export."""
    metrics = Metrics("0", "P10B")
    metrics.restarted("detect", "died")
    metrics.set_role("detect", 1, 1, 1)
    metrics.set_vram(1)
    metrics.set_optics(OpticsState(20, {OpticalFault.DUST: 0.05}))
    for name, counter in COUNTERS.items():
        metrics.count(name, label="x" if counter.label else "")
    return generate_latest(metrics.registry).decode()


def exported() -> set[str]:
    text = exposition()
    return {re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")}


def used(text: str) -> set[str]:
    return set(re.findall(r"\blinesentry_[a-z0-9_]+", text))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(shipped("prometheus", "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[str]:
    dashboard = json.loads(shipped("grafana", "linesentry.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there: the service itself need not be installed to check it."""
    text = UNIT.read_text(encoding="utf-8")
    path = tmp_path / UNIT.name
    path.write_text(re.sub(r"(?m)^(Exec\w+=)/opt/\S+", r"\1/bin/true", text), encoding="utf-8")
    return path


@pytest.mark.debian
def test_systemd_takes_the_unit_without_a_word(unit: Path) -> None:
    assert run(tool("systemd-analyze", "systemd"), "verify", unit) == ""


@pytest.mark.debian
def test_the_unit_exposes_little(unit: Path) -> None:
    run(tool("systemd-analyze", "systemd"), "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", unit)


def test_the_unit_waits_longer_than_the_service_drains_and_knows_its_watchdog() -> None:
    values = unit_values()
    assert int(values["TimeoutStopSec"]) > Config().drain_s
    # A hung process is found and killed by the supervisor before systemd would take the whole service for hung.
    assert int(values["WatchdogSec"]) > Config().restart.hang_s
    assert (values["Type"], values["KillMode"], values["NotifyAccess"]) == ("notify", "mixed", "main")


def test_prometheus_scrapes_where_the_service_serves() -> None:
    config = yaml.safe_load(shipped("prometheus", "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    telemetry = Config().telemetry
    assert job["static_configs"] == [{"targets": [f"{telemetry.host}:{telemetry.port}"]}]


@pytest.mark.debian
def test_prometheus_takes_its_configuration_and_rules() -> None:
    run(tool("promtool", "prometheus"), "check", "config", shipped("prometheus", "prometheus.yml"))


@pytest.mark.debian
def test_the_rules_pass_their_own_tests() -> None:
    run(tool("promtool", "prometheus"), "test", "rules", shipped("prometheus", "rules_test.yml"))


@pytest.mark.debian
@pytest.mark.parametrize(("severity", "receiver"), [("critical", "line"), ("warning", "engineer")])
def test_alertmanager_takes_its_example_and_knows_whom_to_tell(severity: str, receiver: str) -> None:
    example = shipped("prometheus", "alertmanager.yml")
    amtool = tool("amtool", "prometheus-alertmanager")
    assert "SUCCESS" in run(amtool, "check-config", example)
    told = run(amtool, "config", "routes", "test", "--config.file", example, f"severity={severity}")
    assert receiver in told.splitlines()


def test_every_alert_has_a_severity_that_is_routed_and_says_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) > 10
    for alert in alerts:
        assert alert["labels"]["severity"] in ("critical", "warning"), alert["alert"]
        assert alert["annotations"].keys() == {"summary", "action"}, alert["alert"]


def test_alertmanager_silences_only_alerts_that_there_are() -> None:
    example = yaml.safe_load(shipped("prometheus", "alertmanager.yml").read_text(encoding="utf-8"))
    named = {
        name
        for rule in example["inhibit_rules"]
        for matcher in (*rule["source_matchers"], *rule["target_matchers"])
        for name in re.findall(r"Linesentry\w+", matcher)
    }
    assert len(named) > 3
    assert named <= {rule["alert"] for rule in rules() if "alert" in rule}


@pytest.mark.debian
def test_the_metrics_keep_the_conventions_of_prometheus() -> None:
    run(tool("promtool", "prometheus"), "check", "metrics", text=exposition())


def test_every_metric_of_the_rules_is_exported() -> None:
    asked = {name for rule in rules() for name in used(rule["expr"])}
    assert len(asked) > 5
    assert asked <= exported()


def test_every_metric_of_the_dashboard_is_exported_or_recorded() -> None:
    asked = {name for expression in expressions() for name in used(expression)}
    assert len(asked) > 10
    assert asked <= exported()
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for text in expressions() for name in re.findall(r"linesentry:[\w:]+", text)} <= recorded


def test_every_exported_metric_is_on_the_dashboard() -> None:
    dashboard = "\n".join([*expressions(), *(rule["expr"] for rule in rules())])
    shown = {re.sub(r"_bucket$", "", name) for name in used(dashboard)}
    there = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported()}
    assert there - shown == set()


def test_no_metric_is_labelled_by_pid_plate_or_command_line() -> None:
    labels = {name for text in expressions() for name in re.findall(r"\{\{(\w+)\}\}", text)}
    labels |= {counter.label for counter in COUNTERS.values() if counter.label is not None}
    assert labels <= {"verdict", "cause", "outcome", "reason", "kind", "role", "state", "le", "end", "fault"} | {
        "instance",
        "version",
        "recipe",
        "alertname",
    }


def test_the_dashboard_takes_its_data_from_a_variable() -> None:
    dashboard = json.loads(shipped("grafana", "linesentry.json").read_text(encoding="utf-8"))
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    for panel in dashboard["panels"]:
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert panel["description"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
