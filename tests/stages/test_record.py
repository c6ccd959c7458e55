"""The recorder: whatever the store does, one verdict for each plate, and never OK after too long."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector.findings import Quality
from stages.events import (
    DecidedUnseen,
    PlateDecided,
    PlateFinal,
    PlateSeen,
    SayAgain,
    SeenCommitted,
    StoreFailing,
    StoreWorks,
)
from stages.plate import Cause, Defect, PlateResult, Verdict
from stages.record import (
    CommitSeen,
    CommitVerdict,
    Event,
    Instruction,
    Recorder,
    RecordLost,
    RecordRefused,
    Refuse,
    SeenStored,
    StoreFailed,
    StoreFailure,
    StoreNotOpened,
    StoreSucceeded,
    Tick,
)

CAUSES = {Verdict.OK: (), Verdict.NG: (Cause.DEFECT,), Verdict.INCONCLUSIVE: (Cause.FOCUS,)}
DEFECT = Defect(1, 2, 3, 4, 12, 0.9, 2, 3, edge=False)


def result(plate: int, verdict: Verdict = Verdict.OK) -> PlateResult:
    defects = (DEFECT,) if verdict is Verdict.NG else ()
    reason = ", ".join(CAUSES[verdict])
    return PlateResult("a" * 32, plate, verdict, CAUSES[verdict], reason, True, 9, 9, 1, 1, 1.0, defects=defects)


class Line:
    """A recorder with a store that does as it is told, and has each plate as seen unless it must be said first."""

    def __init__(self, *, say_first: bool = False, **settings: float) -> None:
        self.say_first = say_first
        self.recorder = Recorder(**settings)  # type: ignore[arg-type] # most_waiting is the one that is an int
        self.now = 100.0
        self.asked: CommitSeen | CommitVerdict | None = None
        self.seen: set[int] = set()
        self.verdicts: dict[int, PlateResult] = {}
        self.asked_at = 0.0
        self.committed_at: dict[int, float] = {}
        """When the write that was committed was asked for."""
        self.final: list[int] = []
        self.leasable: list[int] = []
        self.told: list[Instruction] = []

    def send(self, event: Event) -> list[Instruction]:
        if isinstance(event, PlateDecided) and not self.say_first:
            self.recorder.handle(SeenStored(event.result.plate), self.now)
        told = self.recorder.handle(event, self.now)
        self.recorder.validate()
        self.told += told
        for instruction in told:
            if isinstance(instruction, CommitSeen | CommitVerdict):
                assert self.asked is None, "two writes at once"
                self.asked, self.asked_at = instruction, self.now
            elif isinstance(instruction, SeenCommitted):
                assert instruction.plate in self.seen
                self.leasable.append(instruction.plate)
            elif isinstance(instruction, PlateFinal):
                assert instruction.plate in self.verdicts
                self.final.append(instruction.plate)
        return told

    def succeed(self) -> list[Instruction]:
        return self._answer(None, written=True)

    def fail(self, kind: StoreFailure = "full", *, written: bool = False) -> list[Instruction]:
        return self._answer(kind, written=written)

    def _answer(self, kind: StoreFailure | None, *, written: bool) -> list[Instruction]:
        asked, self.asked = self.asked, None
        if asked is None:
            return []
        if written:  # a failure may be reported although the write took place
            self._write(asked)
        return self.send(StoreSucceeded(asked.write) if kind is None else StoreFailed(asked.write, kind, "why"))

    def _write(self, asked: CommitSeen | CommitVerdict) -> None:
        plate = asked.plate
        self.seen.add(plate)
        if isinstance(asked, CommitVerdict) and plate not in self.verdicts:
            self.verdicts[plate] = asked.decided.result
            self.committed_at[plate] = self.asked_at

    def wait(self, seconds: float) -> list[Instruction]:
        self.now += seconds
        return self.send(Tick())

    def drain(self) -> None:
        for _ in range(1000):
            if not self.recorder.waiting:
                return
            if self.asked is None:
                self.wait(1.0)
            self.succeed()
        raise AssertionError("the recorder does not come to an end")


def test_a_plate_goes_from_seen_to_final() -> None:
    line = Line()
    assert line.send(PlateSeen(1)) == [CommitSeen(1, 1)]
    assert line.succeed() == [SeenCommitted(1)]
    assert line.send(PlateDecided(result(1))) == [CommitVerdict(2, PlateDecided(result(1)))]
    assert line.succeed() == [PlateFinal(1)]
    assert line.recorder.waiting == 0


def test_nothing_is_confirmed_before_it_is_committed() -> None:
    line = Line()
    line.send(PlateSeen(1))
    line.send(PlateSeen(2))
    line.send(PlateDecided(result(1)))
    assert (line.leasable, line.final) == ([], [])
    assert line.succeed() == [SeenCommitted(1), CommitSeen(2, 2)]
    assert line.succeed() == [SeenCommitted(2), CommitVerdict(3, PlateDecided(result(1)))]


def test_a_verdict_waits_until_it_is_said_that_the_switch_saw_its_plate() -> None:
    line = Line(say_first=True)
    assert line.send(PlateDecided(result(1))) == [DecidedUnseen(1)]
    assert line.send(PlateDecided(result(1, Verdict.NG))) == [], "the first counts"
    line.wait(20.0)
    assert line.recorder.waiting == 0, "a stop does not wait for a plate that nobody counts"
    assert line.send(PlateSeen(1)) == [CommitSeen(1, 1)]
    line.drain()
    assert line.verdicts == {1: result(1)}, "that it waited was not the store's fault"


def test_a_verdict_on_a_plate_that_the_store_has_needs_no_more_to_be_said() -> None:
    line = Line(say_first=True)
    line.send(PlateDecided(result(1)))
    assert line.send(SeenStored(1)) == [CommitVerdict(1, PlateDecided(result(1)))]


def test_verdicts_on_unseen_plates_beyond_the_bound_are_asked_for_again_once_their_plates_are_seen() -> None:
    line = Line(say_first=True, most_waiting=2)
    for plate in (1, 2):
        assert line.send(PlateDecided(result(plate))) == [DecidedUnseen(plate)]
    assert line.send(PlateDecided(result(3))) == [Refuse(3)]
    line.send(PlateSeen(3))
    assert line.succeed() == [SeenCommitted(3), SayAgain()]
    line.send(PlateDecided(result(3)))
    line.drain()
    assert line.final == [3]


def test_a_failed_write_is_tried_again_only_after_a_pause_that_doubles_up_to_the_longest() -> None:
    line = Line(first_retry_s=0.1, last_retry_s=1.0)
    line.send(PlateDecided(result(1)))
    for write, pause in enumerate((0.1, 0.2, 0.4, 0.8, 1.0, 1.0), start=2):
        line.fail()
        assert line.wait(pause - 0.01) == []
        assert line.send(PlateDecided(result(write))) == []  # another plate is no reason to hurry
        assert line.wait(0.02) == [CommitVerdict(write, PlateDecided(result(1)))]
    line.drain()
    line.send(PlateDecided(result(9)))
    line.fail()
    assert line.wait(0.11) != []  # once it has worked, the pauses begin anew


def test_a_store_that_fails_is_one_alarm_until_it_fails_otherwise_or_works_again() -> None:
    line = Line()
    line.send(PlateDecided(result(1)))
    assert line.fail("full") == [StoreFailing("full", "why")]
    assert line.recorder.failing == "full"
    line.wait(1.0)
    assert line.fail("full") == []
    line.wait(1.0)
    assert line.fail("locked") == [StoreFailing("locked", "why")]
    line.wait(1.0)
    cleared, confirmed = line.succeed()
    assert isinstance(cleared, StoreWorks)
    assert confirmed == PlateFinal(1)
    assert line.recorder.failing is None
    assert line.verdicts[1] == result(1)


def test_a_verdict_committed_too_late_is_no_longer_ok() -> None:
    line = Line(limit_s=10.0)
    for plate, verdict in enumerate((Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE), start=1):
        line.send(PlateDecided(result(plate, verdict)))
    line.fail()
    line.wait(10.5)
    line.drain()
    stored = line.verdicts
    assert [stored[plate].verdict for plate in (1, 2, 3)] == [Verdict.INCONCLUSIVE, Verdict.NG, Verdict.INCONCLUSIVE]
    assert stored[1].causes == (Cause.STORE_FAILED,)
    assert "10.5 s" in stored[1].reason
    assert stored[2] == result(2, Verdict.NG)  # a confirmed defect stays what it is
    assert stored[3].causes == (Cause.FOCUS, Cause.STORE_FAILED)
    events = [told.event for told in line.told if isinstance(told, CommitVerdict) and told.event is not None]
    assert [event.split(";")[0] for event in events] == [
        "verdict reached: OK",
        "verdict reached: NG",
        "verdict reached: INCONCLUSIVE",
    ]


def test_a_plate_whose_sight_was_committed_too_late_is_never_ok() -> None:
    line = Line(limit_s=10.0)
    line.send(PlateSeen(1))
    line.send(PlateSeen(2))
    line.fail()
    assert line.leasable == []  # no window is leased meanwhile
    line.wait(11.0)
    line.drain()
    assert line.leasable == [1, 2]
    line.send(PlateDecided(result(1)))
    line.succeed()
    line.send(PlateDecided(result(2, Verdict.NG)))
    line.succeed()
    assert line.verdicts[1].causes == (Cause.STORE_FAILED,)
    assert line.verdicts[2].verdict is Verdict.NG


def test_a_record_that_is_refused_does_not_keep_those_behind_it() -> None:
    line = Line()
    unfit = replace(result(1, Verdict.NG), quality=Quality(unmasked=5))
    line.send(PlateDecided(unfit))
    line.send(PlateDecided(result(2)))
    alarm, again = line.fail("refused")
    assert alarm == RecordRefused(1, "why")
    assert isinstance(again, CommitVerdict)
    assert (again.decided.result.verdict, again.decided.result.defects, again.decided.result.quality) == (
        Verdict.NG,
        (),
        Quality(),
    )
    _, least = line.fail("refused")
    assert isinstance(least, CommitVerdict)
    assert (least.decided.result.verdict, least.decided.result.causes) == (Verdict.NG, (Cause.DEFECT,))
    assert line.fail("refused") == [
        RecordRefused(1, "why"),
        RecordLost(1, Verdict.NG),
        CommitVerdict(4, PlateDecided(result(2))),
    ]
    assert line.succeed() == [PlateFinal(2)]
    assert line.final == [2]


@pytest.mark.parametrize("verdict", Verdict)
def test_a_result_that_was_refused_twice_is_stored_as_its_verdict_alone_and_never_as_ok(verdict: Verdict) -> None:
    line = Line()
    line.send(PlateDecided(replace(result(1, verdict), reason="\ud800", classifier="\ud800")))
    line.fail("refused")
    line.fail("refused")
    assert line.succeed() == [PlateFinal(1)]
    kept = line.verdicts[1]
    assert kept.verdict is (Verdict.NG if verdict is Verdict.NG else Verdict.INCONCLUSIVE)
    assert "\ud800" not in kept.reason + kept.classifier


def test_a_plate_whose_sight_is_refused_is_lost_with_its_verdict_and_keeps_nobody_waiting() -> None:
    line = Line()
    line.send(PlateSeen(1))
    line.send(PlateDecided(result(1)))
    line.send(PlateSeen(2))
    told = line.fail("refused")
    assert told == [RecordRefused(1, "why"), RecordLost(1, None), CommitSeen(2, 2)]
    line.drain()
    assert line.verdicts == {}
    assert line.leasable == [2]


def test_a_refused_ok_is_not_stored_as_ok() -> None:
    line = Line()
    line.send(PlateDecided(result(1)))
    line.fail("refused")
    line.succeed()
    assert (line.verdicts[1].verdict, line.verdicts[1].causes) == (Verdict.INCONCLUSIVE, (Cause.STORE_FAILED,))


def test_what_goes_beyond_the_bound_is_refused_and_accepted_later() -> None:
    line = Line(most_waiting=2)
    line.send(PlateSeen(1))
    line.send(PlateSeen(2))
    assert line.send(PlateSeen(3)) == [Refuse(3)]
    assert line.send(PlateSeen(2)) == []  # one that waits already is no more
    line.succeed()
    assert line.send(PlateSeen(3)) == []
    line.drain()
    assert line.leasable == [1, 2, 3]


def test_what_was_refused_is_asked_for_once_nothing_waits_any_more() -> None:
    line = Line(most_waiting=2)
    for plate in (1, 2, 3, 4):
        line.send(PlateSeen(plate))
    assert SayAgain() not in line.succeed()
    assert line.succeed() == [SeenCommitted(2), SayAgain()]
    line.send(PlateSeen(3))
    assert line.succeed() == [SeenCommitted(3)]


@pytest.mark.parametrize(("seconds", "verdict"), [(9.0, Verdict.OK), (11.0, Verdict.INCONCLUSIVE)])
def test_a_refused_verdict_waits_from_its_refusal_on(seconds: float, verdict: Verdict) -> None:
    line = Line(most_waiting=1)
    line.send(PlateSeen(3))
    assert line.send(PlateDecided(result(1))) == [Refuse(1)]
    line.now += seconds
    assert SayAgain() in line.succeed()
    line.send(PlateDecided(result(1)))
    line.succeed()
    assert line.verdicts[1].verdict is verdict
    line.send(PlateDecided(result(2)))
    line.succeed()
    assert line.verdicts[2].verdict is Verdict.OK


def test_what_a_failing_store_made_of_a_verdict_keeps_the_time_of_its_last_row() -> None:
    line = Line()
    line.send(PlateDecided(result(1), last_row_at=90.0))
    line.wait(11.0)
    line.fail("locked")
    line.wait(1.0)
    assert isinstance(line.asked, CommitVerdict)
    assert line.asked.decided.result.verdict is Verdict.INCONCLUSIVE
    assert line.asked.decided.last_row_at == 90.0
    line.fail("refused")
    assert line.asked.decided.result.rows == 0
    assert line.asked.decided.last_row_at == 90.0


def test_answers_that_come_twice_or_for_an_older_write_change_nothing() -> None:
    line = Line()
    line.send(PlateDecided(result(1)))
    line.send(PlateDecided(result(2)))
    line.succeed()
    assert line.send(StoreSucceeded(1)) == []
    assert line.send(StoreFailed(1, "full", "old")) == []
    assert line.final == [1]
    assert line.recorder.waiting == 1


def test_a_store_that_did_not_open_fails_until_the_first_write_that_succeeds() -> None:
    line = Line()
    assert line.send(StoreNotOpened("locked", "in use")) == [StoreFailing("locked", "in use")]
    assert line.recorder.failing == "locked"
    assert line.send(PlateSeen(1)) == [], "not before the pause after a failure is over"
    line.wait(0.3)
    assert line.succeed()[0] == StoreWorks("the result store works again after 0.3 s")
    assert line.recorder.failing is None


PLATES = st.integers(1, 4)
STEPS = st.one_of(
    st.tuples(st.just("seen"), PLATES),
    st.tuples(st.just("decide"), PLATES, st.sampled_from(Verdict)),
    st.tuples(st.just("wait"), st.sampled_from([0.05, 0.3, 1.0, 4.0, 11.0])),
    st.tuples(st.just("succeed")),
    st.tuples(st.just("fail"), st.sampled_from(["full", "locked", "broken"]), st.booleans()),
    st.tuples(st.just("old answer"), st.integers(1, 6)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_a_plate_that_nobody_saw_never_has_a_verdict(steps: list[tuple[str, object, object]]) -> None:
    line, seen, decided = Line(say_first=True), set[int](), set[int]()
    for step in steps:
        match step:
            case ("seen", int(plate)):
                seen.add(plate)
                line.send(PlateSeen(plate))
            case ("decide", int(plate), Verdict() as verdict):
                decided.add(plate)
                line.send(PlateDecided(result(plate, verdict)))
            case ("wait", float(seconds)):
                line.wait(seconds)
            case ("succeed",):
                line.succeed()
            case ("fail", ("full" | "locked" | "broken") as kind, bool(written)):
                line.fail(kind, written=written)
    line.drain()
    assert set(line.verdicts) == set(line.final) == seen & decided


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_whatever_the_store_does_each_plate_ends_with_its_first_verdict_and_never_ok_too_late(
    steps: list[tuple[str, object, object]],
) -> None:
    limit = 10.0
    line = Line(limit_s=limit)
    first: dict[int, tuple[Verdict, float]] = {}
    first_seen: dict[int, float] = {}

    def decide(plate: int, verdict: Verdict) -> None:
        first.setdefault(plate, (verdict, line.now))
        line.send(PlateDecided(result(plate, verdict)))

    for step in steps:
        match step:
            case ("seen", int(plate)):
                if plate not in line.verdicts:
                    first_seen.setdefault(plate, line.now)
                line.send(PlateSeen(plate))
            case ("decide", int(plate), Verdict() as verdict):
                decide(plate, verdict)
            case ("wait", float(seconds)):
                line.wait(seconds)
            case ("succeed",):
                line.succeed()
            case ("fail", ("full" | "locked" | "broken") as kind, bool(written)):
                line.fail(kind, written=written)
            case ("old answer", int(back)):
                asked = line.asked.write if line.asked is not None else 100
                line.send(StoreSucceeded(asked - back))
    line.drain()
    for plate in set(first_seen) - set(first):
        decide(plate, Verdict.OK)
    line.drain()

    assert set(line.verdicts) == set(first)
    assert set(line.final) == set(first)
    assert set(line.leasable) >= set(first_seen) - set(line.final)
    for plate, stored in line.verdicts.items():
        verdict, at = first[plate]
        in_time = line.committed_at[plate] - at <= limit
        if verdict is Verdict.OK:
            assert stored.verdict in (Verdict.OK, Verdict.INCONCLUSIVE)
            assert in_time or stored.causes == (Cause.STORE_FAILED,)
        else:
            assert stored.verdict is verdict
            assert stored.defects == result(plate, verdict).defects
