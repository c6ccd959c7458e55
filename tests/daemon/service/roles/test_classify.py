"""The classify process between a merge and the plate memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from structlog.testing import capture_logs

from config.load import load_recipe
from config.schema import Classify, Config, View
from daemon.service.roles.classify import ClassifyProcess
from daemon.service.unusable import UnusableError
from daemon.store.state import classifier_sha256
from daemon.wire import messages as m
from daemon.wire.channel import Server
from daemon.wire.plate_memory import Hold, PlateMemory
from models.classifier.classifier import GRID, Classified, Classifier
from models.classifier.crops import SIDE, crop_at
from models.classifier.errors import ClassifierError
from models.classifier.views import DEFAULT_VIEWS
from stages.classify import Questions, Work, rows_needed
from stages.crops import Crop
from stages.events import ClassifyCrops, CropsClassified, CropsUnwanted, Place, PlateClosed
from stages.plate import HEAT_CELLS
from stages.recipes import FIRST
from tests.classifier_weights import untrained
from tests.daemon.conftest import KEY, RUN, SHAPE, Parent, plan_of

PIXELS = np.random.default_rng(5).integers(40, 200, (SHAPE.rows, SHAPE.columns), dtype=np.uint8)
VIEWS: tuple[View, ...] = ("identity", "flip_vertical")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights"))


def fill(memory: PlateMemory) -> None:
    """Plate 1 in slot 0 is there; of plate 2 in slot 1 half the rows are."""
    for slot, rows in ((0, SHAPE.rows), (1, SHAPE.rows // 2)):
        memory.open(Place(slot, 1, SHAPE.columns), slot + 1)
        memory.pixels(slot)[:] = PIXELS
        memory.set_rows(slot, rows)
    memory.close_plate(PlateClosed(1, Place(0, 1, SHAPE.columns), SHAPE.rows))


def asked(plate: int, place: Place, window: int, crops: tuple[Crop, ...], asker: int = 1) -> ClassifyCrops:
    return ClassifyCrops(plate, place, window, crops, asker)


class Merge:
    """The merge process of one classify process."""

    def __init__(self, directory: Path, child: Parent) -> None:
        self.child = child
        self.link = Server(child.context, m.Sender(RUN, "merge", 0, 1), directory / "crops", KEY)
        self.answers: list[CropsClassified] = []

    def listen(self, answers: int, seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while len(self.answers) < answers and time.monotonic() < until:
            now = time.monotonic()
            self.answers += [body for _, body in self.link.receive(now) if isinstance(body, CropsClassified)]
            self.child.link.receive(now)
            time.sleep(0.01)

    def close(self) -> None:
        self.link.close()

    def ask(self, *questions: m.AnyMessage) -> None:
        for question in questions:
            self.link.send("classify-0", question, time.monotonic())


@pytest.fixture
def merge(tmp_path: Path, parent: Callable[..., Parent], weights: Path) -> Iterator[Merge]:
    config = Config(classify=Classify(device="cpu", dtype="float32", weights=weights, views=VIEWS, batch=3))
    with closing(Merge(tmp_path, parent("classify", prepare=fill, config=config))) as made:
        yield made


def expected(weights: Path, *places: tuple[int, int]) -> list[Classified]:
    classifier = Classifier.load(weights, device="cpu", dtype="float32", views=VIEWS)
    return classifier.classify([crop_at(PIXELS, x, y) for x, y in places])


def test_it_answers_each_question_from_the_pixels_in_the_plate_memory(merge: Merge, weights: Path) -> None:
    merge.ask(
        asked(1, Place(0, 1, SHAPE.columns), 4, (Crop(2, 10, 20), Crop(0, 40, 90))),
        asked(1, Place(0, 1, SHAPE.columns), 5, (Crop(1, 30, 50),)),
    )
    merge.listen(2)
    assert [(one.plate, one.window) for one in merge.answers] == [(1, 4), (1, 5)]
    answers = [answer for one in merge.answers for answer in one.answers]
    assert [answer.region for answer in answers] == [2, 0, 1]
    true = expected(weights, (10, 20), (40, 90), (30, 50))
    assert [answer.probability for answer in answers] == pytest.approx([one.probability for one in true], abs=1e-5)
    assert all(len(answer.heat) == 49 for answer in answers)


def test_crops_whose_rows_are_still_to_come_wait_and_what_is_stale_or_unwanted_is_not_answered(merge: Merge) -> None:
    early = asked(2, Place(1, 1, SHAPE.columns), 0, (Crop(0, 10, 10),))
    stale = asked(3, Place(0, 9, SHAPE.columns), 1, (Crop(0, 10, 10),))
    known = asked(1, Place(0, 1, SHAPE.columns), 2, (Crop(0, 10, 10),))
    merge.ask(early, asked(2, Place(1, 1, SHAPE.columns), 7, (Crop(0, 10, 10),)), stale, known)
    merge.listen(1)
    assert [(one.plate, one.window) for one in merge.answers] == [(1, 2)]
    # An answer to what was asked last tells that the rest was heard before the plate's end.
    merge.ask(CropsUnwanted(2), early, asked(1, Place(0, 1, SHAPE.columns), 3, (Crop(0, 10, 10),)))
    merge.listen(2)
    merge.child.memory.close_plate(PlateClosed(2, Place(1, 1, SHAPE.columns), SHAPE.rows))
    merge.listen(3)
    merge.listen(4, seconds=0.3)
    assert [(one.plate, one.window) for one in merge.answers] == [(1, 2), (1, 3), (2, 0)]
    assert merge.child.hear(m.Heartbeat).pid == merge.child.child.pid


def test_of_a_plate_the_classifier_of_its_own_recipe_is_asked_and_a_bad_one_changes_nothing(
    merge: Merge, weights: Path, tmp_path: Path
) -> None:
    """And what a recipe that is no more was asked about is dropped."""
    other, broken = untrained(tmp_path / "other", doubt=3.0), tmp_path / "broken.pt"
    broken.write_bytes(b"no weights")
    recipe = load_recipe("P10B")
    for number, path in ((2, other), (3, broken)):
        own = recipe.model_copy(update={"classifier": recipe.classifier.model_copy(update={"weights": str(path)})})
        facts = {"classifier_sha256": classifier_sha256(Config(), own)}
        merge.child.tell(m.LoadRecipe(m.NumberedRecipe(number, own.model_dump(mode="json"), facts)))
    loaded = [merge.child.hear(m.RecipeLoaded) for _ in range(2)]
    assert [(one.number, one.refused[:13]) for one in loaded] == [(2, ""), (3, "recipe P10B: ")]
    for hold in Hold:
        merge.child.memory.release(1, hold)
    merge.child.memory.open(Place(1, 2, SHAPE.columns, 2), 3)
    merge.child.memory.pixels(1)[:] = PIXELS
    merge.child.memory.set_rows(1, SHAPE.rows)
    merge.child.memory.close_plate(PlateClosed(3, Place(1, 2, SHAPE.columns, 2), SHAPE.rows))
    crops = (Crop(0, 10, 20), Crop(1, 40, 90))
    by_second = asked(3, Place(1, 2, SHAPE.columns, 2), 0, crops)
    merge.ask(asked(1, Place(0, 1, SHAPE.columns), 4, crops), by_second)
    merge.listen(2)
    chances = {one.plate: [answer.probability for answer in one.answers] for one in merge.answers}
    for plate, path in ((1, weights), (3, other)):
        true = expected(path, (10, 20), (40, 90))
        assert chances[plate] == pytest.approx([one.probability for one in true], abs=1e-5)
    assert chances[1] != pytest.approx(chances[3], abs=1e-3)
    merge.child.memory.release(1, Hold.TILE)
    merge.child.tell(m.KeepRecipes((1,)))
    merge.child.tell(m.LoadRecipe(m.NumberedRecipe(3, own.model_dump(mode="json"), facts)))
    merge.child.hear(m.RecipeLoaded)
    merge.ask(by_second, asked(1, Place(0, 1, SHAPE.columns), 5, crops))
    merge.listen(3)
    merge.listen(4, seconds=0.3)
    assert [one.plate for one in merge.answers] == [1, 3, 1]


@contextmanager
def started(directory: Path, weights: Path, views: tuple[View, ...]) -> Iterator[ClassifyProcess]:
    """A classify process that was started and whose rounds the test makes."""
    memory = PlateMemory.create(SHAPE)
    fill(memory)
    lifeline, end = os.pipe()
    config = Config(classify=Classify(device="cpu", dtype="float32", weights=weights, views=views))
    child = ClassifyProcess(plan_of(directory, "classify", lifeline, config=config, plates_fd=memory.fd))
    child.start()
    yield child
    for endpoint in child._endpoints:
        endpoint.close()
    child.context.destroy(linger=0)
    memory.close()
    os.close(lifeline)
    os.close(end)


@pytest.fixture
def unlooped(tmp_path: Path, weights: Path) -> Iterator[tuple[ClassifyProcess, Server]]:
    """Such a process and its merge."""
    with (
        started(tmp_path, weights, VIEWS) as child,
        closing(Server(child.context, m.Sender(RUN, "merge", 0, 1), tmp_path / "crops", KEY)) as merge,
    ):
        yield child, merge


@pytest.mark.parametrize(("views", "said"), [(VIEWS, 1), (DEFAULT_VIEWS, 0)])
def test_views_that_the_temperature_was_not_fitted_for_are_a_warning_at_the_start(
    tmp_path: Path, weights: Path, views: tuple[View, ...], said: int
) -> None:
    with capture_logs() as logs, started(tmp_path, weights, views):
        pass
    warnings = [one for one in logs if one["log_level"] == "warning"]
    assert [one["event"] for one in warnings] == ["classifier in doubt"] * said
    assert all("and these are identity, flip_vertical" in one["reason"] for one in warnings)


@pytest.mark.parametrize("stored", ["12" * 32, None])
def test_weights_that_are_not_those_that_results_name_are_refused_at_the_start(
    tmp_path: Path, weights: Path, stored: str | None
) -> None:
    """As when the file was replaced, or came, while the service was running, and the classifier is started anew."""
    with closing(PlateMemory.create(SHAPE)) as memory:
        config = Config(classify=Classify(device="cpu", dtype="float32", weights=weights, views=VIEWS))
        plan = plan_of(tmp_path, "classify", 0, config=config, plates_fd=memory.fd)
        other = msgspec.structs.replace(plan, facts=plan.facts | {"classifier_sha256": stored})
        child = ClassifyProcess(other)
        with pytest.raises(UnusableError, match=f"service started with {stored}.*restart the service"):
            child.start()
        child.supervisor.close()
        child.context.destroy(linger=0)


def answered(child: ClassifyProcess, merge: Server, window: int) -> list[CropsClassified]:
    """What comes of a question about that window, after a round in which it is worked on."""
    heard: list[object] = []

    def listen() -> list[CropsClassified]:
        heard.extend(body for _, body in merge.receive(time.monotonic()))
        return [body for body in heard if isinstance(body, CropsClassified)]

    merge.send("classify-0", asked(1, Place(0, 1, SHAPE.columns), window, (Crop(0, 10, 20),)), time.monotonic())
    until = time.monotonic() + 30
    while not len(child._questions) and time.monotonic() < until:
        listen()
        for event in child._merge.receive(time.monotonic()):
            child._on_merge(event, time.monotonic())
    try:
        child.tick(time.monotonic())
    finally:
        until = time.monotonic() + 0.3
        while not listen() and time.monotonic() < until:
            time.sleep(0.01)
    return listen()


def test_a_classifier_that_goes_wrong_at_work_sends_no_answer_after_its_proof_has_grown_old(
    unlooped: tuple[ClassifyProcess, Server],
) -> None:
    child, merge = unlooped
    assert len(answered(child, merge, 1)) == 1
    with torch.no_grad():
        for parameter in child._classifiers[FIRST].classifier._network.parameters():
            parameter.mul_(-0.5)
    child._classifiers[FIRST].at = time.monotonic() - 2.1
    with pytest.raises(ClassifierError, match="known crops give wrong values"):
        answered(child, merge, 2)
    assert not [body for _, body in merge.receive(time.monotonic()) if isinstance(body, CropsClassified)]


def test_a_classifier_is_proved_anew_before_it_answers_and_not_with_every_answer(
    unlooped: tuple[ClassifyProcess, Server],
) -> None:
    child, merge = unlooped
    one = child._classifiers[FIRST]
    proved = one.at = time.monotonic()
    assert len(answered(child, merge, 1)) == 1
    assert one.at == proved
    one.at -= 2.1
    assert len(answered(child, merge, 2)) == 1
    assert one.at > proved


def test_on_a_cpu_it_listens_after_each_crop_whatever_the_batch(
    tmp_path: Path, parent: Callable[..., Parent], weights: Path
) -> None:
    """Or it would seem to hang, and work for plates that are decided."""
    config = Config(classify=Classify(device="cpu", dtype="float32", weights=weights, views=VIEWS, batch=64))
    with closing(Merge(tmp_path, parent("classify", prepare=fill, config=config))) as merge:
        crops = tuple(Crop(index, 10 + index, 20) for index in range(8))
        merge.ask(*(asked(1, Place(0, 1, SHAPE.columns), window, crops) for window in range(6)))
        merge.listen(1)
        merge.ask(CropsUnwanted(1), asked(1, Place(0, 1, SHAPE.columns), 9, crops[:1]))
        while 9 not in [one.window for one in merge.answers]:
            merge.listen(len(merge.answers) + 1)
        assert len(merge.answers) < 6


def test_what_cannot_wait_is_not_held_up_by_a_question_that_is_begun(
    unlooped: tuple[ClassifyProcess, Server],
) -> None:
    """Of an older plate, or of the same one: a question may be of eight crops, and plain ones have little time."""
    child, merge = unlooped
    assert len(answered(child, merge, 1)) == 1
    faint = tuple(Crop(index, 10, 20, faint=True) for index in range(8))
    child._memory.close_plate(PlateClosed(2, Place(1, 1, SHAPE.columns), SHAPE.rows))
    child._questions.add(asked(2, Place(1, 1, SHAPE.columns), 0, faint))
    child.tick(time.monotonic())
    child._questions.add(asked(2, Place(1, 1, SHAPE.columns), 5, (Crop(0, 10, 20),)))
    child._questions.add(question(1, 4))
    while len(child._work):
        child.tick(time.monotonic())
    heard: list[CropsClassified] = []
    until = time.monotonic() + 30
    while len(heard) < 3 and time.monotonic() < until:
        heard += [body for _, body in merge.receive(time.monotonic()) if isinstance(body, CropsClassified)]
    assert [(one.plate, one.window) for one in heard] == [(1, 4), (2, 5), (2, 0)]


def test_what_a_merge_that_is_no_more_asked_is_not_answered_to_its_successor_as_its_own(
    merge: Merge, tmp_path: Path
) -> None:
    merge.ask(asked(1, Place(0, 1, SHAPE.columns), 4, (Crop(0, 10, 20),)))
    merge.listen(1)
    assert merge.answers[0].asker == 1
    merge.link.close()
    merge.link = Server(merge.child.context, m.Sender(RUN, "merge", 0, 2), tmp_path / "crops", KEY)
    merge.ask(asked(1, Place(0, 1, SHAPE.columns), 5, (Crop(0, 10, 20),), asker=2))
    merge.listen(2)
    assert [(one.window, one.asker) for one in merge.answers] == [(4, 1), (5, 2)]


def test_the_views_that_can_be_configured_are_those_of_the_classifier() -> None:
    assert Classify().views == DEFAULT_VIEWS == get_args(View)


def test_a_heat_map_has_the_cells_that_results_count_with() -> None:
    assert GRID == HEAT_CELLS


def question(plate: int, window: int, crops: int = 1, y: int = 0) -> ClassifyCrops:
    return asked(plate, Place(0, 1, 50), window, tuple(Crop(index, 0, y) for index in range(crops)))


def test_the_oldest_plate_comes_first_and_what_is_not_ready_lets_others_pass() -> None:
    questions = Questions()
    for one in (question(2, 0), question(1, 5, 3), question(1, 4, 2), question(1, 5, 3)):
        questions.add(one)
    assert len(questions) == 3

    def taken() -> list[tuple[int, int]]:
        found = questions.take(lambda one: one.window != 5)
        return [] if found is None else [(found.plate, found.window)]

    assert [taken(), taken(), taken()] == [[(1, 4)], [(2, 0)], []]
    questions.forget(1)
    assert len(questions) == 0


def test_what_can_wait_comes_after_the_other_questions_of_its_plate() -> None:
    questions = Questions()
    faint = asked(1, Place(0, 1, 50), 0, (Crop(0, 0, 0, faint=True),))
    for one in (question(2, 9), faint, question(1, 7)):
        questions.add(one)
    taken = [questions.take(lambda _: True) for _ in range(3)]
    assert [(one.plate, one.window) for one in taken if one is not None] == [(1, 7), (1, 0), (2, 9)]


def test_only_what_goes_before_a_rank_is_taken_where_one_is_given() -> None:
    questions = Questions()
    for one in (question(2, 0), asked(1, Place(0, 1, 50), 4, (Crop(0, 0, 0, faint=True),))):
        questions.add(one)
    assert questions.take(lambda _: True, before=(1, True)) is None
    assert questions.take(lambda one: one.plate == 2, before=(2, False)) is None
    first = questions.take(lambda _: True, before=(2, False))
    assert first is not None
    assert (first.plate, first.window) == (1, 4)
    assert questions.take(lambda _: True, before=(2, False)) is None


class Counting:
    """Says of a crop how bright it is, and notes how many came together; is what is asked of any recipe."""

    def __call__(self, _recipe: int) -> Counting:
        return self

    def __init__(self) -> None:
        self.together: list[int] = []

    def classify(self, crops: Sequence[NDArray[np.uint8]]) -> list[Classified]:
        self.together.append(len(crops))
        return [Classified(float(crop.mean()) / 255, bytes(49)) for crop in crops]


def worked(*windows: tuple[int, int, int]) -> tuple[Work, Counting, Any]:
    """Work with windows (plate, window, crops) of plates as bright as their number."""
    work, counting = Work(), Counting()
    for plate, window, crops in windows:
        work.add(question(plate, window, crops), np.full((9, 9), plate, np.uint8))
    return work, counting, counting


def test_batches_go_across_windows_and_each_window_is_answered_whole() -> None:
    work, counting, classifier = worked((1, 0, 1), (1, 3, 4), (2, 0, 1))
    done = [[(one.plate, one.window, len(one.answers)) for one in work.compute(classifier, 2)] for _ in range(4)]
    assert done == [[(1, 0, 1)], [], [(1, 3, 4), (2, 0, 1)], []]
    assert counting.together == [2, 2, 2]
    assert len(work) == 0


def test_a_batch_is_of_crops_that_one_classifier_is_asked_about() -> None:
    """Recipes that share weights share batches."""
    work, shared, own = Work(), Counting(), Counting()
    for plate, recipe in ((1, 1), (2, 2), (3, 3), (4, 3)):
        work.add(asked(plate, Place(0, 1, 50, recipe), 0, (Crop(0, 0, 0),)), np.full((9, 9), plate, np.uint8))
    classifiers: dict[int, Any] = {1: shared, 2: shared, 3: own}
    done = [[one.plate for one in work.compute(classifiers.__getitem__, 9)] for _ in range(3)]
    assert done == [[1, 2], [3, 4], []]
    assert (shared.together, own.together) == ([2], [2])
    work.add(question(1, 0), np.zeros((9, 9), np.uint8))
    work.add(asked(5, Place(0, 1, 50, 3), 0, (Crop(0, 0, 0),)), np.zeros((9, 9), np.uint8))
    work.forget_recipe(3)
    assert [one.plate for one in work.compute(classifiers.__getitem__, 9)] == [1]
    assert work.compute(classifiers.__getitem__, 9) == []


def test_answers_stand_with_their_crops_and_what_is_dropped_is_not_answered() -> None:
    work, _, classifier = worked((1, 0, 2), (2, 0, 2), (2, 1, 1), (3, 0, 1))
    assert work.compute(classifier, 1) == []
    work.forget(1)
    work.forget(2, 0)
    (first, second) = work.compute(classifier, 9)
    assert (first.plate, first.window, second.plate, second.window) == (2, 1, 3, 0)
    assert [round(answer.probability * 255) for answer in (*first.answers, *second.answers)] == [2, 3]
    work.add(question(3, 0, 0), np.zeros((9, 9), np.uint8))
    work.clear()
    assert work.compute(classifier, 9) == []


def test_a_question_about_no_crops_is_answered_by_no_answers_to_whoever_asked() -> None:
    work, _, classifier = worked((1, 0, 1))
    work.add(asked(1, Place(0, 1, 50), 4, (), asker=3), np.zeros((9, 9), np.uint8))
    assert CropsClassified(1, 4, (), asker=3) in work.compute(classifier, 9)


def test_crops_that_were_read_later_go_before_those_of_a_question_that_is_begun_where_they_rank_before() -> None:
    work, _, classifier = worked((2, 0, 2))
    assert work.to_beat(2) == (2, False)
    assert work.to_beat(3) is None
    work.compute(classifier, 1)
    plate = np.full((9, 9), 1, np.uint8)
    work.add(asked(1, Place(0, 1, 50), 1, (Crop(0, 0, 0, faint=True),)), plate)
    work.add(question(1, 2, 2), plate)
    work.add(question(2, 3), plate)
    assert work.to_beat(1) == (1, False)
    done = [(one.plate, one.window, len(one.answers)) for _ in range(5) for one in work.compute(classifier, 1)]
    assert done == [(1, 2, 2), (1, 1, 1), (2, 0, 2), (2, 3, 1)]


@pytest.mark.parametrize(("y", "rows"), [(0, SIDE), (111, SIDE), (112, SIDE), (500, 612)])
def test_a_crop_needs_the_rows_that_it_will_have_when_the_plate_has_ended(y: int, rows: int) -> None:
    assert rows_needed(question(1, 0, y=y)) == rows
    plate = np.random.default_rng(1).integers(0, 255, (2000, 300), np.uint8)
    assert np.array_equal(crop_at(plate[:rows], 100, y), crop_at(plate, 100, y))
