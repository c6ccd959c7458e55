"""Torture: a real service is killed, stopped, hurried and lied to at random, and a witness says what really passed.

`python -m tests.integration.torture --plates 1000 --seed 1` tortures for about that many plates and ends with 1 if a
promise was broken. What holds, whatever is done:

* Each plate has one number, without gaps, and one verdict, which is the one that the log told.
* A plate that is OK, or complete, is to the last bit what the same sheet is on a calm line.
* Every sheet that the camera told of is a plate, but those told within the last moment of a line or supervisor that
  was killed; plates are in the order of the sheets.
* In the end nothing is left: no process, no directory, no open plate.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from daemon.cameras.simulated import product_of
from daemon.store.results import PlateRow, store_path
from simulator.sheets.sheet import render
from stages.plate import Verdict
from tests.integration.conftest import Service, substance
from tests.integration.torture_camera import MID_SHEET, ORDER_VARIABLE, TortureOrder

DENSITIES = (0, 0, 1, 3, 6)
"""Cracks of each kind of sheet."""
STRIKES = {
    "kill_one": 6,
    "kill_two": 2,
    "kill_the_successor_too": 1,
    "terminate_one": 1,
    "stop_one_for_a_while": 3,
    "hang_one": 0.5,
    "stop_all_for_a_while": 0.5,
    "stray_signal": 0.5,
    "lock_the_store": 1,
    "restart": 0.7,
    "restart_in_a_hurry": 0.3,
    "kill_the_supervisor": 0.7,
    "kill_the_supervisor_with_the_store_locked": 0.3,
    "stop_with_the_store_locked": 0.3,
}
"""Methods of Torture, and how often each is chosen."""
_MOST_UNTOLD = 3
"""Sheets that a line may have told of in the moment before it, or the supervisor, was killed."""


@dataclass(slots=True)
class Findings:
    """What came of it."""

    broken: list[str] = field(default_factory=list)
    """Promises that were broken; the torture passes if there are none."""
    strikes: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    untold: int = 0
    """Sheets that the camera told of and no plate is for."""
    whole: int = 0
    """Plates that are as on a calm line."""

    def __str__(self) -> str:
        counts = {name: dict(getattr(self, name)) for name in ("strikes", "verdicts", "causes")}
        return json.dumps({"broken": self.broken, **counts, "untold": self.untold, "whole": self.whole}, indent=1)


class Torture:
    """A service in a directory, its camera's witness, and what is done to it."""

    def __init__(self, directory: Path, seed: int, rate: float, faults: float = 0.002) -> None:
        self.directory = directory
        self.findings = Findings()
        self._random = random.Random(seed)
        self._seed = seed
        self._temporary = directory / "tmp"
        self._temporary.mkdir()
        self._faults = faults
        self._after_order: dict[int, int] = {}
        """Sheets that a line told of after its service was told to end, by the line's process."""
        settings: dict[str, Any] = {
            "camera": {
                "source": "tests.integration.torture_camera:TortureCamera",
                "line_rate_hz": rate,
                "buffers": 16,
            },
            "overload": "skip",
            "slots": 6,
            "workers": {"count": 2},
            "restart": {"backoff_s": 0.02, "heartbeat_s": 0.3, "budget": 10_000, "hang_s": 4.0},
            "drain_s": 20.0,
        }
        calm = directory / "calm"
        calm.mkdir()
        self._calm = Service(calm, **{**settings, "overload": "wait", "slots": len(DENSITIES) + 2})
        self._service = Service(directory, **settings)
        product = product_of(self._service.recipe)
        sheets = [render(product, 40 + kind, density).image for kind, density in enumerate(DENSITIES)]
        np.save(directory / "sheets.npy", np.stack(sheets))

    # --- what is run -----------------------------------------------------------------------------------------

    def run(self, plates: int) -> Findings:
        """Torture until about that many sheets have passed."""
        self._expected = self._calm_rows()
        self._start()
        while self._passed() < plates:
            time.sleep(self._random.expovariate(1 / 0.8))
            (strike,) = self._random.choices(list(STRIKES), list(STRIKES.values()))
            self.findings.strikes[strike] += 1
            try:
                getattr(self, strike)()
            except ProcessLookupError:
                # What was to be struck had just ended.
                continue
            if (code := self._service.exit_code()) is not None:
                self._broken(f"the service ended by itself with {code} after {strike}")
                self._start()
        self._stop(signal.SIGTERM)
        self._judge()
        return self.findings

    def end(self) -> None:
        self._calm.end()
        self._service.end()

    def _calm_rows(self) -> list[dict[str, Any]]:
        """What a plate of each kind is when nothing happens."""
        self._order(self._calm.directory, 0.0)
        self._calm.start(len(DENSITIES), self._environment(self._calm.directory))
        assert self._calm.finish() == 0, self._calm.stderr()
        rows = self._calm.verdicts()
        assert {row.verdict for row in rows.values()} == {Verdict.OK, Verdict.NG}, rows
        return [substance(rows[plate]) for plate in sorted(rows)]

    def _order(self, directory: Path, faults: float) -> None:
        order = TortureOrder(
            sheets=str(self.directory / "sheets.npy"),
            witness=str(directory / "witness"),
            seed=self._seed,
            faults=faults,
            bursts=20 * faults,
        )
        (directory / "order.json").write_bytes(msgspec.json.encode(order))

    def _environment(self, directory: Path) -> dict[str, str]:
        root = str(Path(__file__).parents[2])
        return {ORDER_VARIABLE: str(directory / "order.json"), "PYTHONPATH": root, "TMPDIR": str(self._temporary)}

    def _start(self) -> None:
        self._order(self.directory, self._faults)
        self._service.start(None, self._environment(self.directory))
        self._service.wait_for(lambda: self._service.logged("service ready"), 90)

    def _end(self, *signals: signal.Signals) -> int:
        """Send the signals, with pauses; its exit code."""
        ordered = self._passed()
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                self._service.send(number)
            time.sleep(self._random.random() if len(signals) > 1 else 0)
        return self._ended(ordered)

    def _ended(self, ordered: int) -> int:
        code = self._service.finish(90)
        for pid, _ in self._witnessed()[ordered:]:
            self._after_order[pid] = self._after_order.get(pid, 0) + 1
        return code

    def _passed(self) -> int:
        return len(self._witnessed())

    def _broken(self, what: str) -> None:
        self.findings.broken.append(what)

    # --- strikes ---------------------------------------------------------------------------------------------

    def _victims(self, count: int) -> list[int]:
        children = sorted(self._service.children().values())
        return self._random.sample(children, min(count, len(children)))

    def kill_one(self) -> None:
        for pid in self._victims(1):
            os.kill(pid, signal.SIGKILL)

    def kill_two(self) -> None:
        for pid in self._victims(2):
            os.kill(pid, signal.SIGKILL)

    def kill_the_successor_too(self) -> None:
        """The same process dies again while it starts."""
        name = self._random.choice(sorted(self._service.children()) or ["merge-0"])
        pid = self._service.kill(name)
        self._service.wait_for(lambda: self._service.children().get(name, pid) != pid)
        time.sleep(self._random.random())
        self._service.kill(name)

    def terminate_one(self) -> None:
        for pid in self._victims(1):
            os.kill(pid, self._random.choice((signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT)))

    def stop_one_for_a_while(self) -> None:
        for pid in self._victims(1):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(0.1, 2.5))
            os.kill(pid, signal.SIGCONT)

    def hang_one(self) -> None:
        for pid in self._victims(1):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(3.5, 6.5))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def stop_all_for_a_while(self) -> None:
        os.killpg(self._service.pid, signal.SIGSTOP)
        time.sleep(self._random.uniform(0.5, 6))
        os.killpg(self._service.pid, signal.SIGCONT)

    def stray_signal(self) -> None:
        # SIGHUP reads the recipes again, of which nothing is new.
        self._service.send(self._random.choice((signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGHUP)))

    def lock_the_store(self) -> None:
        with self._locked():
            time.sleep(self._random.uniform(0.1, 6))

    def _stop(self, number: signal.Signals) -> None:
        if code := self._end(number):
            self._broken(f"{number.name} ended with {code}")

    def restart(self) -> None:
        self._stop(self._random.choice((signal.SIGTERM, signal.SIGINT)))
        self._start()

    def restart_in_a_hurry(self) -> None:
        """A second signal ends it at once, with 1."""
        code = self._end(signal.SIGTERM, signal.SIGTERM)
        if code not in (0, 1):
            self._broken(f"two SIGTERM ended with {code}")
        self._start()

    def kill_the_supervisor(self) -> None:
        self._end(signal.SIGKILL)
        self._start()

    def kill_the_supervisor_with_the_store_locked(self) -> None:
        with self._locked():
            time.sleep(self._random.uniform(0.5, 4))
            self._end(signal.SIGKILL)
        self._start()

    def stop_with_the_store_locked(self) -> None:
        with self._locked():
            time.sleep(self._random.uniform(0.5, 3))
            ordered = self._passed()
            self._service.send(signal.SIGTERM)
            time.sleep(self._random.uniform(0.5, 3))
        self._ended(ordered)
        self._start()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = sqlite3.connect(store_path(self._service.state), timeout=30, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            lock.close()

    # --- what must hold --------------------------------------------------------------------------------------

    def _witnessed(self) -> list[tuple[int, int]]:
        """Process of the line, and kind, of each sheet that passed."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directory / "witness").read_text(encoding="ascii").splitlines()
            return [(int(pid), int(kind)) for pid, kind in map(str.split, lines)]
        return []

    def _judge(self) -> None:
        rows = self._service.plates()
        for row in rows.values():
            self.findings.verdicts[row.verdict or "open"] += 1
            self.findings.causes.update(row.causes)
        if sorted(rows) != list(range(1, len(rows) + 1)):
            self._broken(f"numbers are missing: {sorted(set(range(1, max(rows) + 1)) - set(rows))}")
        if opened := [plate for plate, row in rows.items() if row.verdict is None]:
            self._broken(f"plates are open: {opened}")
        self._judge_told(rows)
        self._judge_sheets(rows)
        if left := list(self._temporary.glob("linesentry-*")):
            # A run that was killed cannot take its directory away; the last one was not killed.
            alive = [path for path in left if self._service.logged("service starts", run=path.name)]
            if alive:
                self._broken(f"directories are left: {alive}")
        if self._service.children():
            self._broken(f"processes are left: {self._service.children()}")

    def _judge_told(self, rows: dict[int, PlateRow]) -> None:
        for line in self._service.every_logged("plate final"):
            row = rows.get(line["plate"])
            if row is None or row.verdict != line["verdict"]:
                self._broken(f"plate {line['plate']} was told {line['verdict']}, stored is {row and row.verdict}")
        told = Counter(line["plate"] for line in self._service.every_logged("plate final"))
        if twice := [plate for plate, count in told.items() if count > 1]:
            self._broken(f"told twice: {twice}")

    def _judge_sheets(self, rows: dict[int, PlateRow]) -> None:
        """Plates in their order are the sheets in theirs, but for those told just before a line's end."""
        lines: list[tuple[int, list[int]]] = []
        for pid, kind in self._witnessed():
            if not lines or lines[-1][0] != pid:
                lines.append((pid, []))
            lines[-1][1].append(kind)
        may_lack = [_MOST_UNTOLD + self._after_order.get(pid, 0) for pid, _ in lines]
        untold = self._aligned(rows, [kinds for _, kinds in lines], may_lack)
        if untold is None:
            self._broken("no order of the sheets explains the plates: one is not what its sheet is")
            return
        self.findings.untold = untold
        self.findings.whole = sum(self._is_whole(row) for row in rows.values())

    def _aligned(
        self, rows: dict[int, PlateRow], lines: Sequence[Sequence[int]], may_lack: Sequence[int]
    ) -> int | None:
        """Fewest sheets that no plate is for, all at the ends of lines, each of so many at most; None: it cannot be."""
        plates = [rows[plate] for plate in sorted(rows)]
        reached = {0: 0}
        for kinds, most in zip(lines, may_lack, strict=True):
            following: dict[int, int] = {}
            for begin, lost in reached.items():
                length = 0
                while length < len(kinds) and begin + length < len(plates):
                    if not self._can_be(plates[begin + length], kinds[length]):
                        break
                    length += 1
                for taken in range(max(0, len(kinds) - most), length + 1):
                    end, count = begin + taken, lost + len(kinds) - taken
                    following[end] = min(count, following.get(end, count))
            reached = following
        return reached.get(len(plates))

    def _can_be(self, row: PlateRow, kind: int) -> bool:
        if not self._is_whole(row):
            return row.verdict is not Verdict.OK
        return kind != MID_SHEET and substance(row) == self._expected[kind]

    @staticmethod
    def _is_whole(row: PlateRow) -> bool:
        """Nothing is missing of it that was looked at."""
        return bool(row.complete)


def main() -> int:
    """Torture, say what came of it, and end with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plates", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=5000, help="rows a second")
    parser.add_argument("--keep", type=Path, help="a new directory to work in, which is kept")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if given.keep:
            given.keep.mkdir(parents=True)
        directory = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        torture = Torture(directory, given.seed, given.rate)
        stack.callback(torture.end)
        sys.stdout.write(f"{torture.run(given.plates)}\n")
    return 1 if torture.findings.broken else 0


if __name__ == "__main__":
    sys.exit(main())
