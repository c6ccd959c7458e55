"""Doctor: each check finds what is wrong when it is, and says what to do."""

import hashlib
import json
import os
import socket
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from unittest.mock import ANY

import pytest
import torch
from rich.console import Console

from config.load import load_recipe
from config.schema import Classifier, Classify, Config, Recipe, Results, Retention, Telemetry, Workers
from daemon.service import doctor as checks
from daemon.service.doctor import Check, doctor, doctor_table
from daemon.store.journal import Journal, journal_path
from daemon.store.results import RunFacts, Store, store_path
from daemon.wire.plate_memory import Shape
from stages.plate import Cause, Defect, PlateResult, Verdict
from tests.classifier_weights import untrained

CRACKED = PlateResult(
    run="a" * 32,
    plate=1,
    verdict=Verdict.NG,
    causes=(Cause.DEFECT,),
    reason="1 defect",
    complete=True,
    rows=1000,
    columns=500,
    windows=4,
    windows_scored=4,
    coverage=1.0,
    defects=(Defect(100, 200, 12, 80, 500, 0.8, 105, 240, edge=False),),
)


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("P10B")


def test_a_new_machine_is_looked_at_whole_and_everything_wrong_comes_with_advice(
    tmp_path: Path, recipe: Recipe
) -> None:
    unweighted = recipe.model_copy(update={"weights": str(tmp_path / "none.pt")})
    found = doctor(Config(state_directory=tmp_path / "state", telemetry=Telemetry(port=0)), [unweighted])
    by_name = {check.name: check for check in found}
    assert [*by_name][-3:] == ["classifier", "metrics port", "systemd"]
    assert {"memory", "plate memory", "cores", "processor", "GPU", "state directory", "database"} < set(by_name)
    assert by_name["weights"].ok is False
    assert by_name["database"].ok is True
    assert os.listdir(tmp_path / "state") == []  # noqa: PTH208 - names are what is compared
    assert all(check.advice for check in found if check.ok is not True)
    assert not any(check.advice for check in found if check.ok)


def test_a_state_directory_that_cannot_be_made_is_one_failed_check(tmp_path: Path, recipe: Recipe) -> None:
    (tmp_path / "file").write_text("in the way")
    unweighted = recipe.model_copy(update={"weights": str(tmp_path / "none.pt")})
    found = {check.name: check for check in doctor(Config(state_directory=tmp_path / "file" / "below"), [unweighted])}
    assert found["state directory"].ok is False
    assert "database" not in found
    assert "metrics port" in found


def test_the_plate_memory_is_reserved_for_real(recipe: Recipe) -> None:
    shape = checks.ring_shape(Config(slots=2), [recipe])
    assert shape is not None
    assert (shape.slots, shape.rows, shape.columns) == (2, recipe.slot_rows, 9777)
    assert checks.ring(Shape(2, 1000, 1000)).ok
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count is what is compared
    unfit = checks.ring(Shape(100_000, 100_000, 100_000))
    assert unfit.ok is False
    assert "fewer slots" in unfit.advice
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_memory_that_is_short_says_what_to_lower(recipe: Recipe) -> None:
    assert checks.memory(Config(slots=2), [recipe]).ok
    short = checks.memory(Config(slots=100_000), [recipe])
    assert short.ok is False
    assert "lower slots" in short.found


def test_a_recipe_of_any_length_has_no_plate_memory() -> None:
    assert checks.ring_shape(Config(), [load_recipe("P10B"), load_recipe("general")]) is None


def test_each_recipe_that_is_loaded_is_looked_at(tmp_path: Path, recipe: Recipe) -> None:
    """A change to one whose weights are gone would be refused; and a slot is as large as the largest needs."""
    other = load_recipe("02CG").model_copy(update={"weights": str(tmp_path / "none.pt"), "classifier": Classifier()})
    shape = checks.ring_shape(Config(), [recipe, other])
    assert shape is not None
    sizes = [(one.slot_rows, one.columns.count) for one in (recipe, other) if one.slot_rows and one.columns]
    assert (shape.rows, shape.columns) == (max(rows for rows, _ in sizes), max(columns for _, columns in sizes))
    plain = recipe.model_copy(update={"classifier": Classifier()})
    found = {check.name: check for check in doctor(Config(state_directory=tmp_path / "state"), [plain, other])}
    assert [name for name in found if "classifier" in name] == ["classifier of P10B", "classifier of 02CG"]
    assert found["known answer of P10B"].ok is True
    assert found["weights of 02CG"].ok is False


def test_more_workers_than_cores_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    assert checks.cores(Config(workers=Workers(count=3))).ok is None


def test_a_disk_too_small_for_the_pictures_is_a_warning(tmp_path: Path) -> None:
    huge = Config(results=Results(retention=Retention(most_gb=1e6)))
    assert checks.disk_space(huge, tmp_path).ok is None
    assert checks.disk_space(Config(results=Results(retention=Retention(most_gb=1e-9))), tmp_path).ok


def test_the_database_is_checked_and_stays_as_it_is(tmp_path: Path) -> None:
    path = store_path(tmp_path)
    with Store.open(path) as store:
        store.begin_run(RunFacts("a" * 32, "P10B", simulated=True))
        store.seen("a" * 32, 1, datetime.now(UTC))
        store.end_run()
    check = checks.database(tmp_path)
    assert check.ok
    assert "1 plates" in check.found
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    path.write_bytes(b"no database" * 1000)
    broken = checks.database(tmp_path)
    assert broken.ok is False
    assert "no SQLite database: the next start of the service sets it aside" in broken.advice


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        ("UPDATE plates SET verdict = 'OK' WHERE plate = 2", "changed since they were written: plate 2"),
        (
            "UPDATE plates SET reason = CAST(x'ff41' AS TEXT) WHERE plate = 2",
            "changed since they were written: plate 2",
        ),
        ("UPDATE defects SET score = 0.1 WHERE plate = 2", "changed since they were written: plate 2"),
        ("DELETE FROM defects WHERE plate = 2", "changed since they were written: plate 2"),
        ("DELETE FROM plates WHERE plate = 2", "1 plates were deleted by somebody else than linesentry"),
    ],
)
def test_a_verdict_that_somebody_changed_or_took_away_is_not_sound(tmp_path: Path, harm: str, finding: str) -> None:
    path = store_path(tmp_path)
    with Store.open(path) as store:
        store.begin_run(RunFacts("a" * 32, "P10B", simulated=True))
        for plate in (1, 2, 3):
            store.commit_verdict(replace(CRACKED, plate=plate), decided_at=datetime.now(UTC))
            store.set_pictures(plate, tmp_path / "pictures" / str(plate))
        store.end_run()
    assert checks.database(tmp_path).ok
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(harm)
        connection.commit()
    check = checks.database(tmp_path)
    assert (check.ok, finding in check.found) == (False, True), check.found


def test_a_store_that_is_gone_or_older_than_the_journal_is_not_sound(tmp_path: Path) -> None:
    path = store_path(tmp_path)
    facts = RunFacts("a" * 32, "P10B", simulated=True)
    with Store.open(path) as store:
        store.begin_run(facts)
        store.commit_verdict(CRACKED, decided_at=datetime.now(UTC))
        store.end_run()
    with closing(Journal(journal_path(tmp_path), facts, 0, time.monotonic)) as journal:
        for plate in (1, 2, 3):
            journal.seen(plate, datetime.now(UTC))
        for plate in (1, 2):
            journal.final(plate, Verdict.NG)
    check = checks.database(tmp_path)
    assert check.ok is False
    assert "has lost the verdicts of plate 2:" in check.found
    path.unlink()
    gone = checks.database(tmp_path)
    assert (gone.ok, "numbers up to 3 were given" in gone.found) == (False, True)


def test_weights_must_be_those_of_their_card(tmp_path: Path, recipe: Recipe) -> None:
    weights, card = tmp_path / "own.pt", tmp_path / "own.json"
    own = recipe.model_copy(update={"weights": str(weights)})
    assert "own.pt" in checks.weight_file(own).found
    torch.save({}, weights)
    assert "own.json" in checks.weight_file(own).found
    card.write_text("[]")
    assert "no model card" in checks.weight_file(own).found
    card.write_text(json.dumps({"sha256": "0" * 64}))
    assert "its card says 000000000000" in checks.weight_file(own).found
    card.write_text(json.dumps({"sha256": hashlib.sha256(weights.read_bytes()).hexdigest(), "resolution": "half"}))
    assert checks.weight_file(own).ok
    assert checks.known_answer(Config(), own).ok is False  # the right file, but no network in it


def test_the_detector_that_ships_gives_its_known_answer(recipe: Recipe) -> None:
    assert checks.weight_file(recipe).ok
    assert checks.known_answer(Config(), recipe) == Check("known answer", ok=True, found=ANY)


def test_a_port_in_use_is_a_warning() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert checks.metrics_port(Config(telemetry=Telemetry(port=port))).ok is None
    assert checks.metrics_port(Config(telemetry=Telemetry(port=port))).ok
    assert checks.metrics_port(Config(telemetry=Telemetry(port=0))).ok


def test_a_notify_socket_must_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert checks.notify_socket().ok
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    assert checks.notify_socket().ok is False
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    assert checks.notify_socket().ok is False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        assert checks.notify_socket().ok


def test_the_table_names_what_failed() -> None:
    out = StringIO()
    rows = [Check("a", ok=True, found="fine"), Check("b", ok=None, found="[odd]"), Check("c", ok=False, found="no")]
    Console(file=out, width=100).print(doctor_table(rows))
    for text in ("ok", "warning", "FAILED", "[odd]"):
        assert text in out.getvalue()


def test_a_classifier_that_is_asked_for_must_be_there_and_compute_right(tmp_path: Path, recipe: Recipe) -> None:
    assert checks.classifier(Config(), recipe).ok
    weights = untrained(tmp_path)
    ready = Config(classify=Classify(device="cpu", dtype="float32", weights=weights))
    asking = recipe.model_copy(update={"classifier": Classifier(mode="annotate")})
    check = checks.classifier(ready, asking)
    assert check.ok
    assert "annotate: right, resnet18 on cpu" in check.found
    weights.write_bytes(b"something else")
    # Only where a defect needs its answer, or the file is missing, is it a fault that the line cannot work with.
    assert checks.classifier(ready, asking).ok is None
    missing = Config(classify=Classify(weights=tmp_path / "none.pt"))
    assert checks.classifier(missing, asking).ok is False
    strict = recipe.model_copy(update={"classifier": Classifier(mode="confirm")})
    check = checks.classifier(ready, strict)
    assert check.ok is False
    assert "one of them was changed" in check.found
