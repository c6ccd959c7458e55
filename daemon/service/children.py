"""The child processes: started by exec, watched by heartbeats, reaped by pidfd, restarted on a budget."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog
import zmq

from config.schema import Restart
from daemon.service.child import Plan, hand_over
from daemon.service.restarts import Restarts
from daemon.service.signals import ORDERS
from daemon.wire.messages import Heartbeat, LogLine, Progress

_ASLEEP_S = 2.0
"""A pause between two rounds of the supervisor that is longer than any work of its own."""
_LONGEST_PAUSE_S = 5.0
_LOG_LINES = 50
_FIRST_S = {"output": 4.0, "archive": 7.0}
"""Of the time for a stop, what those may take that are stopped before all others."""
_SHORT_FOR_NOW = (errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE, errno.ENOSPC)
"""Why a process cannot be started for want of something that comes back: no fault of the process."""
PlanFor = Callable[[str, int, int], tuple[Plan, tuple[int, ...]]]
"""Role, index and incarnation to the plan of the process and the descriptors that it inherits."""


@dataclass(slots=True)
class Kid:
    """One place for a process: role and index stay, the process in it may change."""

    role: str
    index: int
    optional: bool = False
    """The service works without it, if need be."""
    incarnation: int = 0
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    started_at: float = 0.0
    heard_at: float | None = None
    """Time of its last heartbeat; None until its first."""
    beat: Heartbeat | None = None
    start_again_at: float = 0.0
    failed_starts: int = 0
    """Tries in a row at which no process could be made."""
    killed_for: str | None = None
    """Why the supervisor itself ended it."""
    status: int | None = None
    """Exit status of the last process: negative for a signal."""

    @property
    def name(self) -> str:
        """Role and index."""
        return f"{self.role}-{self.index}"


class RoleState(NamedTuple):
    """How the processes of one role are."""

    up: int
    wanted: int
    restarts: int
    """Processes started in the place of another since the service began."""
    note: str
    """What the first of them says that it is doing; empty where it says nothing."""


class Children:
    """All child processes of one run."""

    def __init__(
        self, settings: Restart, poller: zmq.Poller, plan: PlanFor, gone: Callable[[Kid, str, float], None]
    ) -> None:
        self._settings = settings
        self._poller = poller
        self._plan = plan
        self._gone = gone
        self._kids: dict[str, Kid] = {}
        self._restarts: dict[str, Restarts] = {}
        self._lost: set[str] = set()
        self._stopping = False
        self._watched_at: float | None = None
        self.log: deque[LogLine] = deque(maxlen=_LOG_LINES)
        """The last warnings of the processes, as they came."""
        self._log = structlog.get_logger()

    # --- what there is ---------------------------------------------------------------------------------------

    @property
    def all_up(self) -> bool:
        """Every process is at work, but for optional ones that have died already."""
        return all(
            (kid.heard_at is not None and kid.beat is not None and not kid.beat.starting)
            or (kid.optional and (kid.incarnation > 1 or kid.process is None))
            for kid in self._kids.values()
        )

    def all_fresh(self, now: float) -> bool:
        """Every process is starting or has been heard of late."""
        return all(kid.heard_at is None or now - kid.heard_at < self._settings.hang_s for kid in self._kids.values())

    def down(self) -> list[str]:
        """Names of processes that do not run, or have not yet been heard."""
        return [kid.name for kid in self._kids.values() if kid.process is None or kid.heard_at is None]

    def pids(self, role: str) -> list[int]:
        """Process ids of a role."""
        return [kid.process.pid for kid in self._kids.values() if kid.role == role and kid.process is not None]

    def note(self, role: str) -> str:
        """What the role's first process says that it is doing."""
        beat = self._kids[f"{role}-0"].beat
        return beat.note if beat else ""

    @property
    def troubles(self) -> list[str]:
        """What keeps the next sheet from its inspection, as the processes said last."""
        return [text for kid in self._kids.values() if kid.beat is not None for text in kid.beat.troubles]

    def plates(self) -> Mapping[int, Progress]:
        """How far the open plates are, as merge said last."""
        beat = self._kids["merge-0"].beat
        return beat.plates if beat else {}

    def waits_for(self, plate: int) -> str:
        """What an open plate waits for, as tile and merge said last."""
        beats = {role: self._kids[f"{role}-0"].beat for role in ("tile", "merge")}
        said = {role: beat.waits_for[plate] for role, beat in beats.items() if beat and beat.waits_for.get(plate)}
        return "; ".join(f"{role} waits for {text}" for role, text in said.items()) or "no process knows of it"

    def by_role(self) -> dict[str, RoleState]:
        """The state of each role, in the order in which they were added."""
        table: dict[str, RoleState] = {}
        for kid in self._kids.values():
            up, wanted, restarts, note = table.get(kid.role, RoleState(0, 0, 0, self.note(kid.role)))
            is_up = kid.process is not None and kid.heard_at is not None
            table[kid.role] = RoleState(up + is_up, wanted + 1, restarts + max(0, kid.incarnation - 1), note)
        return table

    # --- life ------------------------------------------------------------------------------------------------

    def add(self, role: str, index: int, *, optional: bool = False) -> None:
        """Start a process and keep it running from now on."""
        kid = Kid(role, index, optional)
        self._kids[kid.name] = kid
        self._restarts.setdefault(role, Restarts(self._settings)).place()
        self._start(kid)

    def knows(self, name: str) -> bool:
        """Whether there is a place of that name."""
        return name in self._kids

    def heard(self, role: str, index: int, beat: Heartbeat, now: float) -> None:
        """A heartbeat came."""
        kid = self._kids[f"{role}-{index}"]
        if kid.process is not None and kid.process.pid == beat.pid:
            if kid.heard_at is not None:
                self._restarts[role].worked(index, now - kid.heard_at)
            kid.heard_at, kid.beat = now, beat
            self.log.extend(beat.log)

    def restart(self, role: str, index: int, reason: str) -> None:
        """End a process by the supervisor's own hand; it is started again without blame."""
        kid = self._kids[f"{role}-{index}"]
        if kid.process is not None:
            kid.killed_for = reason
            kid.process.kill()

    def give_up(self, role: str) -> None:
        """Start the processes of that role no more."""
        self._lost.add(role)

    def reap(self, polled: Mapping[object, int], now: float) -> None:
        """Take note of processes that have ended."""
        for kid in self._kids.values():
            if kid.pidfd in polled and kid.process is not None:
                self._ended(kid, now)

    def watch(self, now: float) -> list[str]:
        """Kill what hangs, start what is due; roles whose restarts are spent are named once."""
        self._forgive_own_sleep(now)
        newly = [role for role, of in self._restarts.items() if role not in self._lost and of.spent]
        self._lost.update(newly)
        for kid in self._kids.values():
            if kid.process is None:
                if kid.role not in self._lost and not self._stopping and now >= kid.start_again_at:
                    self._start(kid)
            elif kid.heard_at is None and now - kid.started_at > self._settings.start_s:
                kid.killed_for = "start"
                kid.process.kill()
            elif kid.heard_at is not None and now - kid.heard_at > self._settings.hang_s:
                kid.killed_for = "hang"
                kid.process.kill()
        return newly

    def _forgive_own_sleep(self, now: float) -> None:
        """Silence counts only while the supervisor itself was awake: who stopped it may have stopped them all."""
        slept = 0.0 if self._watched_at is None else now - self._watched_at
        self._watched_at = now
        if slept < _ASLEEP_S:
            return
        for kid in self._kids.values():
            kid.started_at += slept
            if kid.heard_at is not None:
                kid.heard_at += slept

    def stop_all(
        self,
        tell: Callable[[str], bool],
        listen: Callable[[float], object],
        most_s: float,
        hurry: Callable[[], bool] = lambda: False,
    ) -> None:
        """Ask every process to stop, and wait for it, but not once there is a hurry.

        Outputs and the archive go first: they finish what is left, and record stores what came back.
        """
        self._stopping = True
        until = time.monotonic() + most_s
        for first in (True, False):
            # Those who feed first, so that nobody talks to a process that is gone.
            kids = [kid for kid in self._kids.values() if (kid.role in _FIRST_S) is first]
            for kid in kids:
                if kid.process is not None:
                    tell(kid.name)
            begun = time.monotonic()
            most = {kid.name: min(until, begun + _FIRST_S.get(kid.role, until - begun)) for kid in kids}
            while not hurry() and any(kid.process and time.monotonic() < most[kid.name] for kid in kids):
                polled = dict(self._poller.poll(50))
                # A process that is only just starting is told when it joins.
                listen(time.monotonic())
                for kid in self._kids.values():
                    if kid.pidfd in polled and kid.process is not None:
                        self._forget(kid)

    def kill_all(self) -> None:
        """End every process now."""
        self._stopping = True
        for kid in self._kids.values():
            if kid.process is not None:
                kid.process.kill()
                self._forget(kid)

    def _start(self, kid: Kid) -> None:
        plan, fds = self._plan(kid.role, kid.index, kid.incarnation + 1)
        try:
            kid.process = _launched(kid.name, plan, fds)
            kid.pidfd = os.pidfd_open(kid.process.pid)
        except OSError as error:
            self._not_started(kid, error, time.monotonic())
            return
        kid.incarnation += 1
        kid.failed_starts = 0
        self._poller.register(kid.pidfd, zmq.POLLIN)
        kid.started_at = time.monotonic()
        kid.heard_at, kid.beat, kid.killed_for = None, None, None

    def _not_started(self, kid: Kid, error: OSError, now: float) -> None:
        """No process could be made: one more try after a pause. Only what does not pass by itself spends the budget."""
        if kid.process is not None:
            kid.process.kill()
            kid.process.wait()
            kid.process = None
        kid.heard_at = None
        restarts = self._restarts[kid.role]
        if error.errno not in _SHORT_FOR_NOW:
            restarts.ended(kid.index)
        pause = max(restarts.pause(kid.index), min(_LONGEST_PAUSE_S, 2.0**kid.failed_starts / 5))
        kid.failed_starts += 1
        kid.start_again_at = now + pause
        self._log.error("process cannot be started", process=kid.name, error=str(error), again_in_s=round(pause, 1))

    def _ended(self, kid: Kid, now: float) -> None:
        reason = kid.killed_for or "died"
        self._forget(kid)
        restarts = self._restarts[kid.role]
        if reason != "line restarted":
            restarts.ended(kid.index)
        kid.start_again_at = now + restarts.pause(kid.index)
        self._gone(kid, reason, now)

    def _forget(self, kid: Kid) -> None:
        assert kid.process is not None
        kid.status = kid.process.wait()
        self._poller.unregister(kid.pidfd)
        os.close(kid.pidfd)
        kid.process, kid.pidfd, kid.heard_at = None, -1, None


def _place() -> str | None:
    """Where a process is started: here, or at the root where this directory has been deleted, as torch needs one."""
    try:
        os.getcwd()  # noqa: PTH109 - asked for its failure
    except OSError:
        return "/"
    return None


def _launched(name: str, plan: Plan, fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    """Start a process by exec. Raises OSError."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment.pop("NOTIFY_SOCKET", None)
    handed = hand_over(plan)
    # Blocked over the exec, so that ^C at a terminal, or a SIGTERM to the whole group, does not end a process
    # that has yet to say that it leaves them to the supervisor.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ORDERS)
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            # -P: nothing is imported from the directory in which the service happens to be started.
            [sys.executable, "-P", "-m", "daemon.service.child", name, str(handed)],
            pass_fds=(*fds, handed),
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=_place(),
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(handed)
