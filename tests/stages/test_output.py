"""An output says each verdict until it is acknowledged, and releases a plate only by an OK that was surely heard."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stages.events import OutputFailing, OutputWorks, SeenCommitted, VerdictDue, VerdictTold
from stages.outbox import Outbox
from stages.output import (
    Beat,
    Clear,
    Connected,
    Disconnected,
    Echoed,
    Ending,
    Event,
    Instruction,
    Refused,
    Release,
    Say,
    Teller,
    Tick,
)
from stages.plate import Cause, Verdict

DEADLINE_S, AGAIN_S, BEAT_S = 2.0, 0.5, 0.25
CAUSES: dict[Verdict, tuple[Cause, ...]] = {
    Verdict.OK: (),
    Verdict.NG: (Cause.DEFECT,),
    Verdict.INCONCLUSIVE: (Cause.FOCUS,),
}


def due(
    plate: int, verdict: Verdict = Verdict.OK, at: float | None = 100.0, latency_s: float | None = None
) -> VerdictDue:
    return VerdictDue(plate, verdict, CAUSES[verdict], latency_s=latency_s, committed_at=at)


def teller(*, says_late: bool = False) -> Teller:
    return Teller("gate", deadline_s=DEADLINE_S, again_s=AGAIN_S, says_late=says_late, beat_s=BEAT_S)


class Talk:
    """A teller at the hour of its making, 100 s, and what it said."""

    def __init__(self, *, says_late: bool = False, connected: bool = True) -> None:
        self.teller = teller(says_late=says_late)
        self.now = 100.0
        if connected:
            self.send(Connected())

    def send(self, event: Event, after_s: float = 0.0) -> list[Instruction]:
        self.now += after_s
        done = self.teller.handle(event, self.now)
        self.teller.validate()
        return [one for one in done if not isinstance(one, Beat)]


def kinds(done: list[Instruction]) -> list[type]:
    return [type(one) for one in done]


def test_an_ok_that_is_echoed_in_time_releases_its_plate() -> None:
    talk = Talk()
    assert talk.send(due(7)) == [Say(due(7), divert=False, times=1)]
    assert talk.teller.released is None
    told, release = talk.send(Echoed(7, "echo 7"), 0.01)
    assert told == VerdictTold(7, "acknowledged", False, 1, 100.0, 100.01, "echo 7")
    assert release == Release(7)


@pytest.mark.parametrize("verdict", [Verdict.NG, Verdict.INCONCLUSIVE])
def test_what_is_not_ok_is_acknowledged_and_releases_nothing(verdict: Verdict) -> None:
    talk = Talk()
    assert talk.send(due(7, verdict)) == [Say(due(7, verdict), divert=True, times=1)]
    (told,) = talk.send(Echoed(7))
    assert isinstance(told, VerdictTold)
    assert (told.outcome, told.divert) == ("acknowledged", True)


def test_an_ok_stands_until_the_next_verdict_is_said() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(Echoed(7))
    assert talk.send(due(8)) == [Release(None), Say(due(8), divert=False, times=1)]


def test_an_ok_stands_for_a_while_before_the_next_is_said_so_that_a_slow_peer_sees_it() -> None:
    one = Teller("gate", deadline_s=DEADLINE_S, again_s=AGAIN_S, says_late=False, hold_s=0.1)
    one.handle(Connected(), 100.0)
    one.handle(due(7), 100.0)
    one.handle(due(8), 100.0)
    assert kinds(one.handle(Echoed(7), 100.01)) == [VerdictTold, Release]
    assert one.due_in(100.01) == pytest.approx(0.1)
    assert kinds(one.handle(Tick(), 100.1)) == []
    assert kinds(one.handle(Tick(), 100.12)) == [Release, Say]


def test_an_ok_stands_until_its_deadline_and_no_longer() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(Echoed(7))
    assert talk.send(Tick(), 1.9) == []
    assert talk.send(Tick(), 0.1) == [Release(None)]


def test_the_deadline_counts_from_the_plates_last_row() -> None:
    talk = Talk()
    talk.send(due(7, latency_s=1.5))
    talk.send(Echoed(7))
    assert talk.send(Tick(), 0.5) == [Release(None)]


def test_an_ok_falls_with_the_connection_and_a_new_one_begins_with_nothing_released() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(Echoed(7))
    assert kinds(talk.send(Disconnected("cut off"))) == [OutputFailing]
    assert talk.teller.released is None
    assert talk.send(Connected(echo=7)) == [Release(None), OutputWorks("gate")]


def test_an_ok_falls_when_the_process_ends_in_order() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(Echoed(7))
    assert talk.send(Ending()) == [Release(None)]


def test_what_is_not_acknowledged_is_said_again() -> None:
    talk = Talk()
    talk.send(due(7))
    assert talk.send(Tick(), 0.4) == []
    assert talk.send(Tick(), 0.1) == [Say(due(7), divert=False, times=2)]


def test_what_is_not_acknowledged_in_time_counts_as_divert_and_the_next_is_said() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(due(8, at=101.0))
    told, failing, said = talk.send(Tick(), 2.0)
    assert isinstance(told, VerdictTold)
    assert (told.plate, told.outcome, told.divert, told.answered_at) == (7, "unacknowledged", True, None)
    assert isinstance(failing, OutputFailing)
    assert said == Say(due(8, at=101.0), divert=False, times=1)
    # An echo that comes now is of no use.
    assert talk.send(Echoed(7)) == []
    assert kinds(talk.send(Echoed(8))) == [VerdictTold, Release, OutputWorks]


def test_a_wrong_echo_releases_nothing_and_is_kept_as_the_answer() -> None:
    talk = Talk()
    talk.send(due(7))
    assert talk.send(Echoed(9, "echo 9"), 0.1) == []
    assert talk.send(Echoed(9, "echo 9"), 0.1) == []
    assert talk.teller.wrong_echoes == 1
    told = talk.send(Tick(), 2.0)[0]
    assert isinstance(told, VerdictTold)
    assert (told.outcome, told.answer) == ("unacknowledged", "echo 9")


def test_the_echo_of_the_plate_before_is_no_wrong_one() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(Echoed(7))
    talk.send(due(8))
    talk.send(Echoed(7))
    assert talk.teller.wrong_echoes == 0


def test_an_echo_before_anything_was_said_is_none() -> None:
    talk = Talk(connected=False)
    talk.send(Connected(echo=8))
    assert talk.send(Echoed(8)) == []
    assert talk.send(due(7)) == [Say(due(7), divert=False, times=1)]


def test_a_number_that_stands_in_the_echo_before_it_was_said_has_to_go_first() -> None:
    """A PLC that echoes wrongly, or one that heard it from a predecessor."""
    talk = Talk(connected=False)
    talk.send(Connected(echo=7))
    assert talk.send(due(7)) == [Clear()]
    assert talk.teller.awaits_echo
    assert talk.send(Echoed(7)) == []
    assert talk.send(Tick(), AGAIN_S) == [Clear()]
    assert talk.send(Echoed(0)) == [Say(due(7), divert=False, times=1)]
    assert kinds(talk.send(Echoed(7))) == [VerdictTold, Release]


def test_a_number_that_was_echoed_wrongly_before_acknowledges_nothing_when_it_is_due() -> None:
    talk = Talk()
    talk.send(due(7))
    talk.send(Echoed(8))
    talk.send(due(8, at=101.5))
    assert kinds(talk.send(Tick(), 2.0)) == [VerdictTold, OutputFailing, Clear]


def test_what_a_predecessor_committed_is_said_only_where_late_ones_are() -> None:
    """Nobody knows how long ago that was."""
    (told,) = Talk().send(due(7, at=None))
    assert told == VerdictTold(7, "late", True)
    talk = Talk(says_late=True)
    assert talk.send(due(7, at=None)) == [Say(due(7, at=None), divert=True, times=1)]
    (told,) = talk.send(Echoed(7))
    assert isinstance(told, VerdictTold)
    assert (told.outcome, told.divert) == ("late", True)


def test_where_late_ones_are_said_each_is_said_until_it_is_acknowledged_as_one_to_divert() -> None:
    talk = Talk(says_late=True)
    talk.send(due(7))
    said = [one for _ in range(60) for one in talk.send(Tick(), 0.5) if isinstance(one, Say)]
    assert 3 < len(said) < 15, "it is said with pauses that grow"
    assert [one.divert for one in said] == sorted(one.divert for one in said)
    assert said[-1].divert
    (told,) = talk.send(Echoed(7))
    assert isinstance(told, VerdictTold)
    assert (told.outcome, told.divert) == ("late", True)


def test_what_is_refused_keeps_nothing_behind_it() -> None:
    talk = Talk(says_late=True)
    talk.send(due(7))
    talk.send(due(8))
    assert kinds(talk.send(Refused("404"))) == [VerdictTold, OutputFailing, Say]


def test_nothing_is_said_while_nobody_is_connected() -> None:
    talk = Talk(connected=False)
    assert talk.send(due(7)) == []
    assert talk.send(Connected()) == [Release(None), Say(due(7), divert=False, times=1)]


def test_what_was_told_is_told_again_in_the_same_words() -> None:
    """Record died before it could store it."""
    talk = Talk()
    talk.send(due(7))
    told = talk.send(Echoed(7), 0.5)[0]
    assert talk.send(due(7, at=None), 60.0) == [told]


def test_the_heartbeat_toggles_while_somebody_is_connected() -> None:
    one, now = teller(), 100.0
    assert one.handle(Tick(), now) == []
    beats = [*one.handle(Connected(), now)]
    for _ in range(9):
        now += BEAT_S / 2
        beats += one.handle(Tick(), now)
    on = [beat.on for beat in beats if isinstance(beat, Beat)]
    assert on == [True, False, True, False, True]
    one.handle(Disconnected("cut off"), now)
    assert one.handle(Tick(), now + 9.0) == []


def test_the_plate_that_was_seen_last_is_shown_also_to_who_connects_later() -> None:
    talk = Talk()
    assert talk.send(SeenCommitted(7)) == [SeenCommitted(7)]
    assert talk.send(SeenCommitted(6)) == []
    talk.send(Disconnected("cut off"))
    assert talk.send(SeenCommitted(8)) == []
    assert SeenCommitted(8) in talk.send(Connected())


class Deaths(RuleBasedStateMachine):
    """Record, output and peer, each of which dies at any moment; what reaches the peer is checked as it comes."""

    @initialize(says_late=st.booleans())
    def begin(self, says_late: bool) -> None:
        self.says_late = says_late
        self.now = 100.0
        self.committed: dict[int, VerdictDue] = {}
        self.stored: dict[int, VerdictTold] = {}
        self.to_store: list[VerdictTold] = []
        self.knows_commits = True
        self.sequence = self.echo = 0
        self.echoed: set[int] = set()
        """Plates that the peer had in its registers when it echoed them."""
        self.heard: list[int] = []
        """Numbers that were new to the peer, in order."""
        self.stands: int | None = None
        self.beats: list[bool] = []
        self.linked = False
        self.start_output()
        self.connect()

    @rule(what=st.sampled_from(["record", "output", "network"]))
    def dies(self, what: str) -> None:
        if what == "record":
            self.record_dies()
        elif what == "output":
            self.start_output()
        elif self.linked:
            self.cut()

    # --- record

    @rule(
        verdict=st.sampled_from([Verdict.OK, Verdict.OK, Verdict.NG, Verdict.INCONCLUSIVE]),
        latency_s=st.sampled_from([None, 0.0, 0.3, 5.0]),
    )
    def commit(self, verdict: Verdict, latency_s: float | None) -> None:
        plate = len(self.committed) + 1
        self.committed[plate] = due(plate, verdict, self.now, latency_s)
        if self.outbox.committed(plate):
            self.tell_output(self.committed[plate])

    @rule()
    def store(self) -> None:
        for told in self.to_store:
            self.stored.setdefault(told.plate, told)
            self.outbox.told(told.plate)
        self.to_store.clear()
        self.read()

    def read(self) -> None:
        asked = self.outbox.room
        if asked:
            owed = [plate for plate in self.committed if plate not in self.stored and plate not in self.outbox.handed]
            self.outbox.read(owed[:asked], asked)
            for plate in owed[:asked]:
                known = self.committed[plate]
                self.tell_output(known if self.knows_commits else due(plate, known.verdict, None))

    def record_dies(self) -> None:
        """With all that it was yet to store; its successor does not know when its plates were committed."""
        self.to_store.clear()
        self.knows_commits = False
        self.outbox = Outbox(4)
        self.outbox.joined()
        self.read()

    # --- output

    def start_output(self) -> None:
        self.linked, self.stands = False, None  # its heartbeat ends, and the peer diverts
        self.teller = teller(says_late=self.says_late)
        self.beats.clear()
        self.outbox = Outbox(4)
        self.outbox.joined()
        self.read()

    def tell_output(self, event: Event) -> None:
        for one in self.teller.handle(event, self.now):
            match one:
                case Say(said, divert, _):
                    assert self.linked, "said to nobody"
                    assert self.stands is None, "said while another is released"
                    assert divert == (said.verdict is not Verdict.OK or self.is_late(said))
                    assert self.says_late or not self.is_late(said)
                    self.sequence = said.plate
                    if not self.heard or said.plate != self.heard[-1]:
                        self.heard.append(said.plate)
                case Clear():
                    assert self.linked, "cleared for nobody"
                    assert self.stands is None, "cleared while one is released"
                    self.sequence = 0
                case Release(plate):
                    self.stands = plate
                    if plate is not None:
                        assert self.committed[plate].verdict is Verdict.OK
                        assert plate == self.sequence == self.echo
                        assert plate in self.echoed, "released unheard"
                        assert not self.is_late(self.committed[plate])
                case Beat(on):
                    self.beats.append(on)
                case VerdictTold():
                    self.take(one)

    def take(self, told: VerdictTold) -> None:
        earlier = self.stored.get(told.plate)
        if not told.divert:
            assert told.outcome == "acknowledged"
            assert self.committed[told.plate].verdict is Verdict.OK
        if earlier is None:
            self.to_store.append(told)

    def is_late(self, said: VerdictDue) -> bool:
        known = self.committed[said.plate]
        assert known.committed_at is not None
        truly = self.now >= known.committed_at - (known.latency_s or 0.0) + DEADLINE_S
        return truly or said.committed_at is None

    # --- peer and time

    @precondition(lambda self: not self.linked)
    @rule()
    def connect(self) -> None:
        self.linked = True
        self.tell_output(Connected(self.echo))

    def cut(self) -> None:
        self.linked, self.stands = False, None
        self.tell_output(Disconnected("cut off"))

    @precondition(lambda self: self.linked)
    @rule(wrong=st.sampled_from([0, 1]))
    def answer(self, wrong: int) -> None:
        self.echo = self.sequence + wrong
        if not wrong:
            self.echoed.add(self.sequence)
        self.tell_output(Echoed(self.echo))

    @precondition(lambda self: self.linked)
    @rule()
    def pass_one(self) -> None:
        self.store()
        self.commit(Verdict.OK, None)
        self.answer(0)

    @precondition(lambda self: self.linked)
    @rule()
    def answer_for_the_next_and_nothing_more(self) -> None:
        self.answer(1)
        self.wait(DEADLINE_S)
        self.store()

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        if self.linked:
            # What stands there, whether the peer has looked since or not.
            self.tell_output(Echoed(self.echo))
        self.tell_output(Tick())

    @invariant()
    def holds(self) -> None:
        self.teller.validate()
        assert self.teller.released == self.stands
        assert all(one != other for one, other in zip(self.beats, self.beats[1:], strict=False))

    def teardown(self) -> None:
        """Left in peace, every verdict is told, and all that may still be said was said."""
        if not hasattr(self, "teller"):
            return
        if not self.linked:
            self.connect()
        while self.stored.keys() != self.committed.keys():
            self.answer(wrong=0)
            self.store()
            self.wait(0.3)
            assert self.now < 1e6, "a verdict is never told"
        if self.says_late:
            assert set(self.heard) == set(self.committed), "a verdict was lost"
            assert {told.outcome for told in self.stored.values()} <= {"acknowledged", "late"}


TestDeaths = Deaths.TestCase
TestDeaths.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
