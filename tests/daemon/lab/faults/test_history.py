"""The history checker finds each kind of broken promise, and nothing in a history that kept them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daemon.lab.faults.history import History, SheetTruth, broken_promises


def kept() -> History:
    """One good sheet and one with a crack, each with its verdict, all told and all over."""
    history = History(
        sheets={"good": SheetTruth("good", 400, 1, 2), "bad": SheetTruth("bad", 400, 1, 2, cracked=True)},
        must_be_seen={"good", "bad"},
        seen={1: "good", 2: "bad"},
        scored={1: {0: "good", 1: "good"}},
    )
    history.verdicts = [(1, "OK", 400), (2, "NG", 400)]
    history.stored = {1: "OK", 2: "NG"}
    history.heard = history.told = [(1, "OK"), (2, "NG")]
    history.released = [1]
    return history


def test_a_history_that_kept_every_promise_is_sound() -> None:
    assert broken_promises(kept()) == []


def ok_with_a_crack(history: History) -> None:
    history.verdicts[1] = (2, "OK", 400)
    history.stored[2] = "OK"


def foreign_pixels(history: History) -> None:
    history.scored[1][1] = "bad"


def rows_lost(history: History) -> None:
    history.harmed.add("good")


def second_verdict(history: History) -> None:
    history.verdicts.append((1, "NG", 400))


def overwritten(history: History) -> None:
    history.stored[1] = "INCONCLUSIVE"


def no_verdict(history: History) -> None:
    history.seen[3] = None


def not_seen(history: History) -> None:
    del history.seen[1]


def number_twice(history: History) -> None:
    history.seen_again.append(1)


def told_otherwise(history: History) -> None:
    history.told = [(1, "NG")]


def supervisor_not_told(history: History) -> None:
    history.heard = [(1, "OK")]


def released_wrongly(history: History) -> None:
    history.released.append(2)


def open_for_ever(history: History) -> None:
    history.seen[3], history.open_plates = None, [3]


def slot_for_ever(history: History) -> None:
    history.slots_held = ["0: plate 1"]


def ng_for_nothing(history: History) -> None:
    history.verdicts[0] = (1, "NG", 400)
    history.stored[1] = "NG"


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (ok_with_a_crack, "has a crack"),
        (foreign_pixels, "were not read"),
        (rows_lost, "is OK with 400 rows"),
        (second_verdict, "committed as OK, and again as NG"),
        (overwritten, "committed first, and the store has INCONCLUSIVE"),
        (no_verdict, "seen and has no verdict"),
        (not_seen, "nobody saw it"),
        (number_twice, "given twice"),
        (told_otherwise, "the output said NG"),
        (supervisor_not_told, "never told its verdict"),
        (released_wrongly, "was released, and is stored as NG"),
        (open_for_ever, "open for ever"),
        (slot_for_ever, "held for ever"),
        (ng_for_nothing, "has nothing"),
    ],
)
def test_each_broken_promise_is_said(harm: Callable[[History], None], words: str) -> None:
    history = kept()
    harm(history)
    assert any(words in one for one in broken_promises(history))
