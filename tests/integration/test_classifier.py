"""The classify process killed, stopped and lost: each plate has its verdict in time, and says so."""

from __future__ import annotations

import hashlib
import shutil
import signal
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemon.service.control import Question, ask
from daemon.store.results import PlateRow
from models.classifier.networks import make
from models.training.classifier.card import write_weights
from stages.plate import Cause, Verdict
from tests.classifier_weights import untrained
from tests.integration.conftest import SHEETS, SLOTS, Service, substance

Make = Callable[..., Service]
Undisturbed = Callable[[int], dict[str, Any]]
PATIENT_S = 60.0
"""Where each answer is to be waited for."""
MOST_VETOED = {"veto_below": 0.5, "veto_most_score": 0.85}
"""What weights that take nothing for a crack say of any crop is a veto, but where the detector is sure."""


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"), doubt=3.0)


@pytest.fixture
def classifying(service: Make, weights: Path) -> Make:
    """Makes services that ask a classifier."""

    def make(mode: str, deadline_s: float, **sections: Any) -> Service:
        rule = MOST_VETOED if mode == "veto" else {}
        return service(
            recipe={"classifier": {"mode": mode, "deadline_s": deadline_s, **rule}},
            classify={"device": "cpu", "dtype": "float32", "weights": str(weights), "views": ["identity"]},
            **sections,
        )

    return make


def without_classifier(row: dict[str, Any]) -> dict[str, Any]:
    """What the classifier says nothing about."""
    plain = {
        key: value for key, value in row.items() if key not in ("classifier", "classifier_sha256", "recipe_sha256")
    }
    said = ("probability", "vetoed", "unanswered")
    defects = [{key: value for key, value in defect.items() if key not in said} for defect in plain["defects"]]
    return plain | {"defects": defects}


def same(rows: dict[int, PlateRow], undisturbed: Undisturbed) -> bool:
    """Whether annotations are all that the classifier has added."""
    return all(
        without_classifier(substance(row)) == without_classifier(undisturbed(plate)) for plate, row in rows.items()
    )


def all_vetoed(rows: dict[int, PlateRow]) -> bool:
    """Whether the classifier has kept every defect from its plate of which the detector is not sure."""
    sure = MOST_VETOED["veto_most_score"]
    return any(defect.vetoed for row in rows.values() for defect in row.defects) and all(
        (row.verdict is Verdict.OK) == all(defect.vetoed for defect in row.defects)
        and all(defect.vetoed == (defect.score <= sure) for defect in row.defects)
        for row in rows.values()
    )


def restarted(one: Service, name: str, before: int) -> bool:
    return one.children().get(name, before) != before


def has_finals(one: Service, count: int) -> bool:
    return len(one.finals()) >= count


def health(one: Service) -> str:
    """What is said to those who ask for it, also where not all is well."""
    address = one.logged("service starts")[0]["metrics"].replace("/metrics", "/healthz")
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


@pytest.mark.parametrize("mode", [pytest.param("annotate", marks=pytest.mark.long), "veto"])
def test_a_classifier_killed_at_work_is_asked_again_and_costs_nothing(
    classifying: Make, undisturbed: Undisturbed, mode: str
) -> None:
    # Of seed 6 the detector is sure of one sheet's defect, and of two it is not.
    seed = {"simulator": {"seed": 6}} if mode == "veto" else {}
    one = classifying(mode, PATIENT_S, results={"pictures": True}, **seed)
    one.start(3 * SHEETS)
    for finals in (1, SHEETS):
        one.wait_for(partial(has_finals, one, finals))
        pid = one.kill("classify-0")
        one.wait_for(partial(restarted, one, "classify-0", pid))
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert sorted(rows) == list(range(1, 3 * SHEETS + 1))
    assert same(rows, undisturbed) if mode == "annotate" else all_vetoed(rows)
    assert {row.classifier for row in rows.values()} == {mode}
    chances = {plate: [defect.probability for defect in row.defects] for plate, row in rows.items()}
    assert all(0.0 <= chance <= 1.0 for found in chances.values() for chance in found if chance is not None)
    assert None not in [chance for found in chances.values() for chance in found]
    for plate, found in chances.items():
        assert found == pytest.approx(chances[(plate - 1) % SHEETS + 1], abs=1e-4)
    defect = next(row for row in rows.values() if row.defects)
    assert defect.pictures is not None
    assert (one.state / defect.pictures / "defect-001-heat.png").stat().st_size > 0
    assert len(one.logged("process ended", process="classify-0", reason="died")) == 2


@pytest.mark.parametrize("mode", [pytest.param("annotate", marks=pytest.mark.long), "veto"])
def test_a_classifier_that_hangs_delays_no_verdict_beyond_its_deadline(
    classifying: Make, undisturbed: Undisturbed, mode: str
) -> None:
    """And where it could veto, its silence does not."""
    one = classifying(mode, 0.2, restart={"hang_s": 3.0})
    one.start()
    one.wait_for(lambda: one.logged("classifier ready"))
    one.kill("classify-0", signal.SIGSTOP)
    before = len(one.finals())
    # It goes on while the classifier stands still, and does not wait for its restart.
    one.wait_for(lambda: len(one.finals()) >= before + SHEETS)
    one.wait_for(lambda: one.logged("process ended", process="classify-0", reason="hang"))
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    late = {plate: row for plate, row in rows.items() if row.classifier != mode}
    assert late
    assert all(str(row.classifier).startswith(f"{mode}, late: ") for row in late.values())
    assert any(defect.unanswered for row in late.values() for defect in row.defects)
    unheard = {plate: row for plate, row in late.items() if all(d.probability is None for d in row.defects)}
    assert unheard
    assert same(rows if mode == "annotate" else unheard, undisturbed)


@pytest.mark.long
def test_a_classifier_that_keeps_dying_is_lost_and_the_line_goes_on_without_it(
    service: Make, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Weights that cannot be loaded, as after a wrong installation; with the mode that ships."""
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    one = service(
        recipe={"classifier": {"mode": "veto", "deadline_s": 0.2}},
        classify={"weights": str(tmp_path / "broken.pt")},
        restart={"budget": 1},
    )
    one.start()
    lost = "role lost: plates are decided without it"
    one.wait_for(lambda: one.logged(lost, role="classify"))
    before = max(one.finals(), default=0)
    one.wait_for(lambda: max(one.finals(), default=0) > before + 2 * SHEETS)
    assert "role classify is lost" in health(one)
    pid = one.kill("merge-0")
    one.wait_for(lambda: restarted(one, "merge-0", pid))
    before = max(one.finals())
    one.wait_for(lambda: max(one.finals()) > before + 2 * SHEETS)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    rows = one.verdicts()
    assert same(rows, undisturbed)
    last = list(rows.values())[-SHEETS:]
    assert all(str(row.classifier).startswith("veto, absent") for row in last)
    assert not any(Cause.ROLE_LOST in row.causes for row in rows.values())


@pytest.mark.long
def test_replaced_weights_of_a_classifier_answer_from_a_reload_on_and_not_before(
    service: Make, weights: Path, tmp_path: Path
) -> None:
    """Nor where its process is started anew. Each plate is answered by the classifier that its result names."""
    own = tmp_path / "own"
    shutil.copytree(weights.parent, own)
    one = service(
        recipe={"classifier": {"mode": "annotate", "deadline_s": PATIENT_S}},
        classify={"device": "cpu", "dtype": "float32", "weights": str(own / weights.name), "views": ["identity"]},
        restart={"budget": 1},
    )
    before = hashlib.sha256((own / weights.name).read_bytes()).hexdigest()
    one.start()
    one.wait_for(lambda: one.logged("classifier ready"))
    write_weights(own, make("mobilenet_v2").eval().state_dict(), "mobilenet_v2", {})
    after = hashlib.sha256((own / weights.name).read_bytes()).hexdigest()
    pid = one.kill("classify-0")
    one.wait_for(lambda: restarted(one, "classify-0", pid))
    finals = max(one.finals(), default=0)
    one.wait_for(lambda: max(one.finals(), default=0) > finals + SLOTS)
    answer = ask(one.state, Question("reload"), 60.0)
    assert answer["outcome"] == "changed", answer
    first = answer["first_plate"]
    one.wait_for(lambda: max(one.finals()) > first + SHEETS)
    one.send(signal.SIGTERM)
    assert one.finish() == 0, one.stderr()
    assert len(one.logged("process ended")) == 1
    rows = one.verdicts()
    assert all(row.classifier_sha256 == (before if plate < first else after) for plate, row in rows.items())
    chances: dict[tuple[str | None, int], list[float]] = {}
    for plate, row in rows.items():
        if row.defects and row.classifier == "annotate":
            said = [defect.probability or 0.0 for defect in row.defects]
            chances.setdefault((row.classifier_sha256, (plate - 1) % SHEETS), said)
            assert said == pytest.approx(chances[row.classifier_sha256, (plate - 1) % SHEETS], abs=1e-4), plate
    sheets = {sheet for weights_of, sheet in chances if weights_of == before} & {
        sheet for weights_of, sheet in chances if weights_of == after
    }
    assert sheets
    for sheet in sheets:
        assert chances[before, sheet] != pytest.approx(chances[after, sheet], abs=1e-3)
