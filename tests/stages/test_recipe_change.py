"""A change of the recipe is whole, or not at all, whatever dies, is late or comes twice."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stages.recipe_change import (
    Begin,
    Begun,
    Done,
    Event,
    Gone,
    Load,
    Order,
    Ready,
    RecipeChange,
    Refuse,
    State,
    Stopping,
    Tick,
    Wanted,
)
from stages.recipes import FIRST, Schedule

ACQUIRE = "acquire-0"
PROCESSES = (ACQUIRE, "detect-0", "detect-1", "merge-0")
LOAD_S = 10.0


class Change:
    """A change that is told one event after the other."""

    def __init__(self, next_plate: int = 5) -> None:
        self.machine = RecipeChange(FIRST, ACQUIRE, LOAD_S)
        self.next_plate, self.now = next_plate, 0.0

    def tell(self, *events: Event) -> list[Order]:
        done = [order for event in events for order in self.machine.handle(event, self.now, self.next_plate)]
        self.machine.validate()
        return done

    def all_ready(self, number: int) -> list[Order]:
        return self.tell(*(Ready(process, number) for process in PROCESSES))


def test_acquisition_is_asked_to_begin_when_the_last_process_is_ready_and_not_before() -> None:
    change = Change()
    asked = change.tell(Wanted((2,), 2, PROCESSES))
    assert asked == [Load(process, 2) for process in PROCESSES]
    assert change.tell(*(Ready(process, 2) for process in PROCESSES[1:])) == []
    change.next_plate = 7
    assert change.tell(Ready(ACQUIRE, 2)) == [Begin(2, 7)]
    assert change.machine.undecided_from == 7
    assert change.tell(Begun(2, 8)) == [Done(2, 8)]
    assert change.tell(Tick()) == []
    assert not change.machine.busy
    assert change.machine.judging == 2


def test_what_cannot_be_loaded_or_dies_while_it_loads_or_takes_too_long_refuses_the_change() -> None:
    for event, why in (
        (Ready("detect-1", 2, "no weights"), "detect-1: no weights"),
        (Gone("detect-1", 9), "detect-1 ended while it was loading"),
        (Stopping(), "the service stops"),
    ):
        change = Change()
        change.tell(Wanted((2,), 2, PROCESSES))
        assert change.tell(event) == [Refuse(why)]
        assert change.all_ready(2) == []
        assert change.machine.judging == FIRST
    change = Change()
    change.tell(Wanted((2,), 2, PROCESSES), *(Ready(process, 2) for process in PROCESSES[:3]))
    change.now = LOAD_S + 1
    assert change.tell(Tick()) == [Refuse("merge-0 had it not ready within 10 s")]


def test_once_acquisition_is_asked_the_change_is_made_though_it_dies_or_the_service_stops() -> None:
    change = Change()
    change.tell(Wanted((2,), 2, PROCESSES))
    change.all_ready(2)
    assert change.tell(Stopping(), Gone("detect-0", 9), Tick()) == []
    assert change.tell(Gone(ACQUIRE, 9)) == [Done(2, 9)]
    assert change.tell(Begun(2, 6)) == [], "an answer that comes late has no say"


def test_other_recipes_are_loaded_without_a_change_of_the_one_that_judges() -> None:
    change = Change()
    change.tell(Wanted((2, 3), FIRST, PROCESSES))
    change.all_ready(2)
    assert change.all_ready(3) == [Done(FIRST, None)]


class AnyOrder(RuleBasedStateMachine):
    """A supervisor, an acquisition that may die, and processes that load, refuse, are late and repeat themselves."""

    @initialize()
    def begin(self) -> None:
        self.change = Change(1)
        self.schedule = Schedule()
        self.acquired = 1
        """Next plate of acquisition, which may be ahead of the supervisor or behind it."""
        self.acquisition = Schedule()
        """By which recipe it opens plates."""
        self.opened: dict[int, int] = {}
        self.asked: list[Begin] = []
        self.last = FIRST
        self.under_way = 0

    def tell(self, event: Event) -> None:
        judging = self.change.machine.judging
        for order in self.change.tell(event):
            match order:
                case Begin():
                    self.asked.append(order)
                case Done(target, first):
                    assert first is not None
                    self.schedule.change(first, target)
                    self.under_way -= 1
                case Refuse():
                    assert self.change.machine.judging == judging
                    self.under_way -= 1

    @rule(processes=st.integers(0, len(PROCESSES)))
    def want(self, processes: int) -> None:
        if not self.change.machine.busy:
            self.last += 1
            self.under_way += 1
            self.tell(Wanted((self.last,), self.last, PROCESSES[:processes]))

    @rule(process=st.sampled_from(PROCESSES), late=st.integers(0, 2), refused=st.sampled_from(["", "", "", "", "no"]))
    def ready(self, process: str, late: int, refused: str) -> None:
        self.tell(Ready(process, self.last - late, refused))

    @rule()
    def all_ready(self) -> None:
        for process in PROCESSES:
            self.tell(Ready(process, self.last))

    @precondition(lambda self: self.asked)
    @rule(answered=st.booleans())
    def acquisition_hears(self, answered: bool) -> None:
        begin = self.asked.pop(0)
        if begin.number in (number for _, number in self.acquisition.begins):
            return
        first = max(self.acquired, begin.not_before)
        self.acquisition.change(first, begin.number)
        if answered:
            self.tell(Begun(begin.number, first))

    @rule()
    def acquisition_opens(self) -> None:
        self.opened[self.acquired] = self.acquisition.of(self.acquired)
        self.acquired += 1

    @rule()
    def supervisor_sees(self) -> None:
        self.change.next_plate += 1

    @rule()
    def acquisition_dies(self) -> None:
        target = self.last
        own = [plate for plate, number in self.opened.items() if number == target]
        others = [plate + 1 for plate, number in self.opened.items() if number != target]
        self.tell(Gone(ACQUIRE, min(own, default=max([self.change.next_plate, *others]))))
        self.asked.clear()
        # Its successor goes on with the supervisor's count and schedule; no number is given twice.
        self.acquired = max(self.change.next_plate, max(self.opened, default=0) + 1)
        self.change.next_plate = self.acquired
        self.acquisition = Schedule(self.schedule.begins)

    @rule(process=st.sampled_from(PROCESSES[1:]))
    def another_dies(self, process: str) -> None:
        self.tell(Gone(process, self.change.next_plate))

    @rule(seconds=st.sampled_from([1.0, LOAD_S + 1]))
    def time_passes(self, seconds: float) -> None:
        self.change.now += seconds
        self.tell(Tick())

    @rule()
    def stops(self) -> None:
        self.tell(Stopping())

    @invariant()
    def each_plate_is_judged_by_the_recipe_that_acquisition_began_it_by(self) -> None:
        undecided = self.change.machine.undecided_from
        for plate, number in self.opened.items():
            if undecided is None or plate < undecided:
                assert self.schedule.of(plate) == number, f"plate {plate}"

    @invariant()
    def a_change_is_made_or_refused_once(self) -> None:
        assert self.under_way == int(self.change.machine.state is not State.NONE)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
