"""Recipes that are changed while the service runs: whole, between two plates, or not at all."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from config.load import load_recipe, recipe_hash, shipped
from config.systemd_unit import NAME
from config.weights import weights_path
from daemon.offline.golden import set_golden
from daemon.service.control import Question, ask
from daemon.store.results import Store, store_path
from daemon.store.schema import events
from stages.plate import Cause, Verdict
from tests.command import linesentry
from tests.integration.conftest import COLUMNS, RECIPE, Service

Make = Callable[..., Service]
UNIT = shipped("systemd", NAME)
NARROW: dict[str, Any] = {**RECIPE, "name": "narrow", "columns": {"first": 300, "last": 300 + COLUMNS - 100}}
"""Another product, of other columns, in which no defect can be one."""


def reload(service: Service, recipe: str | None = None) -> dict[str, Any]:
    """What the service answers to `linesentry reload`."""
    return ask(service.state, Question("reload", recipe), 60.0)


def as_a_unit(service: Service) -> dict[str, str]:
    """The environment in which systemd would start it and its ExecReload: that says where its state is."""
    values = yaml.safe_load(service.config.read_text(encoding="utf-8"))
    del values["state_directory"]
    service.config.write_text(yaml.safe_dump(values), encoding="utf-8")
    return {"STATE_DIRECTORY": str(service.state)}


def command(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    """The unit's ExecReload as systemd runs it, with the program and the configuration of this service."""
    (line,) = (one for one in UNIT.read_text(encoding="utf-8").splitlines() if one.startswith("ExecReload="))
    program, *rest = shlex.split(line.partition("=")[2])
    assert (program, rest[-1]) == ("/opt/linesentry/.venv/bin/linesentry", "/etc/linesentry/linesentry.yaml")
    typed = [str(Path(sys.executable).parent / "linesentry"), *rest[:-1], str(service.config), *words]
    environment = {"STATE_DIRECTORY": str(service.state)}
    return subprocess.run(typed, capture_output=True, text=True, timeout=60, check=False, env=environment, cwd="/")


def write(path: Path, recipe: dict[str, Any]) -> str:
    """Write a recipe; its hash."""
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return recipe_hash(load_recipe(path))


def the_next_is_golden(service: Service) -> int:
    """`linesentry golden run --next`: the sheet that it checked, whatever that came to."""
    stored = service.plates().items()
    marked = max(n for n, row in stored if row.verdict is Verdict.NG and row.complete and row.recipe == "small")
    set_golden(service.state, "small", [marked])
    for _ in range(5):
        done = linesentry("golden", "run", "--next", "--json", "--config", service.config, "--state", service.state)
        assert "let the golden sheet pass now" in done.stderr
        if done.returncode != 2:
            break
        # A machine that is busy with other things leaves a sheet out.
        assert "was not seen whole" in done.stderr
    found: int = json.loads(done.stdout)["plate"]
    return found


@pytest.mark.timeout(400)
def test_each_plate_is_judged_by_one_recipe_alone_while_recipes_change_in_mid_run(
    service: Make, tmp_path: Path
) -> None:
    """By name, by a changed file, by SIGHUP; a worker dies on the way; what is wrong changes nothing."""
    narrow = write(tmp_path / "narrow.yaml", NARROW)
    one = service(
        recipes=[str(tmp_path / "narrow.yaml")],
        camera={"line_rate_hz": 13_000.0},
        overload="skip",
        slots=8,
        classify={"views": ["identity"]},
    )
    small = one.directory / "small.yaml"
    first = recipe_hash(load_recipe(small))
    one.start(environment=as_a_unit(one))
    one.wait_for(lambda: one.logged("service ready") and one.finals())

    answer = reload(one, "narrow")
    assert (answer["outcome"], answer["recipe_sha256"]) == ("changed", narrow)
    to_narrow = answer["first_plate"]
    one.kill("detect-0")
    one.wait_for(lambda: max(one.finals()) > to_narrow)

    # A file that is half written, and one that needs a restart: all stays as it was.
    text = small.read_text(encoding="utf-8")
    small.write_text(text[: len(text) // 2] + "\n  {", encoding="utf-8")
    answer = reload(one)
    assert (answer["outcome"], answer["recipe"]) == ("refused", "narrow")
    assert "small.yaml" in answer["text"]
    write(small, RECIPE | {"length": {"nominal_rows": 9000}})
    told = command(one)
    assert (told.returncode, told.stdout) == (1, "")
    assert "nothing was changed\nlength, most_rows or columns of small" in told.stderr
    assert reload(one, "none")["text"] == "recipe none is not loaded; loaded: small, narrow"

    weights = weights_path(load_recipe("P10B"))
    (one.directory / "own.pt").write_bytes(weights.read_bytes()[:-9])
    (one.directory / "own.json").write_bytes(weights.with_suffix(".json").read_bytes())
    write(small, RECIPE | {"weights": "own.pt"})
    assert reload(one)["text"].startswith("detect-0: recipe small: ")

    # No sheet can be called sharp by this one: each is INCONCLUSIVE that it judges.
    strict = write(small, RECIPE | {"gates": {"focus": {"least": 1.0}}})
    assert reload(one)["outcome"] == "changed"
    told = command(one, "--recipe", "small", "--json")
    answer = json.loads(told.stdout)
    assert (told.returncode, answer["recipe_sha256"]) == (0, strict)
    to_strict = answer["first_plate"]
    one.wait_for(lambda: max(one.finals()) > to_strict)

    write(small, RECIPE)
    one.send(signal.SIGHUP)
    (changed,) = one.wait_for(lambda: one.logged("change of recipe: changed", by="SIGHUP"))
    to_first = changed["first_plate"]
    one.wait_for(lambda: max(one.finals()) > to_first)
    health = json.loads(one.ask("/healthz"))
    assert (health["recipe"], health["recipe_sha256"]) == ("small", first)
    assert f'linesentry_recipe_info{{recipe="small",sha256="{first}"}} 1.0' in one.ask("/metrics")
    # No recipe has asked the classifier so far: its process is started for it.
    asking = write(small, RECIPE | {"classifier": {"mode": "annotate", "deadline_s": 60}})
    answer = reload(one)
    assert (answer["outcome"], answer["recipe_sha256"]) == ("changed", asking)
    to_asking = answer["first_plate"]
    checked = the_next_is_golden(one)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()

    with Store.open(store_path(one.state), read_only=True) as store, store.transaction(write=False) as connection:
        noted = connection.scalars(
            sa.select(events.c.text).where(events.c.kind == "recipe").order_by(events.c.at)
        ).all()
    assert [text.rpartition(",")[0] for text in noted] == [
        f"recipe narrow judges from plate {to_narrow} on",
        "recipe narrow judges, as before; what else is loaded is new",
        f"recipe small judges from plate {to_strict} on",
        f"recipe small judges from plate {to_first} on",
        f"recipe small judges from plate {to_asking} on",
    ]
    rows = one.verdicts()
    named = {plate: row.verdict for plate, row in rows.items() if row.part_id == "GOLDEN"}
    assert (max(named), set(named.values())) == (checked, {Verdict.INCONCLUSIVE})
    assert all((Cause.GOLDEN_SHEET in row.causes) == (plate in named) for plate, row in rows.items())
    assert sorted(rows) == list(range(1, len(rows) + 1))
    for plate, row in rows.items():
        wanted = (
            ("small", asking)
            if plate >= to_asking
            else ("small", first)
            if plate < to_narrow or plate >= to_first
            else ("narrow", narrow)
            if plate < to_strict
            else ("small", strict)
        )
        assert (row.recipe, row.recipe_sha256) == wanted, plate
        if row.verdict is Verdict.OK or Cause.FOCUS in row.causes or row.defects:
            assert row.columns == (COLUMNS - 100 if row.recipe == "narrow" else COLUMNS), plate
            assert (Cause.FOCUS in row.causes) == (row.recipe_sha256 == strict), plate
        scored = row.windows_scored == row.windows != 0
        assert row.classifier == ("annotate" if plate >= to_asking else "off") or not scored, plate
        assert (row.classifier_sha256 is not None) == (plate >= to_asking), plate
    assert {row.recipe_sha256 for row in rows.values() if row.windows_scored} == {first, narrow, strict, asking}
