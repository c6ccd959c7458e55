"""The merge process and a classifier that answers, keeps silent, talks garbage, or comes back."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config.load import load_recipe
from config.schema import Classifier
from daemon.service.roles.merge import MergeProcess
from daemon.wire import messages as m
from daemon.wire.channel import Client
from models.detector.findings import Region
from stages.crops import Answer, Crop
from stages.events import (
    ClassifierLost,
    ClassifyCrops,
    CropsClassified,
    CropsUnwanted,
    Place,
    PlateClosed,
    WindowScored,
)
from stages.plate import Cause, Verdict, WindowResult
from stages.said import Said
from stages.so_far import SoFar
from tests.daemon.conftest import KEY, RUN, Parent, plan_of
from tests.daemon.service.roles.test_merge import WINDOW, Neighbours

REGION = Region(5, 6, 4, 1, 4, 0.9, 7, 6, np.array([(6, 5, 9)], "<i4").tobytes())
FOUND = replace(WINDOW, regions=(REGION,))
HEAT = bytes(49)
AT = Place(slot=1, generation=7, columns=500)
RECIPE = load_recipe("P10B").model_copy(update={"classifier": Classifier(mode="confirm", deadline_s=1.5)})


class WithClassifier(Neighbours):
    """Also the classifier of the merge process."""

    def __init__(self, directory: Path, merge: Parent) -> None:
        super().__init__(directory, merge)
        self.directory = directory
        self.asked: list[m.AnyMessage] = []
        self.classifier = self.made(1)

    def made(self, incarnation: int) -> Client:
        return Client(self.parent.context, m.Sender(RUN, "classify", 0, incarnation), self.directory / "crops", KEY)

    def restart_classifier(self) -> None:
        """Another one comes in its place."""
        self.classifier.close()
        self.classifier = self.made(2)

    def wait(self, done: Callable[[], object]) -> None:
        def heard() -> object:
            self.asked += [body for _, body in self.classifier.receive(time.monotonic()) if isinstance(body, Said)]
            return done()

        super().wait(heard)

    def plate(self, plate: int, found: WindowResult = FOUND) -> None:
        """A plate of one window, with its last row just now."""
        now = time.monotonic()
        self.worker.send(WindowScored(replace(found, plate=plate), AT), now)
        self.tile.send(PlateClosed(plate, AT, 600, last_row_at=now), now)

    def say(self, plate: int, *answers: Answer, window: int = 0, asker: int = 1) -> None:
        self.classifier.send(CropsClassified(plate, window, answers, asker), time.monotonic(), keep=False)

    def counted(self, *keys: str) -> list[float]:
        """The latest value of those counters once one is not 0."""
        while True:
            counters = self.parent.hear(m.Heartbeat).counters
            if any(counters.get(key) for key in keys):
                return [counters[key] for key in keys]

    def close(self) -> None:
        self.classifier.close()
        super().close()


@pytest.fixture
def merge(tmp_path: Path, parent: Callable[..., Parent]) -> Iterator[WithClassifier]:
    with closing(WithClassifier(tmp_path, parent("merge", recipe=RECIPE))) as made:
        yield made


QUESTION = ClassifyCrops(1, AT, 0, (Crop(0, 7, 6),), asker=1)


def test_it_asks_where_the_pixels_lie_and_decides_by_the_answer(merge: WithClassifier) -> None:
    merge.plate(1)
    merge.wait(lambda: merge.asked)
    assert merge.asked == [QUESTION]
    merge.say(1, Answer(0, 0.9, HEAT))
    merge.wait(lambda: merge.decided)
    result = merge.decided[0].result
    assert (result.classifier, result.defects[0].probability) == ("confirm", 0.9)
    assert Cause.DEFECT in result.causes


def test_silence_and_garbage_cost_no_more_than_the_deadline(merge: WithClassifier) -> None:
    merge.plate(1)
    merge.wait(lambda: merge.asked)
    merge.classifier.socket.send_multipart([b"\x00garbage"])
    for answers in ((Answer(0, math.nan, HEAT),), (Answer(0, 2.0, HEAT),), (Answer(5, 0.9, HEAT),), ()):
        merge.say(1, *answers)
    merge.say(1, Answer(0, 0.9, HEAT), window=3)
    merge.say(8, Answer(0, 0.9, HEAT))
    merge.wait(lambda: merge.decided)
    result = merge.decided[0].result
    assert (result.verdict, result.classifier) == (Verdict.INCONCLUSIVE, "confirm, late: 1 of 1 crops")
    assert Cause.CLASSIFIER_LATE in result.causes
    merge.wait(lambda: CropsUnwanted(1) in merge.asked)
    merge.say(1, Answer(0, 0.9, HEAT))
    found = merge.counted("answers_refused_total/plate decided")
    assert found == [1]
    refused = [f"answers_refused_total/{reason}" for reason in ("malformed", "not asked")]
    assert merge.counted(*refused, "crops_total/late", "messages_refused_total/malformed") == [4, 2, 1, 1]


def test_an_answer_to_a_merge_that_is_no_more_is_neither_believed_nor_held_against_the_classifier(
    merge: WithClassifier,
) -> None:
    merge.plate(1)
    merge.wait(lambda: merge.asked)
    merge.say(1, Answer(0, 0.1, HEAT), asker=0)
    merge.say(7, Answer(0, 0.1, HEAT), asker=0)
    merge.say(1, Answer(0, 0.9, HEAT))
    merge.wait(lambda: merge.decided)
    assert merge.decided[0].result.defects[0].probability == 0.9
    assert merge.counted("answers_refused_total/merge restarted") == [2]
    assert merge.counted("crops_total/classified", "answers_refused_total/not asked") == [1, 0]


def test_a_classifier_that_comes_late_or_anew_is_asked_for_what_is_open(merge: WithClassifier) -> None:
    merge.worker.send(WindowScored(FOUND, AT), time.monotonic())
    merge.wait(lambda: merge.asked)
    merge.asked.clear()
    merge.restart_classifier()
    merge.wait(lambda: merge.asked)
    assert merge.asked == [QUESTION]


def test_without_a_classifier_plates_are_decided_at_once(merge: WithClassifier) -> None:
    merge.parent.tell(ClassifierLost())
    merge.parent.hear(m.Heartbeat)
    merge.plate(1)
    merge.wait(lambda: merge.decided)
    assert merge.decided[0].result.classifier == "confirm, absent: 1 of 1 crops"


@pytest.fixture
def unlooped(tmp_path: Path) -> Iterator[tuple[MergeProcess, Client]]:
    """A merge process whose rounds the test makes, and its classifier, each of which knows the other."""
    lifeline, end = os.pipe()
    merge = MergeProcess(plan_of(tmp_path, "merge", lifeline, recipe=RECIPE))
    merge.start()
    classifier = Client(merge.context, m.Sender(RUN, "classify", 0, 1), tmp_path / "crops", KEY)
    until = time.monotonic() + 30
    while not merge._classifier_there and time.monotonic() < until:
        classifier.tick(time.monotonic())
        time.sleep(0.01)
        for event in merge._crops.receive(time.monotonic()):
            merge._on_classifier(event, time.monotonic())
    yield merge, classifier
    classifier.close()
    for endpoint in merge._endpoints:
        endpoint.close()
    merge.context.destroy(linger=0)
    os.close(lifeline)
    os.close(end)


def whole(merge: MergeProcess, now: float) -> None:
    """Plate 1 is all there but for the classifier's answer, in a round that began at that time."""
    tile, worker = m.Sender(RUN, "tile", 0, 1), m.Sender(RUN, "detect", 0, 1)
    merge._on_worker((worker, WindowScored(FOUND, AT)), now)
    merge._on_tile((tile, PlateClosed(1, AT, 600, last_row_at=now)), now)


def test_the_classifiers_time_begins_when_the_last_window_is_merged_however_long_the_round(
    unlooped: tuple[MergeProcess, Client],
) -> None:
    merge, _ = unlooped
    before = time.monotonic()
    whole(merge, before - 20.0)
    after = time.monotonic()
    merge.tick(time.monotonic())
    assert merge._merger.progress(1) == SoFar(1, 1)
    assert before + 1.5 <= merge._classifier_due[1] <= after + 1.5, "deadline_s of the recipe, from then on"


def test_an_answer_that_is_there_when_its_time_has_passed_is_heard_first(
    unlooped: tuple[MergeProcess, Client],
) -> None:
    merge, classifier = unlooped
    whole(merge, time.monotonic())
    classifier.send(CropsClassified(1, 0, (Answer(0, 0.9, HEAT),), 1), time.monotonic(), keep=False)
    time.sleep(0.2)
    merge._classifier_due[1] = time.monotonic()
    merge.tick(time.monotonic())
    assert merge._merger.asked.crops_classified == 1
    assert merge._merger.asked.crops_late == 0
