"""The archive of a running service: the pixels that were judged, and no plate delayed or lost by it."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from daemon.service.control import Question, ask
from daemon.store.archive import adopt
from daemon.store.results import Store, store_path
from stages.challenge import Kind
from tests.command import linesentry
from tests.integration.conftest import RECIPE, SHEETS, Service, substance

Make = Callable[..., Service]


START_S = 120.0
"""Longest wait for what a service does soon after its start."""


def files(service: Service) -> list[Path]:
    return sorted((service.state / "archive").glob("*/*"))


def health(service: Service) -> str:
    """What /healthz says, well or not."""
    address = service.logged("service starts")[0]["metrics"].replace("/metrics", "/healthz")
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def test_what_was_judged_is_archived_and_an_archiver_killed_in_mid_write_leaves_no_half_file(
    service: Make, undisturbed: Callable[[int], dict[str, object]]
) -> None:
    one = service(archive={"verdicts": ["NG", "INCONCLUSIVE"], "least_free_gb": 0, "behind": "wait"})
    one.start(2 * SHEETS)
    one.wait_for(lambda: files(one), START_S)
    one.kill("archive-0")
    assert one.finish(START_S) == 0, one.stderr()
    # A file whose archiver died before it could say so is whole, and entered by the next start.
    with Store.open(store_path(one.state)) as store:
        assert adopt(store, one.state / "archive") == []
    rows = one.verdicts()
    assert len(rows) == 2 * SHEETS
    for plate, row in rows.items():
        # What is archived changes no result.
        assert substance(row) | {"archive": None} == undisturbed(plate) | {"archive": None}
        assert (row.archive is None) == (row.verdict == "OK")
    kept = {plate: row.archive for plate, row in rows.items() if row.archive is not None and row.archive.path}
    assert kept
    assert sorted(one.state / str(found.path) for found in kept.values()) == files(one)
    checked = linesentry("archive", "verify", "--state", one.state)
    assert (checked.returncode, checked.stdout) == (0, f"{len(kept)} of {len(kept)} files are as they were written\n")
    # Inspected anew from its file, a plate is what it was on the line.
    plate, found = next(iter(kept.items()))
    words = ("inspect", one.state / str(found.path), "--recipe", one.directory / "small.yaml", "--json")
    (again,) = map(json.loads, linesentry(*words).stdout.splitlines())
    assert again["verdict"] == rows[plate].verdict
    boxes = [(box["x"], box["y"], box["width"], box["height"]) for box in again["defects"]]
    assert boxes == [(box.x, box.y, box.width, box.height) for box in rows[plate].defects]


@pytest.mark.long
def test_a_recipe_says_which_of_its_ok_plates_are_archived_and_what_challenges_it_also_while_the_service_runs(
    service: Make,
) -> None:
    clean = {"threshold": {"floor": 4.0}}
    one = service(
        archive={"verdicts": ["NG", "INCONCLUSIVE"], "least_free_gb": 0, "behind": "wait"},
        camera={"line_rate_hz": 13_000.0, "gap_rows": 13_000},
        simulator={"density": 0},
        recipe=clean,
    )
    one.start()
    one.wait_for(one.finals, START_S)
    (one.directory / "next.yaml").write_text(yaml.safe_dump({**RECIPE, **clean, "name": "next"}), encoding="utf-8")
    asked = {**RECIPE, **clean, "archive": {"ok": "every", "ok_every": 2}, "challenger": {"recipe": "next.yaml"}}
    (one.directory / "small.yaml").write_text(yaml.safe_dump(asked), encoding="utf-8")
    answer = ask(one.state, Question("reload"), START_S)
    assert answer["outcome"] == "changed", answer
    one.wait_for(lambda: len(files(one)) > 1, START_S)
    (judged,) = one.wait_for(lambda: one.logged("a challenger judged a plate")[:1], START_S)
    one.wait_for(lambda: re.search(r"challenger_plates_total\{.*\} [1-9]", one.ask("/metrics")))
    one.send(signal.SIGTERM)
    assert one.finish(START_S) == 0, one.stderr()
    sound = {plate: row for plate, row in sorted(one.verdicts().items()) if row.verdict == "OK"}
    before = [row for plate, row in sound.items() if plate < answer["first_plate"]]
    after = [row for plate, row in sound.items() if plate >= answer["first_plate"]]
    assert [row.archive for row in before] == [None] * len(before)
    assert before
    assert [row.archive is not None for row in after] == [index % 2 == 0 for index in range(len(after))]
    said = next(row.challenge for row in after if row.plate == judged["plate"])
    assert said is not None
    assert (said.recipe, said.kind) == ("next", Kind.SAME)
    # Neither changes a result, so the plates of both have one recipe's hash.
    assert {row.recipe_sha256 for row in sound.values()} == {answer["recipe_sha256"]}


def test_an_archive_that_cannot_be_written_costs_evidence_and_no_verdict_and_says_so(service: Make) -> None:
    one = service(archive={"verdicts": ["NG", "INCONCLUSIVE"], "least_free_gb": 1e6})
    one.start()
    one.wait_for(lambda: one.logged("plates are missing in the archive", why="no room"), START_S)
    one.wait_for(lambda: "plates are missing in the archive" in health(one))
    one.wait_for(lambda: re.search(r'archive_plates_total\{outcome="no room"\} [1-9]', one.ask("/metrics")))
    one.wait_for(lambda: len(one.finals()) > SHEETS, START_S)
    # However many plates are missing, it is said once.
    assert len(one.logged("plates are missing in the archive", why="no room")) == 1
    assert not files(one)
