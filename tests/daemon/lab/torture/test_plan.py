"""The plan of a torture: the seed draws it, and every fault meets every process in turn."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from daemon.lab.torture.place import Place
from daemon.lab.torture.plan import chance_of, not_tried, planned
from daemon.lab.torture.strikes import PROCESSES

OWN, SHARED = Place(Path("/nowhere"), own=True), Place(Path("/nowhere"), own=False, why_not="only root can mount")
ROUND = 120


def drawn(seed: int, place: Place = OWN, most: int = ROUND) -> list[tuple[str, tuple[str, ...], bool]]:
    return [(one.fault, one.names, one.then_at_once) for one in islice(planned(chance_of(seed), place), most)]


def test_a_seed_draws_the_same_plan_again_and_another_one_another() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_each_process_is_killed_stopped_and_hung_in_a_round_and_pairs_and_the_supervisor_too() -> None:
    found = drawn(5)
    for fault in ("kill", "stop", "hang"):
        assert {names for name, names, _ in found if name == fault} >= {(one,) for one in PROCESSES}
    assert all(len(set(names)) == 2 for fault, names, _ in found if fault.endswith("a pair"))
    assert {"kill the supervisor", "suspend all", "delete the store", "kill a pair"} <= {fault for fault, _, _ in found}


def test_what_this_machine_does_not_allow_is_named_as_not_tried_and_never_planned() -> None:
    lacking = not_tried(SHARED)
    assert lacking["fill the disk"] == "only root can mount"
    assert not {fault for fault, _, _ in drawn(3, SHARED)} & set(lacking)
    assert "clock steps" in not_tried(OWN)
    assert "fill the disk" not in not_tried(OWN)
    assert "fill the disk" in {fault for fault, _, _ in drawn(3)}
