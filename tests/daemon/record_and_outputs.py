"""Record and outputs as real processes, under a supervisor's socket; whoever uses it is merge and supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq
from msgspec import structs

from config.load import load_config
from config.schema import Config, Outputs
from daemon.service.child import hand_over
from daemon.store.results import PlateRow, Store, store_path
from daemon.wire.channel import Client, Server
from daemon.wire.messages import AnyMessage, Exit, Heartbeat, Sender
from daemon.wire.plate_memory import PlateMemory
from stages.events import ChangeRecipe, OutputFailing, OutputWorks, PlateDecided, PlateSeen, VerdictCommitted
from stages.plate import Cause, PlateResult, Verdict
from stages.plc import Part, PlcAsks
from tests.daemon.conftest import FACTS, KEY, RUN, SHAPE, plan_of

CAUSES: dict[Verdict, tuple[Cause, ...]] = {
    Verdict.OK: (),
    Verdict.NG: (Cause.DEFECT,),
    Verdict.INCONCLUSIVE: (Cause.ROWS_MISSING, Cause.FOCUS),
}


def config_of(**outputs: list[dict[str, object]]) -> Config:
    """The shipped configuration with these outputs, and heartbeats that come soon."""
    config = load_config(None)
    restart = config.restart.model_copy(update={"heartbeat_s": 0.1})
    return config.model_copy(update={"outputs": Outputs.model_validate(outputs), "restart": restart})


class RecordAndOutputs:
    """One record and each output of the configuration, all at work; they can be killed and started again."""

    def __init__(self, directory: Path, config: Config) -> None:
        self.directory, self.config = directory, config
        self.heard: list[tuple[str, OutputFailing | OutputWorks]] = []
        self.asked: list[PlcAsks | ChangeRecipe] = []
        self.final: set[int] = set()
        self.counters: dict[str, dict[str, float]] = {}
        self._memory = PlateMemory.create(SHAPE)
        self._lifeline, self._lifeline_end = os.pipe()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link = Server(self._context, Sender(RUN, "supervisor", 0, 1), directory / "supervisor", KEY)
        self._merge = Client(self._context, Sender(RUN, "merge", 0, 1), directory / "record", KEY)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._incarnations: dict[str, int] = {}
        with Store.open(store_path(directory)) as store:
            store.begin_run(FACTS)
        for name in self.names:
            self.start(name)
        self.wait(lambda: set(self.names) <= self.counters.keys())

    @property
    def names(self) -> list[str]:
        """The processes."""
        return ["record-0", *(f"output-{index}" for index in range(len(self.config.outputs.all)))]

    def start(self, name: str) -> None:
        """Start a process, or its successor."""
        role, _, index = name.partition("-")
        self._incarnations[name] = self._incarnations.get(name, 0) + 1
        plan = plan_of(self.directory, role, self._lifeline, config=self.config, plates_fd=self._memory.fd)
        handed = hand_over(structs.replace(plan, index=int(index), incarnation=self._incarnations[name]))
        with (self.directory / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", "daemon.service.child", name, str(handed)],
                pass_fds=(self._lifeline, self._memory.fd, handed),
                stderr=log,
            )
        os.close(handed)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process; one that is killed is waited for."""
        self._children[name].send_signal(number)
        if number is signal.SIGKILL:
            self._children[name].wait()

    def ask_to_stop(self, name: str) -> int:
        """As at a stop of the service; the exit status."""
        self._link.send(name, Exit(), time.monotonic())
        self.wait(lambda: self._children[name].poll() is not None)
        return int(self._children[name].returncode)

    def decide(self, plate: int, verdict: Verdict, last_row_at: float | None = None, part: Part | None = None) -> None:
        """The switch saw the plate, and merge has its verdict; `last_row_at` None: now."""
        now = time.monotonic()
        self._link.send("record-0", PlateSeen(plate, part=part), now)
        why = "" if verdict is Verdict.OK else "because"
        result = PlateResult(RUN, plate, verdict, CAUSES[verdict], why, True, 100, 50, 1, 1, 1.0)
        self._merge.send(PlateDecided(result, now if last_row_at is None else last_row_at), now)

    def tell(self, name: str, body: AnyMessage) -> None:
        """Send a process something, as the supervisor."""
        self._link.send(name, body, time.monotonic())

    def say_again(self, plates: dict[int, Verdict]) -> None:
        """What was said to a record that died, and is not committed."""
        for plate, verdict in plates.items():
            if plate not in self.final:
                self.decide(plate, verdict)

    def listen(self) -> None:
        """Take what has come."""
        now = time.monotonic()
        self._merge.receive(now)
        for sender, body in self._link.receive(now):
            if isinstance(body, OutputFailing | OutputWorks):
                self.heard.append((sender.name, body))
            elif isinstance(body, PlcAsks | ChangeRecipe):
                self.asked.append(body)
            elif isinstance(body, VerdictCommitted):
                self.final.add(body.result.plate)
            elif isinstance(body, Heartbeat):
                self.counters[sender.name] = body.counters

    def wait(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        """Listen until it is true."""
        until = time.monotonic() + seconds
        while not what():
            if time.monotonic() > until:
                logs = "\n".join((self.directory / f"{name}.log").read_text("utf-8") for name in self.names)
                raise AssertionError(f"in vain; the processes said:\n{logs[-4000:]}")
            self.listen()
            time.sleep(0.002)

    def pause(self, seconds: float) -> None:
        """Listen for so long."""
        until = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > until)

    def wait_told(self, plates: int, outputs: int = 1) -> dict[int, PlateRow]:
        """Wait until so many plates are told by so many outputs each; the rows of the store, by plate."""
        rows: dict[int, PlateRow] = {}

        def told() -> bool:
            rows.update(self.rows())
            return sum(len(row.told) >= outputs for row in rows.values()) >= plates

        self.wait(told)
        return rows

    def rows(self) -> dict[int, PlateRow]:
        """What is in the store, by plate."""
        with closing(Store.open(store_path(self.directory), read_only=True)) as store:
            return {row.plate: row for row in store.plates(limit=None)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._children.values():
            child.kill()
            child.wait()
        for endpoint in (self._link, self._merge):
            endpoint.close()
        self._context.destroy(linger=0)
        os.close(self._lifeline)
        os.close(self._lifeline_end)
        self._memory.close()
