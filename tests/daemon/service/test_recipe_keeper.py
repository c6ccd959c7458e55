"""What a running service does when it is asked for other recipes, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from config.load import load_config, load_recipes
from daemon.service.plans import plate_shape, run_facts
from daemon.service.recipe_answers import Answer
from daemon.service.recipe_keeper import RecipeKeeper
from daemon.service.recipes import Recipes
from daemon.service.sources import Sources
from daemon.telemetry.metrics import Metrics
from daemon.wire.messages import AnyMessage, JudgeBy, JudgesBy, KeepRecipes, LoadRecipe, RecipeLoaded

PROCESSES = ("acquire-0", "detect-0", "merge-0")
CLASSIFIER, CHALLENGER = "classify-0", "challenge-0"
SMALL: dict[str, Any] = {"name": "small", "length": {"nominal_rows": 400}, "columns": {"last": 400}}
LOAD_S = 10.0


class Service:
    """The keeper of a service whose processes say what a test has them say."""

    def __init__(self, directory: Path, processes: Collection[str] = PROCESSES) -> None:
        self.directory = directory
        self.write("small", SMALL)
        self.write("other", SMALL | {"name": "other"})
        self.write("line", {"camera": {"source": "simulator"}, "recipe": "small.yaml", "recipes": ["other.yaml"]})
        path = directory / "line.yaml"
        config = load_config(path)
        sources = Sources(config, load_recipes(config), path)
        self.sent: list[tuple[str, AnyMessage]] = []
        self.answers: list[Answer] = []
        self.at_work = True
        self.lost: set[str] = set()
        self.started: list[str] = []
        self.next_plate = 5
        self.now = 0.0
        self.metrics = Metrics("0", "small")
        recipes = Recipes(sources, run_facts("a" * 32, config, sources.recipes[0]), directory)
        self.keeper = RecipeKeeper(
            recipes,
            plate_shape(config, sources.recipes),
            processes=processes,
            lost=lambda: self.lost,
            start=self.started.append,
            at_work=lambda: self.at_work,
            send=lambda name, body: self.sent.append((name, body)),
            next_plate=lambda: self.next_plate,
            decided=lambda: None,
            load_s=LOAD_S,
            metrics=self.metrics,
        )

    def write(self, name: str, values: dict[str, Any]) -> None:
        (self.directory / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    def step(self, *plates: int) -> None:
        self.keeper.step(self.now, lambda: plates)

    def change_to(self, name: str) -> None:
        self.keeper.change_to(name, "test", self.answers.append, self.now)

    def reload(self) -> None:
        """Ask, and wait until the files are read."""
        self.keeper.reload("test", self.answers.append, self.now)
        until = time.monotonic() + 10
        while self.keeper._reader.busy and time.monotonic() < until:
            self.step()
            time.sleep(0.002)

    def all_load(self, number: int) -> None:
        for process in PROCESSES:
            self.keeper.hear(process, RecipeLoaded(number), self.now)

    def told(self, kind: type[Any]) -> list[Any]:
        return [body for _, body in self.sent if isinstance(body, kind)]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    yield one
    one.keeper.close()


def test_another_loaded_recipe_judges_when_all_have_it_and_acquisition_has_begun(service: Service) -> None:
    service.change_to("other")
    service.all_load(2)
    assert service.told(JudgeBy) == [JudgeBy(2, 5)]
    assert (service.keeper.number_of(4), service.keeper.number_of(5)) == (1, None)
    service.keeper.hear("acquire-0", JudgesBy(2, 6), service.now)
    assert [service.keeper.number_of(plate) for plate in (5, 6)] == [1, 2]
    (answer,) = service.answers
    assert (answer.outcome, answer.recipe, answer.first_plate) == ("changed", "other", 6)
    assert service.metrics.total("recipe_changes_total", "changed") == 1


def test_that_a_replay_goes_on_with_sheets_of_the_first_recipe_is_said_once(service: Service) -> None:
    with capture_logs() as logs:
        for number, name in ((2, "other"), (1, "small"), (2, "other")):
            service.change_to(name)
            service.all_load(number)
            service.keeper.hear("acquire-0", JudgesBy(number, 6), service.now)
    said = [one["event"] for one in logs if "replay" in one["event"]]
    assert said == ["the camera is a replay (simulator): it goes on with sheets of small"]


def test_the_recipe_that_judges_already_is_no_change_and_one_that_is_not_loaded_is_refused(service: Service) -> None:
    service.change_to("small")
    service.change_to("none\n")
    assert [(one.outcome, one.first_plate) for one in service.answers] == [("unchanged", 5), ("refused", None)]
    assert service.answers[1].text == "recipe none\\x0a is not loaded; loaded: small, other"
    assert service.sent == []


@pytest.mark.parametrize("at_work", [True, False])
def test_who_asks_again_for_the_change_that_is_under_way_gets_its_answer(service: Service, at_work: bool) -> None:
    service.at_work = at_work
    service.change_to("other")
    service.change_to("other")
    service.at_work = True
    service.step()
    service.all_load(2)
    service.keeper.hear("acquire-0", JudgesBy(2, 5), service.now)
    assert [(one.outcome, one.first_plate) for one in service.answers] == [("changed", 5)] * 2
    assert service.metrics.total("recipe_changes_total", "changed") == 1


def test_two_changes_at_once_are_the_first_one(service: Service) -> None:
    service.change_to("other")
    service.change_to("small")
    service.keeper.reload("test", service.answers.append, service.now)
    assert [one.text for one in service.answers] == ["another change is under way: try again when it is done"] * 2
    service.all_load(2)
    service.keeper.hear("acquire-0", JudgesBy(2, 5), service.now)
    assert service.answers[-1].outcome == "changed"


def test_a_change_waits_for_a_service_that_starts_but_not_for_ever(service: Service) -> None:
    service.at_work = False
    service.change_to("other")
    service.step()
    assert (service.sent, service.answers) == ([], [])
    service.at_work = True
    service.step()
    assert len(service.told(LoadRecipe)) == len(PROCESSES)
    service.keeper.hear("detect-0", RecipeLoaded(2, "no weights"), service.now)
    service.at_work = False
    service.change_to("other")
    service.now += LOAD_S + 1
    service.step()
    assert [one.text for one in service.answers] == [
        "detect-0: no weights",
        "not all processes are at work: see the log and /healthz, and try again",
    ]


@pytest.mark.parametrize("at_work", [True, False])
def test_a_service_that_stops_changes_nothing_any_more(service: Service, at_work: bool) -> None:
    service.at_work = at_work
    service.change_to("other")
    service.keeper.stopping(service.now)
    assert [one.text for one in service.answers] == ["the service stops"]


def test_what_was_loaded_for_a_change_that_is_refused_is_let_go(service: Service) -> None:
    service.write("small", SMALL | {"description": "new"})
    service.reload()
    assert [recipe.recipe.number for recipe in service.told(LoadRecipe)] == [3] * len(PROCESSES)
    service.keeper.hear("merge-0", RecipeLoaded(3), service.now)
    service.keeper.gone("detect-0", [], service.now)
    assert service.answers[-1].text == "detect-0 ended while it was loading"
    assert service.told(KeepRecipes) == [KeepRecipes((1, 2))] * len(PROCESSES)
    assert service.keeper.further == service.keeper.recipes.further


@pytest.mark.parametrize("half", ["name: small\nlength: {nominal", "name: sm", ""])
def test_a_file_that_is_half_written_changes_nothing_and_is_told_with_its_name(service: Service, half: str) -> None:
    (service.directory / "small.yaml").write_text(half, encoding="utf-8")
    service.reload()
    (answer,) = service.answers
    assert (answer.outcome, service.sent) == ("refused", [])
    assert "small.yaml" in answer.text


def test_files_in_which_nothing_is_new_change_nothing(service: Service) -> None:
    service.reload()
    assert [one.outcome for one in service.answers] == ["unchanged"]
    assert service.sent == []


def test_a_key_that_needs_a_restart_is_named_and_nothing_else_is_changed_either(service: Service) -> None:
    keys = {"camera": {"source": "simulator", "strip_rows": 64}, "recipe": "small.yaml", "recipes": ["other.yaml"]}
    service.write("line", keys)
    service.write("small", SMALL | {"description": "new"})
    service.reload()
    (answer,) = service.answers
    assert (answer.outcome, answer.text) == ("restart", "camera.strip_rows: changes with a restart alone")
    assert service.sent == []


@pytest.fixture
def classifying(tmp_path: Path) -> Iterator[Service]:
    """One whose recipes ask the classifier."""
    one = Service(tmp_path, (*PROCESSES, CLASSIFIER))
    yield one
    one.keeper.close()


def test_a_reload_waits_for_the_classifier_and_a_change_to_what_it_has_does_not(classifying: Service) -> None:
    """A role without which the line goes on keeps no product from its line."""
    classifying.change_to("other")
    classifying.all_load(2)
    assert classifying.told(JudgeBy) == [JudgeBy(2, 5)]
    classifying.keeper.hear("acquire-0", JudgesBy(2, 5), classifying.now)
    classifying.write("other", SMALL | {"name": "other", "description": "new"})
    classifying.reload()
    classifying.all_load(3)
    assert len(classifying.told(JudgeBy)) == 1
    classifying.keeper.hear(CLASSIFIER, RecipeLoaded(3), classifying.now)
    assert classifying.told(JudgeBy)[1:] == [JudgeBy(3, 5)]


def test_the_first_recipe_that_asks_the_classifier_has_its_process_started_and_waits_for_it(service: Service) -> None:
    service.write("other", SMALL | {"name": "other", "classifier": {"mode": "annotate"}})
    service.reload()
    service.all_load(3)
    service.all_load(1)
    assert (service.started, service.answers) == (["classify"], [])
    for number in (1, 3):
        service.keeper.hear(CLASSIFIER, RecipeLoaded(number), service.now)
    assert [one.outcome for one in service.answers] == ["changed"]
    service.write("small", SMALL | {"classifier": {"mode": "annotate"}})
    service.reload()
    assert service.started == ["classify"]
    asked = [(name, body.recipe.number) for name, body in service.sent if isinstance(body, LoadRecipe)]
    assert (CLASSIFIER, 4) in asked


def test_the_first_recipe_that_names_a_challenger_has_its_process_started_and_another_candidate_is_told_to_it(
    service: Service,
) -> None:
    service.write("next", SMALL | {"name": "next"})
    service.write("small", SMALL | {"challenger": {"recipe": "next.yaml"}})
    service.reload()
    service.all_load(3)
    assert (service.started, service.answers) == (["challenge"], [])
    service.keeper.hear(CHALLENGER, RecipeLoaded(3), service.now)
    service.keeper.hear("acquire-0", JudgesBy(3, 5), service.now)
    assert [one.outcome for one in service.answers] == ["changed"]
    # The file of the recipe is as it was: that of the candidate is not.
    service.write("next", SMALL | {"name": "next", "decision": {"ng_score": 0.6}})
    service.reload()
    assert service.started == ["challenge"]
    assert (CHALLENGER, 4) in [
        (name, body.recipe.number) for name, body in service.sent if isinstance(body, LoadRecipe)
    ]


def test_where_nothing_is_archived_no_challenger_is_taken_up_and_the_reload_says_why(service: Service) -> None:
    service.write("next", SMALL | {"name": "next"})
    service.write("small", SMALL | {"challenger": {"recipe": "next.yaml"}})
    keys = {"camera": {"source": "simulator"}, "recipe": "small.yaml", "recipes": ["other.yaml"]}
    service.write("line", keys | {"archive": {"verdicts": []}})
    service.reload()
    (answer,) = service.answers
    assert (answer.outcome, service.started) == ("refused", [])
    assert "a challenger judges the plates of the archive" in answer.text


def test_a_classifier_that_is_lost_is_waited_for_no_more(classifying: Service) -> None:
    classifying.write("small", SMALL | {"description": "new"})
    classifying.reload()
    classifying.all_load(3)
    classifying.lost.add("classify")
    classifying.step()
    assert classifying.answers[-1].text == "classify-0 ended while it was loading"
    classifying.reload()
    classifying.all_load(4)
    assert classifying.told(JudgeBy) == [JudgeBy(4, 5)]


def test_a_process_that_starts_anew_while_acquisition_is_asked_has_the_new_recipe_too(service: Service) -> None:
    service.write("small", SMALL | {"description": "new"})
    service.reload()
    assert [one.number for one in service.keeper.further] == [2]
    service.all_load(3)
    assert service.told(JudgeBy) == [JudgeBy(3, 5)]
    assert [one.number for one in service.keeper.further] == [2, 3]
    # Acquisition had begun plate 6 by it before it ended, and plate 5 by the one before.
    service.keeper.gone("acquire-0", [(5, 1), (6, 3)], service.now)
    assert [service.keeper.number_of(plate) for plate in (5, 6)] == [1, 3]


def test_a_recipe_is_forgotten_when_its_last_plate_is_final(service: Service) -> None:
    service.write("small", SMALL | {"description": "new"})
    service.reload()
    service.all_load(3)
    service.keeper.hear("acquire-0", JudgesBy(3, 7), service.now)
    for next_plate, plates in ((6, ()), (8, (6,))):
        service.now += 2
        service.next_plate = next_plate
        service.step(*plates)
        assert service.keeper.recipes.numbers == (1, 2, 3), "a plate of it is open, or still to be heard of"
    service.now += 2
    service.step(7)
    assert service.told(KeepRecipes) == [KeepRecipes((2, 3))] * len(PROCESSES)
