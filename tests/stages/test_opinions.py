"""The classifier is asked once a place, believed only where its answer is whole, and waited for until its deadline."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from config.schema import Classifier, Columns, Decision, Gates, Length, Recipe, Windows
from models.detector.findings import Quality, Region
from stages.crops import Answer, Crop
from stages.events import (
    Abort,
    ClassifierLost,
    ClassifyCrops,
    CropsClassified,
    CropsUnwanted,
    Place,
    PlateClosed,
    PlateDecided,
    PlateFinal,
    PlateOpened,
    WindowScored,
)
from stages.merge import (
    AwaitClassifier,
    ClassifierDeadline,
    ClassifierStarted,
    Deadline,
    Event,
    Instruction,
    Merger,
)
from stages.opinions import MOST_AT_ONCE, MOST_BEFORE_FAINT, MOST_IN_PLATE, MOST_REPEATED, Opinions
from stages.plate import Cause, Heat, PlateResult, Verdict, WindowResult

ROWS, COLUMNS, WINDOWS = 70, 50, 12
PLACE = Place(slot=0, generation=1, columns=COLUMNS)
GOOD = Quality(unmasked=100, judged=100, lit=100, total=1e4, squares=1.1e6, fine=5.0, coarse=10.0)
HEAT = bytes(range(49))
Found = dict[int, tuple[Region, ...]]


def recipe(mode: Any, **more: Any) -> Recipe:
    return Recipe(
        name="test",
        length=Length(nominal_rows=70, tolerance=0.5),
        columns=Columns(last=50),
        windows=Windows(size=30, stride=20),
        gates=Gates(action="warn"),
        classifier=Classifier(
            **{"mode": mode, "veto_below": 0.1, "confirm_above": 0.6, "veto_most_score": 0.85, **more}
        ),
    )


def region(x: int, y: int, score: float = 0.8, *, faint: bool = False) -> Region:
    """A spot of 4 x 2 px whose peak is its first pixel."""
    runs = np.array([(y, x, x + 4), (y + 1, x, x + 4)], "<i4").tobytes()
    return Region(x, y, 4, 2, 8, score, x, y, runs, faint)


def scored(plate: int, window: int, *regions: Region) -> WindowScored:
    return WindowScored(WindowResult("run", plate, window, regions, False, GOOD, 1.0, 0.1), PLACE)


def story(plate: int, found: Found) -> list[Event]:
    """All that happens to a plate but for the classifier, in the usual order."""
    windows = [scored(plate, window, *found.get(window, ())) for window in range(WINDOWS)]
    return [PlateOpened(plate, PLACE), *windows, PlateClosed(plate, PLACE, ROWS)]


ONE: Found = {4: (region(5, 5),)}
"""One spot at x 25, y 25 of the plate, which no other window sees."""


def told(merger: Merger, events: Iterable[Event]) -> list[Instruction]:
    said = []
    for event in events:
        said += merger.handle(event)
        merger.validate()
    return said


def decisions(instructions: Iterable[Instruction]) -> list[PlateResult]:
    return [i.result for i in instructions if isinstance(i, PlateDecided)]


def asks(instructions: Iterable[Instruction]) -> list[ClassifyCrops]:
    return [i for i in instructions if isinstance(i, ClassifyCrops)]


def answer(ask: ClassifyCrops, probability: float) -> CropsClassified:
    return CropsClassified(
        ask.plate, ask.window, tuple(Answer(crop.region, probability, HEAT) for crop in reversed(ask.crops)), ask.asker
    )


def decided(mode: str, probability: float | None, found: Found | None = None) -> PlateResult:
    """A plate's result where the classifier gives that answer to everything, or none."""
    merger = Merger(recipe(mode), "run")
    done = told(merger, story(1, ONE if found is None else found))
    if probability is not None:
        done += told(merger, [answer(ask, probability) for ask in asks(done)])
    else:
        done += told(merger, [ClassifierDeadline(1)])
    (result,) = decisions(done)
    return result


def test_where_it_is_off_nothing_is_asked_and_nothing_waited_for() -> None:
    merger = Merger(recipe("off"), "run")
    done = told(merger, story(1, ONE))
    (result,) = decisions(done)
    assert not asks(done)
    assert (result.verdict, result.classifier, result.defects[0].probability) == (Verdict.NG, "off", None)


def test_the_crops_of_a_window_are_asked_about_as_soon_as_it_is_scored() -> None:
    merger = Merger(recipe("annotate"), "run")
    # Before anything else was heard of the plate: by the columns of the recipe.
    done = told(merger, [scored(1, 4, region(5, 5, 0.3), region(9, 15, 0.9))])
    assert asks(done) == [ClassifyCrops(1, PLACE, 4, (Crop(1, 29, 35), Crop(0, 25, 25)), asker=1)]


def test_a_plate_waits_for_the_answers_and_no_longer() -> None:
    merger = Merger(recipe("annotate"), "run")
    done = told(merger, story(1, ONE))
    assert done[-1] == AwaitClassifier(1)
    assert not decisions(done)
    assert not [one for one in told(merger, story(1, ONE)) if isinstance(one, AwaitClassifier)], "no new wait"
    (decide,) = told(merger, [answer(asks(done)[0], 0.75)])
    (result,) = decisions([decide])
    assert (result.defects[0].probability, result.defects[0].heat) == (0.75, Heat(25, 25, HEAT))
    assert result.classifier == "annotate"


def test_answers_that_are_there_before_the_last_window_delay_nothing() -> None:
    merger = Merger(recipe("annotate"), "run")
    *before, last = story(1, ONE)
    done = told(merger, before)
    assert told(merger, [answer(asks(done)[0], 0.5)]) == []
    (decide,) = told(merger, [last])
    assert decisions([decide])[0].defects[0].probability == 0.5


def test_the_deadline_decides_without_the_answer_and_the_classifier_is_told() -> None:
    merger = Merger(recipe("annotate"), "run")
    told(merger, story(1, ONE))
    decide, stop = told(merger, [ClassifierDeadline(1)])
    (result,) = decisions([decide])
    assert stop == CropsUnwanted(1)
    assert (result.classifier, result.verdict) == ("annotate, late: 1 of 1 crops", Verdict.NG)
    assert merger.asked.crops_late == 1


def test_a_late_answer_changes_nothing_and_is_counted() -> None:
    merger = Merger(recipe("veto"), "run")
    done = told(merger, story(1, ONE))
    (result,) = decisions(told(merger, [ClassifierDeadline(1)]))
    assert told(merger, [answer(asks(done)[0], 0.0)]) == []
    told(merger, [PlateFinal(1)])
    assert told(merger, [answer(asks(done)[0], 0.0), ClassifierDeadline(1)]) == []
    assert merger.asked.answers_late == 2
    assert result.verdict is Verdict.NG


@pytest.mark.parametrize(
    ("mode", "probability", "verdict", "vetoed"),
    [
        ("annotate", 0.0, Verdict.NG, False),
        ("annotate", None, Verdict.NG, False),
        ("veto", 0.09, Verdict.OK, True),
        ("veto", 0.1, Verdict.NG, False),
        ("veto", None, Verdict.NG, False),
        ("confirm", 0.6, Verdict.NG, False),
        ("confirm", 0.59, Verdict.OK, True),
        ("confirm", None, Verdict.INCONCLUSIVE, False),
    ],
)
def test_what_the_chance_does_is_the_recipes_choice(
    mode: str, probability: float | None, verdict: Verdict, vetoed: bool
) -> None:
    result = decided(mode, probability)
    assert (result.verdict, result.defects[0].vetoed) == (verdict, vetoed)
    assert result.defects[0].unanswered == (probability is None)
    assert (Cause.CLASSIFIER_LATE in result.causes) == (verdict is Verdict.INCONCLUSIVE)
    assert bool(result.warnings) == vetoed
    assert result.complete


@pytest.mark.parametrize(
    ("mode", "score", "verdict"),
    [
        ("veto", 0.85, Verdict.OK),
        ("veto", 0.851, Verdict.NG),
        ("confirm", 0.99, Verdict.OK),
    ],
)
def test_what_the_detector_is_sure_of_is_not_vetoed(mode: str, score: float, verdict: Verdict) -> None:
    result = decided(mode, 0.0, {4: (region(5, 5, score),)})
    assert (result.verdict, result.defects[0].vetoed) == (verdict, verdict is Verdict.OK)
    assert result.defects[0].probability == 0.0


def test_how_sure_that_is_is_the_recipes_choice() -> None:
    for most, verdict in ((0.7, Verdict.NG), (0.85, Verdict.OK)):
        merger = Merger(recipe("veto", veto_most_score=most), "run")
        (ask,) = asks(told(merger, story(1, ONE)))
        (result,) = decisions(told(merger, [answer(ask, 0.0)]))
        assert result.verdict is verdict


@pytest.mark.parametrize("mode", ["veto", "confirm"])
def test_a_score_that_is_no_number_is_not_vetoed(mode: str) -> None:
    assert decided(mode, 0.0, {4: (region(5, 5, math.nan),)}).verdict is Verdict.NG


def test_a_defect_without_an_answer_beside_one_that_is_confirmed_is_ng_and_says_both() -> None:
    merger = Merger(recipe("confirm"), "run")
    done = told(merger, story(1, {0: (region(2, 2),), 11: (region(5, 5),)}))
    done += told(merger, [answer(asks(done)[0], 0.9), ClassifierDeadline(1)])
    (result,) = decisions(done)
    assert result.causes == (Cause.DEFECT, Cause.CLASSIFIER_LATE)
    assert "1 defect without an answer of the classifier (confirm, late: 1 of 2 crops)" in result.reason


# Two spots that touch: one defect of two crops.
TWO: Found = {4: (region(5, 5, 0.9), region(9, 5, 0.8))}


@pytest.mark.parametrize(("mode", "verdict"), [("veto", Verdict.NG), ("confirm", Verdict.INCONCLUSIVE)])
def test_a_defect_is_vetoed_only_when_each_crop_that_makes_it_ng_is_answered(mode: str, verdict: Verdict) -> None:
    ask = ClassifyCrops(1, PLACE, 4, (Crop(0, 25, 25),), asker=1)
    merger = Merger(recipe(mode), "run")
    # The second of the two crops is asked with another window, and stays without an answer.
    events = [scored(1, 4, TWO[4][0]), scored(1, 5, region(-11, 5, 0.8))]
    done = told(merger, [*events, *(e for e in story(1, {}) if not isinstance(e, WindowScored))])
    done += told(merger, [scored(1, window) for window in range(WINDOWS)])
    assert asks(done) == [ask, ClassifyCrops(1, PLACE, 5, (Crop(0, 29, 25),), asker=1)]
    (result,) = decisions(told(merger, [answer(ask, 0.01), ClassifierDeadline(1)]))
    assert (result.defects[0].probability, result.defects[0].unanswered) == (0.01, 1)
    assert result.verdict is verdict


def test_a_defect_has_the_highest_chance_of_its_crops() -> None:
    merger = Merger(recipe("annotate"), "run")
    told(merger, story(1, TWO))
    other = bytes(49)
    answers = (Answer(0, 0.2, HEAT), Answer(1, 0.7, other))
    (result,) = decisions(told(merger, [CropsClassified(1, 4, answers, asker=1)]))
    (defect,) = result.defects
    assert (defect.probability, defect.heat) == (0.7, Heat(29, 25, other))
    assert (defect.peak_x, defect.score) == (25, 0.9)


def test_a_peak_that_two_windows_see_is_asked_about_once() -> None:
    merger = Merger(recipe("annotate"), "run")
    done = told(merger, story(1, {4: (region(22, 5),), 5: (region(2, 5),)}))
    assert asks(done) == [ClassifyCrops(1, PLACE, 4, (Crop(0, 42, 25),), asker=1)]
    (result,) = decisions(told(merger, [answer(asks(done)[0], 0.5)]))
    assert (result.defects[0].probability, result.classifier) == (0.5, "annotate")


def spots(count: int) -> tuple[Region, ...]:
    return tuple(region(2 * i % 20, 2 * (i // 10), 0.5 + i / 1000) for i in range(count))


def test_of_many_crops_in_a_window_the_best_scored_are_asked_about_and_the_next_once_they_are_answered() -> None:
    merger = Merger(recipe("annotate"), "run")
    (first,) = asks(told(merger, story(1, {4: spots(MOST_AT_ONCE + 3)})))
    assert [crop.region for crop in first.crops] == list(range(MOST_AT_ONCE + 2, 2, -1))
    (rest,) = asks(told(merger, [answer(first, 0.5)]))
    assert [crop.region for crop in rest.crops] == [2, 1, 0]
    assert told(merger, [answer(first, 0.9)]) == []
    (result,) = decisions(told(merger, [answer(rest, 0.5)]))
    assert result.classifier == "annotate"
    counters = merger.asked
    assert (counters.crops_classified, counters.answers_repeated) == (MOST_AT_ONCE + 3, 1)


def test_what_there_was_no_time_to_ask_about_is_late_too() -> None:
    merger = Merger(recipe("annotate"), "run")
    (first,) = asks(told(merger, story(1, {4: spots(MOST_AT_ONCE + 3)})))
    (result,) = decisions(told(merger, [answer(first, 0.5), ClassifierDeadline(1)]))
    assert result.classifier == f"annotate, late: 3 of {MOST_AT_ONCE + 3} crops"
    assert merger.asked.crops_late == 3


@pytest.mark.parametrize(("window", "peak"), [(5, 28), (3, -3)])
def test_a_peak_beyond_the_plate_is_not_asked_about_and_is_counted(window: int, peak: int) -> None:
    merger = Merger(recipe("veto"), "run")
    beyond = replace(region(5, 5), peak_x=peak)
    done = told(merger, story(1, {window: (beyond, region(5, 15))}))
    (ask,) = asks(done)
    assert len(ask.crops) == 1
    (result,) = decisions(told(merger, [answer(ask, 0.0)]))
    assert result.classifier == "veto, left out: 1 of 2 crops"
    assert merger.asked.crops_left_out == 1
    assert result.verdict is Verdict.NG


def test_no_plate_asks_without_end() -> None:
    opinions = Opinions(recipe("annotate").model_copy(update={"columns": None}))
    sent = [opinions.ask(scored(1, window, *spots(8)).result, PLACE, 10_000) for window in range(100)]
    assert sum(len(ask.crops) for one in sent for ask in one) == MOST_IN_PLATE
    assert (
        opinions.summary(1) == f"annotate, late: {MOST_IN_PLATE}"
        f" of 800 crops, left out: {800 - MOST_IN_PLATE} of 800 crops"
    )


# --- faint regions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chance", "verdict"), [(0.1, Verdict.NG), (0.09, Verdict.OK), (None, Verdict.OK)])
def test_a_faint_region_is_a_defect_only_where_the_classifier_takes_it_for_a_crack(
    chance: float | None, verdict: Verdict
) -> None:
    result = decided("veto", chance, {4: (region(5, 5, 0.45, faint=True),)})
    assert result.verdict is verdict
    assert [defect.vetoed for defect in result.defects] == [] if chance is None else [verdict is Verdict.OK]
    assert result.classifier == ("veto, late: 1 of 1 crops" if chance is None else "veto")
    if verdict is Verdict.NG:
        assert result.reason == (
            "1 defect below 0.50 that the classifier takes for a crack, worst 0.45 at x 25, y 25 with a chance of 0.10"
        )


@pytest.mark.parametrize("chance", [0.0, 1.0, None])
def test_a_faint_region_without_an_answer_changes_nothing_of_the_defect_that_it_touches(chance: float | None) -> None:
    merger = Merger(recipe("veto"), "run")
    strong, faint = asks(told(merger, [scored(1, 4, region(5, 5)), scored(1, 5, region(-11, 5, 0.4, faint=True))]))
    done = told(merger, story(1, {}))
    if chance is not None:
        done += told(merger, [answer(strong, chance)])
    done += told(merger, [ClassifierDeadline(1)])
    (result,) = decisions(done)
    assert (result.defects[0].width, result.defects[0].unanswered) == (4, chance is None)
    assert result.verdict is (Verdict.OK if chance == 0.0 else Verdict.NG)
    assert faint.crops[0].faint


@pytest.mark.parametrize(("least", "score", "ng"), [(0.7, 0.6, True), (0.7, 0.57, False), (0.3, 0.4, True)])
@pytest.mark.parametrize("chance", [0.9, None])
def test_the_least_score_of_the_recipe_is_a_feature_unit_lower_for_what_the_classifier_takes_for_a_crack(
    least: float, score: float, ng: bool, chance: float | None
) -> None:
    one = recipe("veto").model_copy(update={"decision": Decision(ng_score=least)})
    merger = Merger(one, "run")
    (ask,) = asks(told(merger, story(1, {4: (region(5, 5, score, faint=score < 0.5),)})))
    done = told(merger, [ClassifierDeadline(1)] if chance is None else [answer(ask, chance)])
    (result,) = decisions(done)
    assert result.verdict is (Verdict.NG if ng and chance is not None else Verdict.OK)


def test_faint_crops_are_asked_about_after_the_others_and_leave_room_for_them() -> None:
    merger = Merger(recipe("veto"), "run")
    (first,) = asks(told(merger, [scored(1, 4, region(5, 5, 0.4, faint=True), region(9, 15, 0.9))]))
    assert first.crops == (Crop(1, 29, 35),)
    assert asks(told(merger, [answer(first, 0.9)])) == [
        ClassifyCrops(1, PLACE, 4, (Crop(0, 25, 25, faint=True),), asker=1)
    ]

    opinions = Opinions(recipe("veto").model_copy(update={"columns": None}))
    weak = tuple(replace(one, faint=True) for one in spots(8))
    sent = [opinions.ask(scored(1, window, *weak).result, PLACE, 10_000) for window in range(100)]
    assert sum(len(ask.crops) for one in sent for ask in one) == MOST_BEFORE_FAINT
    (ask,) = opinions.ask(scored(1, 100, *spots(8)).result, PLACE, 10_000)
    assert len(ask.crops) == 8


def without_faint(found: Found) -> Found:
    return {window: tuple(one for one in regions if not one.faint) for window, regions in found.items()}


def as_off(result: PlateResult) -> PlateResult:
    """The result less what tells that a classifier was to be asked."""
    return replace(result, classifier="off", defects=tuple(replace(defect, unanswered=0) for defect in result.defects))


GARBAGE = [
    (Answer(0, math.nan, HEAT),),
    (Answer(0, -0.01, HEAT),),
    (Answer(0, 1.01, HEAT),),
    (Answer(0, math.inf, HEAT),),
    (Answer(0, 0.5, b""),),
    (Answer(0, 0.5, HEAT * 2),),
    (Answer(1, 0.5, HEAT),),
    (Answer(-1, 0.5, HEAT),),
    (),
    (Answer(0, 0.5, HEAT), Answer(0, 0.6, HEAT)),
    (Answer(0, 0.5, HEAT), Answer(1, 0.6, HEAT)),
]


@pytest.mark.parametrize("answers", GARBAGE)
def test_garbage_is_dropped_and_counted_and_the_true_answer_still_taken(answers: tuple[Answer, ...]) -> None:
    merger = Merger(recipe("veto"), "run")
    (ask,) = asks(told(merger, story(1, ONE)))
    assert told(merger, [CropsClassified(1, 4, answers, asker=1)]) == []
    assert merger.asked.answers_malformed == 1
    (result,) = decisions(told(merger, [answer(ask, 0.01)]))
    assert result.verdict is Verdict.OK


def test_answers_to_what_was_not_asked_and_second_answers_are_counted_apart() -> None:
    merger = Merger(recipe("annotate"), "run")
    *before, _last = story(1, ONE)
    (ask,) = asks(told(merger, before))
    told(merger, [answer(structs.replace(ask, plate=9), 0.5), answer(structs.replace(ask, window=5), 0.5)])
    told(merger, [answer(ask, 0.5), answer(ask, 0.9)])
    counters = merger.asked
    assert (counters.answers_unasked, counters.answers_repeated, counters.crops_classified) == (2, 1, 1)
    assert merger.open_plates == (1,)


def test_an_answer_to_what_another_merger_asked_is_not_believed_for_it_may_number_its_regions_otherwise() -> None:
    merger = Merger(recipe("annotate"), "run", incarnation=2)
    done = told(merger, story(1, ONE))
    (ask,) = asks(done)
    assert ask.asker == 2
    assert told(merger, [structs.replace(answer(ask, 0.5), asker=1)]) == []
    assert merger.asked.answers_of_another == 1
    assert decisions(told(merger, [answer(ask, 0.5)]))


def test_a_new_classifier_is_asked_again_for_what_is_not_answered() -> None:
    merger = Merger(recipe("annotate"), "run")
    done = told(merger, [*story(2, ONE), *story(1, ONE | {8: (region(3, 3),)})])
    answered = next(ask for ask in asks(done) if (ask.plate, ask.window) == (1, 4))
    told(merger, [answer(answered, 0.5)])
    again = asks(told(merger, [ClassifierStarted()]))
    assert [(ask.plate, ask.window) for ask in again] == [(1, 8), (2, 4)]
    assert set(again) < set(asks(done))


def test_what_no_classifier_has_answered_is_asked_again_of_two_more_and_then_no_longer() -> None:
    """A crop may be what ends each of them."""
    merger = Merger(recipe("veto"), "run")
    *before, last = story(1, {4: spots(MOST_AT_ONCE + 1), 8: (region(3, 3),)})
    first, other = asks(told(merger, before))
    assert asks(told(merger, [ClassifierStarted()])) == [first, other]
    told(merger, [answer(other, 0.0)])
    assert asks(told(merger, [ClassifierStarted()])) == [first]
    (rest,) = asks(told(merger, [ClassifierStarted()]))
    assert (rest.window, len(rest.crops)) == (4, 1)
    # Each question has its own count; an answer to what was dropped is not believed.
    assert asks(told(merger, [answer(first, 0.0), ClassifierStarted()])) == [rest]
    (result,) = decisions(told(merger, [answer(rest, 0.0), last]))
    assert (result.verdict, result.classifier) == (Verdict.NG, f"veto, left out: {MOST_AT_ONCE} of 10 crops")
    counters = merger.asked
    assert (counters.crops_classified, counters.crops_unheard, counters.crops_late) == (2, MOST_AT_ONCE, 0)


def test_a_plate_that_waits_for_nothing_but_what_is_asked_no_more_is_decided_then() -> None:
    merger = Merger(recipe("veto"), "run")
    told(merger, story(1, ONE))
    done = [told(merger, [ClassifierStarted()]) for _ in range(MOST_REPEATED + 1)]
    assert [len(decisions(one)) for one in done] == [0] * MOST_REPEATED + [1]


def test_a_place_that_no_classifier_has_answered_is_not_asked_about_by_another_window_that_sees_it() -> None:
    merger = Merger(recipe("veto"), "run")
    told(merger, [scored(1, 4, region(1, 5)), *[ClassifierStarted()] * (MOST_REPEATED + 1)])
    assert asks(told(merger, [scored(1, 3, region(21, 5))])) == []
    (result,) = decisions(told(merger, story(1, {})))
    assert result.classifier == "veto, left out: 1 of 1 crops"


def test_without_a_classifier_plates_are_decided_at_once_and_say_so() -> None:
    merger = Merger(recipe("veto"), "run")
    (result,) = decisions(told(merger, [*story(1, ONE), ClassifierLost()]))
    assert result.classifier == "veto, absent: 1 of 1 crops"
    done = told(merger, [*story(2, ONE), *story(3, {}), ClassifierStarted()])
    assert [r.classifier for r in decisions(done)] == ["veto, absent: 1 of 1 crops", "veto, absent"]
    assert not asks(done)
    assert {r.verdict for r in decisions(done)} == {Verdict.NG, Verdict.OK}


def test_what_is_left_out_of_a_plate_and_what_there_was_nobody_to_ask_about_are_counted_apart() -> None:
    merger = Merger(recipe("veto"), "run")
    beyond = replace(region(5, 5), peak_x=28)
    done = told(merger, [*story(1, {5: (beyond,)}), ClassifierLost(), *story(2, ONE), *story(3, {5: (beyond,)})])
    assert [result.classifier for result in decisions(done)] == [
        "veto, left out: 1 of 1 crops",
        "veto, absent: 1 of 1 crops",
        "veto, absent: 1 of 1 crops",
    ]
    counters = merger.asked
    assert (counters.crops_left_out, counters.crops_unheard, counters.crops_late) == (2, 1, 0)


@pytest.mark.parametrize("end", [Deadline(1), Abort(Cause.SHUTDOWN), Abort(Cause.ROLE_LOST)])
def test_whatever_else_ends_a_plate_does_not_wait_for_the_classifier(end: Event) -> None:
    merger = Merger(recipe("annotate"), "run")
    told(merger, story(1, ONE))
    (result,) = decisions(told(merger, [end]))
    assert result.classifier == "annotate, late: 1 of 1 crops"


@pytest.mark.parametrize(("mode", "causes"), [("annotate", ()), ("confirm", (Cause.CLASSIFIER_LATE,))])
def test_a_plate_that_lacks_only_answers_at_its_own_deadline_is_not_late(mode: str, causes: tuple[Cause, ...]) -> None:
    """With `annotate` a classifier that hangs costs no verdict, whatever deadlines the recipe has."""
    merger = Merger(recipe(mode), "run")
    found: Found = {4: (region(5, 5, 0.8 if causes else 0.3),)}
    assert told(merger, story(1, found))[-1] == AwaitClassifier(1)
    (result,) = decisions(told(merger, [Deadline(1)]))
    assert result.causes == causes
    assert result.classifier == f"{mode}, late: 1 of 1 crops"


def test_a_deadline_out_of_place_decides_nothing() -> None:
    merger = Merger(recipe("annotate"), "run")
    *before, last = story(1, ONE)
    assert told(merger, [ClassifierDeadline(1), *before, ClassifierDeadline(1)])[-1:] != [AwaitClassifier(1)]
    assert told(merger, [last]) == [AwaitClassifier(1)]


def test_windows_that_the_plate_turns_out_not_to_have_are_not_waited_for() -> None:
    merger = Merger(recipe("annotate"), "run")
    done = told(merger, [scored(1, 11, region(5, 5)), *(scored(1, window) for window in range(3))])
    assert len(asks(done)) == 1
    (result,) = decisions(told(merger, [PlateClosed(1, PLACE, 20)]))
    assert (result.classifier, result.defects) == ("annotate", ())


def test_a_place_that_only_such_a_window_was_asked_about_is_asked_about_with_the_next_that_sees_it() -> None:
    cover = recipe("annotate").model_copy(update={"windows": Windows(size=30, stride=20, rule="cover")})
    merger = Merger(cover, "run")
    done = told(merger, [scored(1, 4, region(5, 5)), PlateClosed(1, PLACE, 50)])  # which has windows 0 to 3
    assert asks(done) == [ClassifyCrops(1, PLACE, 4, (Crop(0, 5, 45),), asker=1)]
    assert asks(told(merger, [scored(1, 2, region(5, 25))])) == [ClassifyCrops(1, PLACE, 2, (Crop(0, 5, 45),), asker=1)]


def test_a_plate_that_was_final_all_along_is_no_longer_asked_about() -> None:
    merger = Merger(recipe("annotate"), "run")
    told(merger, story(1, ONE))
    assert CropsUnwanted(1) in told(merger, [PlateFinal(1)])
    assert told(merger, [ClassifierStarted()]) == []


# --- any order -------------------------------------------------------------------------------------------------

places = st.tuples(st.integers(0, WINDOWS - 1), st.integers(0, 25), st.integers(0, 27))


def chance_of(crop: Crop) -> float:
    """What the classifier thinks of a place: always the same."""
    return (0.0, 0.05, 0.3, 0.59, 0.9)[(7 * crop.x + crop.y) % 5]


def true_answer(ask: ClassifyCrops) -> CropsClassified:
    return CropsClassified(
        ask.plate, ask.window, tuple(Answer(crop.region, chance_of(crop), HEAT) for crop in ask.crops), ask.asker
    )


def found_at(spread: Iterable[tuple[int, int, int]]) -> Found:
    found: Found = {}
    for window, x, y in spread:
        inside = window % 3 * 20 + x < COLUMNS and window // 3 * 20 + y < ROWS - 1
        if inside:
            found[window] = (*found.get(window, ()), region(x, y, 0.4 + (x + y) % 5 / 10))
    return found


@settings(max_examples=150, deadline=None)
@given(
    mode=st.sampled_from(["annotate", "veto", "confirm"]),
    spread=st.lists(places, max_size=8, unique=True),
    rng=st.randoms(use_true_random=False),
    repeats=st.integers(0, 10),
)
def test_whatever_the_order_of_windows_and_answers_the_decision_is_one_and_the_same(
    mode: str, spread: list[tuple[int, int, int]], rng: random.Random, repeats: int
) -> None:
    found = found_at(spread)
    calm = Merger(recipe(mode), "run")
    done = told(calm, story(1, found))
    (expected,) = decisions(done + told(calm, map(true_answer, asks(done))))

    merger = Merger(recipe(mode), "run")
    waiting = story(1, found)
    waiting += rng.choices(waiting, k=repeats)
    results: list[PlateResult] = []
    starts = MOST_REPEATED
    while waiting:
        event = waiting.pop(rng.randrange(len(waiting)))
        done = merger.handle(event)
        results += decisions(done)
        for ask in asks(done):
            # Some answers come twice, some after garbage, some only when the classifier was started anew.
            waiting += [true_answer(ask)] * rng.randint(1, 2)
            waiting += [CropsClassified(ask.plate, ask.window, rng.choice(GARBAGE[:6]) * 2, ask.asker)] * rng.randint(
                0, 1
            )
            anew = rng.randint(0, min(1, starts))
            waiting += [ClassifierStarted()] * anew
            starts -= anew
    assert results == [expected]


many = st.lists(st.tuples(places, st.floats(0.2, 1.0), st.booleans()), max_size=40)


def found_in(spread: Iterable[tuple[tuple[int, int, int], float, bool]]) -> Found:
    found: Found = {}
    for (window, x, y), score, faint in spread:
        found[window] = (*found.get(window, ()), region(x, y, score, faint=faint))
    return found


@settings(max_examples=150, deadline=None)
@given(
    found=many.map(found_in),
    ng_score=st.sampled_from([0.3, 0.5, 0.7]),
    lost=st.sampled_from(["before", "after", "late", "silent"]),
)
def test_without_answers_a_plate_is_decided_as_where_the_classifier_is_off(
    found: Found, ng_score: float, lost: str
) -> None:
    decision = {"decision": Decision(ng_score=ng_score)}
    off = Merger(recipe("off").model_copy(update=decision), "run")
    (expected,) = decisions(told(off, story(1, without_faint(found))))

    merger = Merger(recipe("veto").model_copy(update=decision), "run")
    done = told(merger, [ClassifierLost()] if lost == "before" else [])
    done += told(merger, story(1, found))
    asked = asks(done)
    done += told(merger, [ClassifierLost() if lost == "after" else ClassifierDeadline(1)])
    if lost == "late":
        done += told(merger, [true_answer(ask) for ask in asked])
    (result,) = decisions(done)
    assert as_off(result) == expected
    if found:
        assert result.classifier != "veto"


@settings(max_examples=150, deadline=None)
@given(found=many.map(found_in), rng=st.randoms(use_true_random=False))
def test_with_some_answers_what_lacks_one_still_makes_its_plate_ng(found: Found, rng: random.Random) -> None:
    (off,) = decisions(told(Merger(recipe("off"), "run"), story(1, without_faint(found))))
    merger = Merger(recipe("veto"), "run")
    done = told(merger, story(1, found))
    waiting, answered = asks(done), dict[tuple[int, int], float]()
    while waiting and rng.random() < 0.8:
        ask = waiting.pop(rng.randrange(len(waiting)))
        answered |= {(crop.x, crop.y): chance_of(crop) for crop in ask.crops}
        more = merger.handle(true_answer(ask))
        waiting += asks(more)
        done += more
    (result,) = decisions([*done, *merger.handle(ClassifierDeadline(1))])
    for window, regions in found.items():
        for one in regions:
            place = (window % 3 * 20 + one.peak_x, window // 3 * 20 + one.peak_y)
            whole = place[0] + 4 <= COLUMNS and place[1] + 2 <= ROWS
            if whole and not one.faint and one.score >= 0.5 and place not in answered:
                assert result.verdict is Verdict.NG
    if result.verdict is not off.verdict:
        assert answered
    assert {defect.faint for defect in result.defects} <= {bool(answered), False}


@settings(max_examples=150, deadline=None)
@given(
    mode=st.sampled_from(["annotate", "veto", "confirm"]),
    spread=st.lists(places, max_size=8, unique=True),
    rng=st.randoms(use_true_random=False),
)
def test_however_many_answers_are_lost_there_is_one_decision_at_the_deadline_and_never_a_wrong_ok(
    mode: str, spread: list[tuple[int, int, int]], rng: random.Random
) -> None:
    found = found_at(spread)
    merger = Merger(recipe(mode), "run")
    waiting, awaited = story(1, found), False
    results: list[PlateResult] = []
    asked: list[ClassifyCrops] = []
    believed: dict[tuple[int, int], float] = {}
    while waiting:
        event = waiting.pop(rng.randrange(len(waiting)))
        done = merger.handle(event)
        results += decisions(done)
        awaited |= AwaitClassifier(1) in done
        asked += asks(done)
        for ask in asks(done):
            if rng.random() < 0.5:
                waiting.append(true_answer(ask))
            waiting += [ClassifierStarted()] * rng.randint(0, 1)
        if isinstance(event, CropsClassified) and not decisions(done) and not results:
            crops = next(ask.crops for ask in asked if ask.window == event.window)
            believed |= {(crop.x, crop.y): chance_of(crop) for crop in crops}
    if not results:
        assert awaited
        results += decisions(merger.handle(ClassifierDeadline(1)))
    (result,) = results
    assert merger.handle(ClassifierDeadline(1)) == []
    dangerous = {
        (window % 3 * 20 + r.peak_x, window // 3 * 20 + r.peak_y)
        for window, regions in found.items()
        for r in regions
        if r.score >= 0.5
    }
    if result.verdict is Verdict.OK and dangerous:
        assert mode != "annotate"
        assert result.classifier == mode or all(defect.unanswered == 0 for defect in result.defects)
        assert all(defect.vetoed for defect in result.defects if defect.score >= 0.5)
    if len(believed) < len(dangerous) and mode == "annotate":
        assert result.verdict is Verdict.NG
