"""Seeds in a row keep every promise, and faults of former versions are found when they are put back."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable

import pytest

from daemon.lab.faults import history
from daemon.lab.faults.campaign import SHEETS, SimulateFaults, run_campaign
from daemon.lab.faults.schedule import Fault, Kind, Schedule, Setting
from daemon.lab.faults.simulate import simulate
from daemon.service.roles.record import RecordProcess
from daemon.store.results import Store, StoreError
from stages import leases
from stages.tile import WindowLedger
from tests.command import linesentry


def test_no_promise_is_broken_by_these_seeds() -> None:
    report = run_campaign(SimulateFaults(seed=200, plates=3 * SHEETS))
    assert report.broken == [], report.schedule
    assert report.plates >= 3 * SHEETS - 3
    assert len(report.faults) > 5


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_no_promise_is_broken_by_new_seeds_for_ten_minutes() -> None:
    report = run_campaign(SimulateFaults(seconds=600))
    assert report.broken == [], f"seed {report.broken_seed}: {report.schedule}"


def lost_lease(patch: pytest.MonkeyPatch) -> None:
    """Before c55a557: a lease that got lost on its way was never given to a lone worker again."""
    patch.setattr(leases, "CONFIRM_S", math.inf)


def lost_results(patch: pytest.MonkeyPatch) -> None:
    """Before 1810e35: windows whose results never came were forgotten once their worker was done with them."""
    patch.setattr(WindowLedger, "_drop_finished", lambda _ledger, _which: [])


def open_plates_untold(patch: pytest.MonkeyPatch) -> None:
    """Before the simulation: a tile process that joined while the store failed was never told of the open plates."""
    tell = RecordProcess._tell_seen

    def once(self: RecordProcess, store: Store, now: float) -> None:
        try:
            tell(self, store, now)
        except StoreError:
            self._tell_seen_at = math.inf

    patch.setattr(RecordProcess, "_tell_seen", once)


def struck(seed: int, *kinds: tuple[Kind, str]) -> Schedule:
    """A small line with a lone worker, and six faults of these kinds by chance."""
    chance = random.Random(seed)
    setting = Setting(seed, 8, workers=1, live=False, output=False)
    chosen = [(0.6 + 2.5 * chance.random(), *chance.choice(kinds)) for _ in range(6)]
    return Schedule(setting, tuple(Fault(at, kind, who, 3) for at, kind, who in sorted(chosen)))


SEEDS = 10
"""Within so many, each fault of a former version is found."""


@pytest.mark.parametrize(
    ("put_back", "kinds"),
    [
        (lost_lease, [("garble", "detect-0>leases")]),
        (lost_results, [("garble", "detect-0>results")]),
        (open_plates_untold, [("kill", "tile-0"), ("store fails", "full")]),
    ],
)
def test_a_fault_of_a_former_version_is_found_and_only_where_it_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
    put_back: Callable[[pytest.MonkeyPatch], None],
    kinds: list[tuple[Kind, str]],
) -> None:
    with monkeypatch.context() as patch:
        put_back(patch)
        tried = ((seed, simulate(struck(seed, *kinds)).broken) for seed in range(SEEDS))
        found, broken = next((one for one in tried if one[1]), (None, ()))
    assert found is not None
    assert "open for ever" in broken[0]
    assert simulate(struck(found, *kinds)).broken == ()


def test_a_broken_promise_ends_a_campaign_with_its_seed_and_the_shortest_schedule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "_all_over", lambda _history: ["a promise"])
    report = run_campaign(SimulateFaults(seed=3, plates=3 * SHEETS))
    assert (report.broken_seed, report.seeds) == (3, 1)
    assert report.broken == ["a promise"]
    assert report.schedule.startswith("Setting(seed=3")


def test_the_command_says_what_it_has_simulated() -> None:
    answer = linesentry("simulate-faults", "--seed", "3", "--plates", "1", "--json")
    assert answer.returncode == 0, answer.stdout
    told = json.loads(answer.stdout)
    assert (told["first_seed"], told["seeds"], told["broken_seed"]) == (3, 1, None)
