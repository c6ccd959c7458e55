"""Ids go to exactly the sheet that they were given for, or to none; alarms stand until they are reset."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stages.plc import Alarms, Answers, Asked, ChangeAnswer, IdsAnswer, Part, PartIds, RecipeAsked, ResetAnswer, Trouble


def given(plate: int, part_id: str | None = "A1", batch_id: str | None = "B1", at: float = 1.0) -> Asked:
    return Asked(at, plate, part_id, batch_id)


def asked(*said: Asked | None, next_plate: int = 7) -> PartIds:
    ids = PartIds(next_plate)
    for one in said:
        ids.asked(one)
        ids.validate()
    return ids


def test_ids_that_stand_before_the_sheet_comes_are_its_own_and_no_other_sheets() -> None:
    ids = asked(given(7))
    assert ids.answer == (7, IdsAnswer.TAKEN)
    assert ids.came(7, 2.0) == Part("A1", "B1")
    assert ids.answer == (7, IdsAnswer.USED)
    assert ids.came(8, 3.0) == Part(unknown="the PLC gave none before the sheet came")


def test_ids_that_may_have_been_read_after_the_sheet_began_are_not_its_own() -> None:
    late = "the PLC gave them too late: the sheet may have come before"
    for not_before in (1.0, 0.5, None):
        ids = asked(given(7, at=1.0))
        assert ids.came(7, not_before) == Part(unknown=late)
        assert ids.answer == (7, IdsAnswer.TOO_LATE)
        assert ids.came(8, 9.0).part_id is None


def test_ids_that_come_after_their_sheet_go_to_none() -> None:
    ids = asked(given(0))
    assert ids.came(7, 2.0).unknown == "the PLC gave none before the sheet came"
    ids.asked(given(7, at=3.0))
    assert ids.answer == (7, IdsAnswer.TOO_LATE)
    assert ids.came(8, 4.0).part_id is None


def test_a_number_that_jumps_ahead_is_refused_and_stays_so_when_its_plate_is_the_next() -> None:
    ids = asked(given(8))
    assert ids.answer == (8, IdsAnswer.TOO_EARLY)
    ids.came(7, 2.0)
    ids.asked(given(8, at=3.0))
    ids.asked(None)
    ids.asked(given(8, at=4.0))
    assert ids.answer == (8, IdsAnswer.TOO_EARLY)
    assert ids.came(8, 5.0).unknown == "the PLC gave them too early, before the number was the next"


@pytest.mark.parametrize("other", [given(7, "A2"), given(7, "A1", "B2"), given(7, None), given(7, "", "")])
def test_two_wordings_for_one_sheet_leave_it_without_ids_and_a_third_does_not_help(other: Asked) -> None:
    ids = asked(given(7), other)
    assert ids.answer == (7, IdsAnswer.OTHERS)
    ids.asked(given(7))
    assert ids.came(7, 2.0).unknown == "the PLC gave two wordings for one sheet"


def test_ids_that_are_taken_back_may_be_given_anew() -> None:
    ids = asked(given(7), given(0), given(7, "A2", at=3.0))
    assert ids.answer == (7, IdsAnswer.TAKEN)
    assert ids.came(7, 4.0) == Part("A2", "B1")


def test_the_texts_of_the_next_sheet_may_be_written_before_its_number() -> None:
    ids = asked(given(7))
    ids.came(7, 2.0)
    ids.asked(given(7, "A2", at=3.0))
    assert ids.answer == (7, IdsAnswer.USED)
    ids.asked(given(8, "A2", at=4.0))
    assert ids.came(8, 5.0) == Part("A2", "B1")


def test_a_part_id_is_given_to_one_sheet_alone() -> None:
    ids = asked(given(7))
    ids.came(7, 2.0)
    ids.asked(given(8, at=3.0))
    assert ids.answer == (8, IdsAnswer.GIVEN)
    assert ids.came(8, 4.0).unknown == "the PLC gave part id A1, which plate 7 has"


def test_part_ids_of_before_a_restart_are_given_already_and_a_shared_one_never_is() -> None:
    ids = PartIds(7, {"A0": 5, "A1": 6, "GOLDEN": 4}, shared="GOLDEN")
    ids.asked(given(7))
    assert ids.answer == (7, IdsAnswer.GIVEN)
    assert ids.came(7, 2.0).unknown == "the PLC gave part id A1, which plate 6 has"
    for plate in (8, 9):
        ids.asked(given(plate, "GOLDEN", at=3.0))
        assert ids.came(plate, 4.0) == Part("GOLDEN", "B1")
        ids.validate()


@pytest.mark.parametrize("unreadable", [given(7, None), given(7, "A1", None), given(7, "", "")])
def test_what_cannot_be_read_is_no_id(unreadable: Asked) -> None:
    ids = asked(unreadable)
    assert ids.answer == (7, IdsAnswer.UNREADABLE)
    assert ids.came(7, 2.0).unknown == "what the PLC gave is empty, or no printable ASCII"


def test_a_batch_alone_is_enough() -> None:
    assert asked(given(7, "")).came(7, 2.0) == Part(None, "B1")


def test_ids_stand_only_while_the_plc_can_be_read() -> None:
    ids = asked(given(7), None)
    assert ids.answer[1] is None
    assert ids.came(7, 2.0) == Part(unknown="the PLC could not be read")
    ids.asked(given(8, "A2", at=3.0))
    ids.asked(None)
    ids.asked(given(8, "A3", at=4.0))
    assert ids.answer == (8, IdsAnswer.OTHERS), "another wording after a cut is a second one"


def test_after_a_cut_the_same_ids_are_read_anew_and_used_ones_stay_used() -> None:
    ids = asked(given(7), None, given(7, at=5.0))
    assert ids.came(7, 4.0).unknown == "the PLC gave them too late: the sheet may have come before"
    ids.asked(given(8, "A2", at=6.0))
    assert ids.came(8, 7.0) == Part("A2", "B1")
    ids.asked(None)
    ids.asked(given(8, "A2", at=8.0))
    assert ids.answer == (8, IdsAnswer.USED)


def test_a_number_that_the_switch_bounced_over_leaves_the_ids_to_the_sheet_that_came() -> None:
    assert asked(given(7)).came(9, 2.0) == Part("A1", "B1")


def test_numbers_go_round_at_32_bit() -> None:
    ids = asked(given(1), next_plate=(1 << 32) + 1)
    assert ids.came((1 << 32) + 1, 2.0) == Part("A1", "B1")
    ids.asked(given(0xFFFF_FFFF, "A2"))
    assert ids.answer == (0xFFFF_FFFF, IdsAnswer.TOO_LATE)


def test_an_alarm_stands_until_it_is_reset_and_a_trouble_that_stands_cannot_be() -> None:
    alarms = Alarms()
    alarms.look([Trouble.CAMERA, Trouble.STARTING, Trouble.NO_SLOT])
    assert alarms.standing == {Trouble.CAMERA}
    assert alarms.asked(3) is not None
    assert alarms.answer == (3, ResetAnswer.STANDS)
    alarms.look([])
    assert alarms.standing == {Trouble.CAMERA}
    assert alarms.asked(3) is None, "the same number asks once"
    assert sorted(alarms.asked(4) or ()) == [Trouble.CAMERA]
    assert alarms.answer == (4, ResetAnswer.DONE)
    assert alarms.standing == frozenset()
    assert alarms.asked(0) is None
    assert alarms.answer[1] is None


def wants(number: int, recipe: str | None = "U20B") -> Asked:
    return Asked(0.0, change=number, recipe=recipe)


def test_a_change_of_the_recipe_is_asked_for_once_and_only_its_own_answer_counts() -> None:
    recipe = RecipeAsked()
    assert recipe.asked(wants(5), 1.0) == "U20B"
    assert recipe.asked(wants(5), 9.0) is None
    assert not recipe.answered(4, "U20B", 9, "")
    assert recipe.answered(5, "U20B", None, "recipe U20B is not loaded")
    assert (recipe.answer, recipe.first_plate, recipe.why) == (ChangeAnswer.REFUSED, 0, "recipe U20B is not loaded")
    assert recipe.asked(wants(6), 9.0) == "U20B"
    assert recipe.answered(6, "U20B", 9, "")
    assert (recipe.answer, recipe.first_plate, recipe.why) == (ChangeAnswer.DONE, 9, "")
    assert recipe.asked(wants(0), 9.0) is None
    assert (recipe.number, recipe.answer) == (0, None)


def test_changes_that_come_without_end_are_asked_for_one_after_the_other_and_not_too_often() -> None:
    recipe = RecipeAsked()
    asked = []
    for step in range(100):
        now = 1.0 + 0.05 * step
        name = recipe.asked(wants(step + 1, f"R{step}"), now)
        if name is not None:
            asked.append((name, step))
        elif recipe.answer is None and step - asked[-1][1] > 9:
            recipe.answered(recipe.number, asked[-1][0], step, "")
    assert [name for name, _ in asked] == [f"R{step}" for _, step in asked]
    assert len(asked) == 5
    assert recipe.asked(wants(700), 50.0) == "U20B"
    assert recipe.asked(wants(701), 99.0) is None, "the one before is not answered yet"
    recipe.answered(700, "U20B", 7, "")
    assert recipe.asked(wants(701), 99.0) == "U20B"


def test_the_answer_to_a_change_that_was_taken_back_is_none_to_the_next_one_of_that_number() -> None:
    recipe = RecipeAsked()
    assert recipe.asked(wants(1, "P10B"), 1.0) == "P10B"
    assert recipe.asked(wants(0), 1.1) is None
    assert recipe.asked(wants(1, "02CG"), 9.0) is None, "the one before is not answered yet"
    assert not recipe.answered(1, "P10B", 7, "")
    assert (recipe.answer, recipe.first_plate) == (None, 0)
    assert recipe.asked(wants(1, "02CG"), 9.1) == "02CG"
    assert recipe.answered(1, "02CG", 9, "")
    assert (recipe.answer, recipe.first_plate) == (ChangeAnswer.DONE, 9)


@pytest.mark.parametrize("name", ["", None])
def test_a_recipe_without_a_readable_name_is_not_asked_for(name: str | None) -> None:
    recipe = RecipeAsked()
    assert recipe.asked(wants(5, name), 1.0) is None
    assert recipe.answer is ChangeAnswer.UNREADABLE


def test_nobody_is_ready_before_a_number_is_known_and_what_does_not_matter_to_the_next_plate_does_not() -> None:
    assert not Answers().ready
    assert Answers(next_plate=1).ready
    assert Answers(next_plate=1, troubles=(Trouble.ATTENTION,)).ready
    assert not Answers(next_plate=1, troubles=(Trouble.ATTENTION, Trouble.STORE_FAILS)).ready


class AnyPlc(RuleBasedStateMachine):
    """A PLC that writes whatever it likes, whenever; the line goes on.

    What it wrote, and when sheets began, is known here alone: it says which ids may belong to which sheet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now, self.plate = 10.0, 5
        self.ids = PartIds(self.plate)
        self.stands: Asked | None = None
        self.readable = True
        self.history: list[tuple[float, Asked | None]] = [(self.now, None)]
        self.owners: dict[str, int] = {}

    def read(self) -> None:
        self.now += 1.0
        stands = self.stands or Asked(self.now)
        found = Asked(self.now, stands.plate, stands.part_id, stands.batch_id) if self.readable else None
        self.history.append((self.now, found))
        self.ids.asked(found)

    @rule(ahead=st.integers(-3, 3), part=st.sampled_from(["A", "B", "C", "", None]), batch=st.sampled_from(["", "X"]))
    def writes(self, ahead: int, part: str | None, batch: str) -> None:
        self.stands = Asked(0.0, self.plate + ahead, part, batch)
        self.read()

    @rule(number=st.integers(1, 3))
    def gives_a_new_one(self, number: int) -> None:
        self.stands = Asked(0.0, self.plate, f"P{number}", "X")
        self.read()

    @rule()
    def takes_back(self) -> None:
        self.stands = None
        self.read()

    @rule()
    def is_cut_off_or_comes_back(self) -> None:
        self.readable = not self.readable
        self.read()

    @rule()
    def is_read_again(self) -> None:
        self.read()

    @rule(ago=st.floats(0.0, 4.0), known=st.booleans(), bounces=st.integers(0, 1))
    def a_sheet_comes(self, ago: float, known: bool, bounces: int) -> None:
        began, number = self.now - ago, self.plate
        part = self.ids.came(number + bounces, began if known else None)
        self.plate = number + bounces + 1
        assert (part.unknown is None) == (part.part_id is not None or part.batch_id is not None)
        if part.unknown is not None:
            return
        assert known
        before = [found for at, found in self.history if at < began]
        since = [found for at, found in self.history if at >= began]
        for found in (before[-1], *since):
            assert found is not None, "the ids did not stand when the sheet began, or could not be read since"
            assert found.plate == number, "they were given for another sheet"
            assert (found.part_id or None, found.batch_id or None) == (part.part_id, part.batch_id)
        if part.part_id is not None:
            assert self.owners.setdefault(part.part_id, number) == number, "an id belongs to two sheets"

    @invariant()
    def it_holds(self) -> None:
        self.ids.validate()


AnyPlc.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestAnyPlc = AnyPlc.TestCase
