"""Which plates are archived, and that no line waits for evidence unless it was told to."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from config.schema import Archive, Recipe
from stages.archive import (
    COPY_S,
    ENOUGH_S,
    ArchiverJoined,
    Archiving,
    Choice,
    Choices,
    Chosen,
    Event,
    Instruction,
    LeftOut,
    LetGo,
    Shortage,
    Tick,
)
from stages.events import (
    ArchiveInStep,
    ArchiveLacks,
    ArchivePlate,
    ArchiverLost,
    Place,
    PlateArchived,
    PlateCopied,
    PlateNotArchived,
)
from stages.plate import Defect, PlateResult, Verdict

RESULT = PlateResult("a" * 32, 1, Verdict.OK, (), "", True, 900, 800, 1, 1, 1.0)


def order(plate: int) -> ArchivePlate:
    return ArchivePlate(plate, Place(plate % 3, plate, 800), 900, Verdict.NG, {})


def doubtful(chance: float, *warnings: str) -> PlateResult:
    vetoed = Defect(1, 2, 3, 4, 5, 0.9, 2, 3, edge=False, probability=chance, vetoed=True)
    return replace(RESULT, defects=(vetoed,), warnings=warnings)


# --- the choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [Verdict.NG, Verdict.INCONCLUSIVE])
def test_what_is_not_ok_is_archived_unless_its_verdict_is_left_out(verdict: Verdict) -> None:
    result = replace(RESULT, verdict=verdict)
    assert Choice(Archive()).takes(result)
    assert not Choice(Archive(verdicts=(), ok="every", ok_every=1)).takes(result)


def test_no_ok_plate_is_archived_by_default() -> None:
    assert not Choice(Archive()).takes(doubtful(0.4, "dim"))


def test_every_third_ok_plate_is_counted_among_the_ok_ones_alone() -> None:
    choice = Choice(Archive(ok="every", ok_every=3))
    bad = replace(RESULT, verdict=Verdict.NG)
    taken = [(choice.takes(RESULT), choice.takes(bad)) for _ in range(7)]
    assert [ok for ok, _ in taken] == [True, False, False, True, False, False, True]


def test_the_least_sure_is_more_doubtful_than_as_many_before_it() -> None:
    choice = Choice(Archive(ok="least sure", ok_every=3))
    chances = [0.2, 0.1, 0.3, 0.3, 0.25, 0.31, 0.1, 0.1, 0.2]
    assert [choice.takes(doubtful(one)) for one in chances] == [
        True,
        False,
        True,
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_of_equal_chances_the_one_with_warnings_is_less_sure_and_what_is_sure_is_never_taken() -> None:
    choice = Choice(Archive(ok="least sure", ok_every=50))
    assert not choice.takes(RESULT)
    assert choice.takes(replace(RESULT, warnings=("dim",)))
    assert not choice.takes(RESULT)


def of_recipe(name: str, **own: object) -> Recipe:
    return Recipe.model_validate({"name": name, "archive": own})


def test_a_recipe_has_its_own_share_of_its_ok_plates_and_without_one_that_of_the_service() -> None:
    choices = Choices(Archive(ok="every", ok_every=2))
    recipes = of_recipe("none", ok="none"), of_recipe("third", ok_every=3), of_recipe("plain")
    taken = [[choices.takes(RESULT, recipe) for recipe in recipes] for _ in range(4)]
    assert [list(of_one) for of_one in zip(*taken, strict=True)] == [
        [False, False, False, False],
        [True, False, False, True],
        [True, False, True, False],
    ]
    assert choices.takes(replace(RESULT, verdict=Verdict.NG), of_recipe("none", ok="none"))


def test_a_changed_recipe_has_its_new_share_from_its_first_plate_on() -> None:
    choices = Choices(Archive())
    shares: list[dict[str, object]] = [{}, {"ok": "every", "ok_every": 1}, {"ok": "least sure"}, {}]
    taken = [choices.takes(RESULT, of_recipe("plate", **own)) for own in shares for _ in range(2)]
    assert taken == [False, False, True, True, False, False, False, False]


# --- on their way ----------------------------------------------------------------------------------------------------


def test_a_slot_is_let_go_once_its_plate_is_copied_and_the_next_waits_until_the_file_is_written() -> None:
    archiving = Archiving("skip")
    assert archiving.handle(Chosen(order(1)), 0) == [order(1)]
    assert archiving.handle(Chosen(order(2)), 0) == []
    assert archiving.handle(PlateCopied(1), 0) == [LetGo(1)]
    done = PlateArchived(1, 5, "x")
    assert archiving.handle(done, 0) == [done, order(2)]


def test_a_plate_that_waits_is_left_out_as_soon_as_no_slot_is_free() -> None:
    archiving = Archiving("skip")
    for plate in (1, 2, 3):
        archiving.handle(Chosen(order(plate)), 0)
    assert archiving.handle(Tick(free=1), 0) == []
    gone = archiving.handle(Tick(free=0), 0)
    assert [one for one in gone if isinstance(one, LetGo)] == [LetGo(2)]
    assert [one.why for one in gone if isinstance(one, LeftOut)] == ["behind"]
    assert archiving.waiting == 1


def test_an_ok_plate_is_left_out_before_others() -> None:
    archiving = Archiving("skip")
    fine = ArchivePlate(3, Place(0, 3, 800), 900, Verdict.OK, {})
    for one in (order(1), order(2), fine):
        archiving.handle(Chosen(one), 0)
    assert archiving.handle(Tick(free=0), 0)[0] == LetGo(3)


def test_where_the_line_is_to_wait_no_plate_is_left_out() -> None:
    archiving = Archiving("wait")
    for plate in (1, 2):
        archiving.handle(Chosen(order(plate)), 0)
    assert archiving.handle(Tick(free=0), 1000) == []
    assert archiving.waiting == 1


def test_a_copy_that_takes_too_long_keeps_the_last_slot_no_longer_and_its_plate_has_one_outcome() -> None:
    archiving = Archiving("skip")
    archiving.handle(Chosen(order(1)), 0)
    assert archiving.handle(Tick(free=0), COPY_S / 2) == []
    assert archiving.handle(Tick(free=0), 2 * COPY_S) == [LetGo(1)]
    stale = PlateNotArchived(1, "not written", "its slot was given to another")
    assert archiving.handle(stale, 5) == [LeftOut(1, "not written", "its slot was given to another")]


def test_a_new_archiver_gets_what_is_not_copied_again_and_what_was_copied_is_lost() -> None:
    archiving = Archiving("skip")
    archiving.handle(Chosen(order(1)), 0)
    assert archiving.handle(ArchiverJoined(), 1) == [order(1)]
    archiving.handle(PlateCopied(1), 2)
    (left,) = archiving.handle(ArchiverJoined(), 3)
    assert isinstance(left, LeftOut)
    assert (left.plate, left.why) == (1, "not written")


def test_without_an_archiver_no_slot_is_held() -> None:
    archiving = Archiving("wait")
    for plate in (1, 2):
        archiving.handle(Chosen(order(plate)), 0)
    let_go = [one.plate for one in archiving.handle(ArchiverLost(), 1) if isinstance(one, LetGo)]
    assert let_go == [1, 2]
    assert archiving.handle(Chosen(order(3)), 2)[0] == LetGo(3)
    assert not archiving.holds


# --- what is said of it ----------------------------------------------------------------------------------------------


def test_a_full_archive_is_said_once_however_many_plates_are_missing_and_again_for_another_reason() -> None:
    shortage = Shortage()
    assert [shortage.lacks("no room", "full", plate) for plate in range(3)] == [True, False, False]
    assert shortage.news(3) == [ArchiveLacks("full")]
    assert shortage.lacks("behind", "too slow", 4)
    assert not shortage.lacks("no room", "full", 5)
    assert shortage.news(5) == [ArchiveLacks("too slow")]
    assert (shortage.news(5), shortage.missing) == ([], 5)


def test_that_it_works_again_is_said_once_when_a_plate_is_archived_and_none_was_missing_for_a_while() -> None:
    shortage = Shortage()
    assert shortage.news(0) == []
    shortage.lacks("no room", "full", 0)
    shortage.news(0)
    # No plate came: nobody knows whether there is room by now.
    assert shortage.news(10 * ENOUGH_S) == []
    shortage.has()
    shortage.lacks("no room", "full", 10 * ENOUGH_S)
    shortage.has()
    assert shortage.news(11 * ENOUGH_S) == []
    assert shortage.news(11 * ENOUGH_S + 1) == [ArchiveInStep()]
    assert shortage.news(20 * ENOUGH_S) == []
    assert shortage.lacks("no room", "full", 20 * ENOUGH_S)


class Archives(RuleBasedStateMachine):
    """Whatever happens in whatever order: each plate that was chosen lets go of its slot once, and ends once."""

    def __init__(self) -> None:
        super().__init__()
        self.archiving = Archiving("skip")
        self.now = 0.0
        self.plate = 0
        self.with_archiver: dict[int, bool] = {}
        """Plates that the archiver has, and whether it has copied them."""
        self.let_go: list[int] = []
        self.ended: list[int] = []

    def do(self, event: Event) -> None:
        for told in self.archiving.handle(event, self.now):
            self.take(told)

    def take(self, told: Instruction) -> None:
        match told:
            case ArchivePlate(plate):
                self.with_archiver[plate] = False
            case LetGo(plate):
                self.let_go.append(plate)
            case LeftOut(plate) | PlateArchived(plate):
                self.ended.append(plate)

    @rule()
    def choose(self) -> None:
        self.plate += 1
        self.do(Chosen(order(self.plate)))

    @rule(free=st.integers(0, 2), seconds=st.floats(0, 3))
    def pass_time(self, free: int, seconds: float) -> None:
        self.now += seconds
        self.do(Tick(free))
        if free == 0:
            # One slot a look, and the look comes again before the next sheet can.
            for _ in range(self.plate):
                self.do(Tick(0))
            assert self.archiving.waiting == 0

    @precondition(lambda self: False in self.with_archiver.values())
    @rule()
    def copy(self) -> None:
        plate = next(one for one, copied in self.with_archiver.items() if not copied)
        self.with_archiver[plate] = True
        self.do(PlateCopied(plate))

    @precondition(lambda self: self.with_archiver)
    @rule(outcome=st.sampled_from(["archived", "no room", "not written"]))
    def end(self, outcome: Literal["archived", "no room", "not written"]) -> None:
        plate, copied = next(iter(self.with_archiver.items()))
        del self.with_archiver[plate]
        if outcome == "archived" and copied:
            self.do(PlateArchived(plate, 1, "x"))
        else:
            self.do(PlateNotArchived(plate, "no room" if outcome == "no room" else "not written", "why"))

    @rule(lost=st.booleans())
    def die(self, lost: bool) -> None:
        self.with_archiver.clear()
        self.do(ArchiverLost() if lost else ArchiverJoined())

    @invariant()
    def once_each(self) -> None:
        self.archiving.validate()
        assert len(set(self.let_go)) == len(self.let_go)
        assert len(set(self.ended)) == len(self.ended)

    def teardown(self) -> None:
        self.do(ArchiverLost())
        everyone = list(range(1, self.plate + 1))
        assert sorted(self.let_go) == everyone
        assert sorted(self.ended) == everyone


TestArchives = Archives.TestCase
TestArchives.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
