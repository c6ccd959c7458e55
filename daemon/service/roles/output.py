"""The output process: says the final verdicts to one peer, and tells record what came back.

Each output of the configuration is a process of its own, so one that is slow or dead delays no other, and not the line.
"""

from __future__ import annotations

import time

from daemon.outputs.door import OutputError, RequestLink
from daemon.outputs.registry import missing_package, open_link, open_requests
from daemon.service.child import Child, Plan
from daemon.service.unusable import UnusableError
from daemon.wire.channel import Event
from stages import output
from stages.events import (
    ChangeRecipe,
    OutputFailing,
    OutputWorks,
    RecipeChangeAnswered,
    SeenCommitted,
    VerdictDue,
    VerdictTold,
)
from stages.output import Teller
from stages.plc import Answers, Asked, PlcAnswers, RecipeAsked

_ASK_S = 0.002
"""Between two questions for the echo, while one is awaited."""
_FIRST_PAUSE_S = 0.1
"""Between two tries to connect; the pauses double, and begin anew once something was acknowledged."""
_LOOK_S = 0.02
"""Between two looks whether the peer asks for something, where it may."""
_SILENT_S = 2.0
"""Not heard from the supervisor for so long, the service is not ready."""
_QUIET_S, _FINISH_S = 0.2, 3.0
"""At a stop: for so long nothing more may come; and longest time to say what is left."""


class OutputProcess(Child):
    """Moves verdicts from record to one peer, by its protocol, and what came back to record."""

    role = "output"

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._settings = self.config.outputs.all[plan.index]
        self._connect_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._ending_at: float | None = None
        self._heard_at = 0.0
        """When record last had something to say."""
        self._times_again = 0
        self._answers = Answers()
        self._answered_at = 0.0
        """When the supervisor said them."""
        self._recipe = RecipeAsked()
        self._asked: Asked | None = None
        """What stands in the peer's registers; None where they cannot be read."""

    def start(self) -> None:
        """Load the protocol; the peer is connected in the loop, for it may be away for long."""
        missing = missing_package(self._settings)
        if missing is not None:
            raise UnusableError(f"output {self._settings.name} {missing}")
        self._link = open_link(self._settings)
        self._requests = open_requests(self._settings)
        self._teller = Teller(
            self._settings.name,
            deadline_s=self._settings.deadline_s,
            again_s=self._settings.again_s,
            says_late=self._link.says_late,
            hold_s=self._link.hold_s,
        )
        self._record = self.connect("record", self._on_record)

    def wait_s(self) -> float:
        """Not beyond what is due next."""
        now = time.monotonic()
        if self._teller.awaits_echo:
            return _ASK_S
        due = self._teller.due_in(now) if self._teller.connected else self._connect_at - now
        return max(0.0, min(super().wait_s() if self._requests is None else _LOOK_S, due))

    def tick(self, now: float) -> None:
        """Connect, ask for the echo, and do what is due."""
        if not self._teller.connected and now >= self._connect_at:
            self._try_to_connect()
        if self._teller.awaits_echo:
            self._ask()
        if self._answers != Answers() and now - self._answered_at > _SILENT_S:
            self._answers = Answers()
            self._link.stands(self._answers)
        if self._requests is not None:
            self._hear_requests(self._requests, now)
        self._do(output.Tick())
        self.tally.set("output_faults_total", self._teller.wrong_echoes, "wrong echo")
        self.tally.set("output_faults_total", self._times_again, "said again")
        there = "connected" if self._teller.connected else "not connected"
        self.note = f"{self._settings.name}: {there}, {self._teller.waiting} verdicts wait"
        if self._ending_at is not None and self._is_done(now, self._ending_at):
            self.stopping = True

    def on_supervisor(self, event: Event, now: float) -> None:
        """Answers to what the peer asked; at a stop, what is left is said first."""
        super().on_supervisor(event, now)
        match event[1]:
            case PlcAnswers(answers):
                self._answers, self._answered_at = answers, now
                self._link.stands(answers)
            case RecipeChangeAnswered() as answer:
                if self._recipe.answered(answer.request, answer.name, answer.first_plate, answer.refused):
                    self._log_recipe(answer.name)
        if self.stopping:
            self.stopping = False
            self._ending_at = self._ending_at or now

    def stop(self) -> None:
        """Release nothing any more."""
        self._do(output.Ending())
        self._link.end()
        if self._requests is not None:
            self._requests.close()

    def _is_done(self, now: float, since: float) -> bool:
        quiet = now - max(since, self._heard_at) > _QUIET_S
        left = self._record.kept or (self._teller.connected and self._teller.waiting)
        return (quiet and not left) or now - since > _FINISH_S

    # --- between record, machine and peer ------------------------------------------------------------------------

    def _on_record(self, event: Event, now: float) -> None:
        body = event[1]
        if isinstance(body, VerdictDue | SeenCommitted):
            self._heard_at = now
            self._do(body)

    def _hear_requests(self, requests: RequestLink, now: float) -> None:
        """Pass on what the peer asks for, and have it read what it is answered."""
        for news in requests.news():
            self.supervisor.send(news, now)
            self._asked = news.asked
        if self._asked is not None:
            self._ask_for_recipe(self._asked, now)
        requests.answer(self._answers, self._recipe)

    def _ask_for_recipe(self, asked: Asked, now: float) -> None:
        before = self._recipe.number
        name = self._recipe.asked(asked, now)
        if name is not None:
            self.supervisor.send(ChangeRecipe(name, self._recipe.number), now)
        elif self._recipe.number not in (before, 0):
            self._log_recipe("")

    def _log_recipe(self, name: str) -> None:
        recipe, who = self._recipe, self._settings.name
        if recipe.why:
            self.log.warning("change of recipe refused", output=who, recipe=name, reason=recipe.why)
        else:
            self.log.info("recipe changed", output=who, recipe=name, first_plate=recipe.first_plate)

    def _try_to_connect(self) -> None:
        try:
            echo = self._link.connect()
        except OutputError as error:
            self._pause()
            self._do(output.Disconnected(str(error)))
            return
        self.log.info("output connected", output=self._settings.name)
        self._do(output.Connected(echo))

    def _ask(self) -> None:
        try:
            answer = self._link.answer()
        except OutputError as error:
            self._cut(error)
            return
        if answer is not None:
            self._do(answer)

    def _cut(self, error: OutputError) -> None:
        self._link.close()
        self.tally.add("output_faults_total", 1, "cut off")
        self._pause()
        self._do(output.Disconnected(str(error)))

    def _pause(self) -> None:
        self._connect_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, self._link.pause_s)

    def _do(self, event: output.Event) -> None:
        cut: OutputError | None = None
        for order in self._teller.handle(event, time.monotonic()):
            if isinstance(order, VerdictTold | OutputFailing | OutputWorks):
                self._report(order)
            elif cut is None:
                try:
                    self._order(order)
                except OutputError as error:
                    cut = error
        if cut is not None:
            self._cut(cut)

    def _order(self, order: output.Say | output.Clear | output.Release | output.Beat | SeenCommitted) -> None:
        """Do at the peer what the machine says. Raises OutputError."""
        match order:
            case output.Say():
                self._times_again += order.times > 1
                self._link.say(order)
            case output.Clear():
                self._link.clear()
            case output.Release(plate):
                self._link.release(plate)
            case output.Beat(on):
                self._link.beat(on=on)
            case SeenCommitted(plate):
                self._link.seen(plate)

    def _report(self, said: VerdictTold | OutputFailing | OutputWorks) -> None:
        now = time.monotonic()
        match said:
            case VerdictTold():
                self._record.send(said, now)
                if said.answered_at is not None:
                    self._pause_s = _FIRST_PAUSE_S
                if said.outcome != "acknowledged":
                    self.log.warning(
                        "verdict not acknowledged in time",
                        output=self._settings.name,
                        plate=said.plate,
                        outcome=said.outcome,
                        times=said.times,
                        answer=said.answer,
                    )
            case OutputFailing():
                self.log.error("output fails", output=said.output, error=said.text)
                self.supervisor.send(said, now)
            case OutputWorks():
                self.log.warning("output works again", output=said.output)
                self.supervisor.send(said, now)


ROLE = OutputProcess
