"""A camera that freezes is told from a belt that stands and from one that crawls."""

from __future__ import annotations

from daemon.cameras.motion import Motion


def watched(motion: Motion, values: list[str], since: float, step_s: float = 0.2) -> list[float]:
    """The times at which it alarms, told a value each `step_s`."""
    alarms = []
    for number, value in enumerate(values):
        now = since + number * step_s
        motion.seen((value,), now)
        if motion.alarm(now):
            alarms.append(round(now - since, 1))
    return alarms


def test_a_belt_that_stands_is_no_alarm() -> None:
    motion = Motion()
    motion.strip(0.0)
    assert watched(motion, ["0"] * 1000, 0.2) == []


def test_a_switch_that_moves_without_a_strip_is_one_alarm_within_a_second() -> None:
    motion = Motion()
    motion.strip(9.99)
    motion.strip(10.0)
    # It moves after 2 s.
    (at,) = watched(motion, ["0"] * 10 + ["1"] * 50, 10.2)
    assert 2.0 < at < 3.0
    assert not motion.restart(22.0), "it may be a belt that stopped again"


def test_a_belt_that_crawls_is_given_the_time_of_two_strips() -> None:
    motion = Motion()
    motion.strip(0.0)
    motion.strip(3.0)
    assert watched(motion, [str(number) for number in range(25)], 3.2) == []


def test_a_line_that_moves_on_for_ten_seconds_is_a_reason_to_open_the_camera_anew() -> None:
    motion = Motion()
    motion.strip(10.0)
    motion.strip(10.01)
    watched(motion, [str(number) for number in range(55)], 10.2)
    assert motion.restart(21.2)
    motion.strip(21.3)
    assert not motion.restart(40.0), "a strip came"
