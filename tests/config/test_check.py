from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config import json_schema
from config.check import check, service_faults, slot_size, unsaid_camera
from config.errors import ConfigError
from config.load import load_config, load_recipe, recipe_names, shipped, with_overrides
from config.schema import Classifier, Columns, Config, Length, Rectangle, Threshold, Zone


def test_the_committed_schemas_are_those_of_the_code(tmp_path: Path) -> None:
    json_schema.write(tmp_path)
    for name in json_schema.FILES:
        assert shipped(name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8"), (
            f"config/{name} is stale: run python -m config.json_schema"
        )
    assert "camera" in json.loads(json_schema.schema_json())["properties"]
    assert "templates" in json.loads(json_schema.recipe_schema_json())["properties"]


def test_the_shipped_configuration_passes_and_says_what_it_needs() -> None:
    report = check(None)
    assert (report.faults, report.warnings) == ([], [])
    assert any("3 slots of 21135 x 9777 px, 619.9 MB" in fact for fact in report.facts)


@pytest.mark.parametrize("name", sorted(set(recipe_names()) - {"general"}))
def test_each_products_recipe_can_be_used_by_the_service(name: str) -> None:
    assert service_faults(Config(recipe=name), load_recipe(name)) == []


def test_the_general_recipe_cannot_be_used_by_the_service() -> None:
    faults = service_faults(Config(recipe="general"), load_recipe("general"))
    assert {(fault.source, fault.key) for fault in faults} == {
        ("recipe general", "columns"),
        ("recipe general", "length"),
    }
    assert slot_size([load_recipe("P10B"), load_recipe("general")]) is None


CHECKED = {"camera.switch_feature": "LineStatus", "camera.switch.check": True}
PACED = {"camera.line_rate_hz": 20000}
TOKEN = "camera.switch.http.token_file"


@pytest.mark.parametrize(
    ("overrides", "changes", "key"),
    [
        ({"camera.width": 8192}, {}, "columns.last"),
        ({"restart.hang_s": 1.0}, {}, "restart.hang_s"),
        ({"camera.source": "folder", "camera.folder": "/nowhere"}, {}, "camera.folder"),
        (
            {"camera.source": "gentl", "camera.producer": "/no.cti", "camera.switch_feature": "LineStatus"},
            {},
            "camera.producer",
        ),
        ({"camera.source": "gentl", "camera.producer": __file__}, {}, "camera.switch_feature"),
        (
            {"camera.source": "gentl", "camera.producer": __file__, **CHECKED},
            {},
            "camera.switch.picture.tolerance_rows",
        ),
        ({"camera.switch.check": True, "camera.strip_rows": 8}, {}, "camera.buffers"),
        ({"camera.switch.source": "picture", "camera.buffers": 2}, {}, "camera.buffers"),
        ({"camera.switch": {"source": "http", "http": {"token_file": "/nowhere"}}, **PACED}, {}, TOKEN),
        ({"classify.weights": "/nowhere.pt"}, {"classifier": Classifier(mode="annotate")}, "classify.weights"),
        ({}, {"classifier": Classifier(mode="annotate", weights="/nowhere.pt")}, "classifier.weights"),
        ({}, {"weights": "/nowhere.pt"}, "weights"),
        ({}, {"most_rows": 19214}, "most_rows"),
        ({}, {"least_rows": 19214}, "least_rows"),
        (
            {},
            {"masks": (Rectangle(x=0, y=0, width=9, height=9), Rectangle(x=9777, y=0, width=9, height=9))},
            "masks[1]",
        ),
        (
            {},
            {
                "zones": (
                    Zone(polygon=((0, 0), (20000, 0), (0, 90000)), weight=1),
                    Zone(rectangle=Rectangle(x=0, y=30000, width=9, height=9), weight=1),
                )
            },
            "zones[1]",
        ),
        ({}, {"zones": (Zone(rectangle=Rectangle(x=0, y=0, width=9777, height=90000), weight=-20),)}, "zones"),
        ({}, {"columns": Columns(first=0, last=20000)}, "columns.last"),
        ({}, {"length": None, "most_rows": 20000}, "length"),
        ({}, {"threshold": Threshold(floor=7.0)}, "threshold.floor"),
    ],
)
def test_what_does_not_fit_together_is_told_by_its_key(
    overrides: dict[str, Any], changes: dict[str, Any], key: str
) -> None:
    config = with_overrides(Config(), overrides)
    recipe = load_recipe("P10B").model_copy(update=changes)
    assert [fault.key for fault in service_faults(config, recipe)] == [key]


@pytest.mark.parametrize("mode", ["annotate", "veto", "confirm"])
def test_a_recipe_for_which_no_weights_ship_is_told_what_to_train(
    mode: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.weights.SHIPPED", tmp_path)
    recipe = load_recipe("P10B").model_copy(update={"classifier": Classifier(mode=mode)})
    detector, classifier = service_faults(Config(), recipe)
    assert (detector.source, detector.key) == ("recipe P10B", "resolution")
    assert f"no file {tmp_path / 'detector-half.pt'}" in detector.message
    assert "`linesentry train detector`" in detector.message
    assert (classifier.source, classifier.key) == ("recipe P10B", "classifier.mode")
    assert f"found {mode}" in classifier.message
    assert "`linesentry train classifier`" in classifier.message

    own = tmp_path / "own.pt"
    own.touch()
    config = with_overrides(Config(), {"classify.weights": str(own)})
    assert service_faults(config, recipe.model_copy(update={"weights": str(own)})) == []


def test_a_network_for_which_no_weights_ship_is_told_what_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("detector-half.pt", "classifier.pt"):
        (tmp_path / name).touch()
    monkeypatch.setattr("config.weights.SHIPPED", tmp_path)
    config = with_overrides(Config(), {"classify.network": "resnet18"})
    (fault,) = service_faults(config, load_recipe("P10B"))
    assert fault.key == "classify.network"
    assert f"no file {tmp_path / 'classifier-resnet18.pt'}" in fault.message
    assert "`linesentry train classifier --network resnet18`" in fault.message
    assert "veto" in fault.message
    (tmp_path / "classifier-resnet18.pt").touch()
    assert service_faults(config, load_recipe("P10B")) == []


def test_a_network_is_not_asked_of_weights_whose_card_says_it() -> None:
    with pytest.raises(ConfigError, match=r"classify.*network \(resnet18\).*weights \(own.pt\).*keep one of the two"):
        with_overrides(Config(), {"classify.network": "resnet18", "classify.weights": "own.pt"})


def test_without_a_classifier_in_the_recipe_its_weights_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.weights.SHIPPED", tmp_path)
    recipe = load_recipe("P10B").model_copy(update={"classifier": Classifier()})
    assert [fault.key for fault in service_faults(Config(), recipe)] == ["resolution"]


def test_check_tells_of_a_recipe_whose_classifier_has_no_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.weights.SHIPPED", tmp_path)
    (tmp_path / "detector-half.pt").touch()
    text = shipped("recipes", "P10B.yaml").read_text(encoding="utf-8")
    assert "mode: veto" in text
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "line.yaml").write_text("recipe: own.yaml\nsimulator: {}\n", encoding="utf-8")
    (fault,) = check(tmp_path / "line.yaml").faults
    assert "classifier.mode: found veto, but no weights" in fault


@pytest.mark.parametrize(
    ("mode", "deadline_s", "line", "warned"),
    [
        ("veto", 2.0, "slots: 3\ncamera: {line_rate_hz: 20000}\n", True),
        ("veto", 1.9, "slots: 3\ncamera: {line_rate_hz: 20000}\n", False),
        ("veto", 2.0, "slots: 4\ncamera: {line_rate_hz: 20000}\n", False),
        ("veto", 2.0, "slots: 3\n", False),
        ("off", 2.0, "slots: 3\ncamera: {line_rate_hz: 20000}\n", False),
    ],
)
def test_a_deadline_of_the_classifier_beyond_what_free_slots_last_is_a_warning(
    tmp_path: Path, mode: str, deadline_s: float, line: str, warned: bool
) -> None:
    """While one slot fills, two are for sheets of 19,214 rows that wait for a classifier that hangs: 1.92 s."""
    text = shipped("recipes", "P10B.yaml").read_text(encoding="utf-8")
    own = text.replace("mode: veto", f"mode: {mode}\n  deadline_s: {deadline_s}")
    (tmp_path / "own.yaml").write_text(own, encoding="utf-8")
    (tmp_path / "line.yaml").write_text(f"recipe: own.yaml\nsimulator: {{}}\n{line}", encoding="utf-8")
    report = check(tmp_path / "line.yaml")
    assert report.faults == []
    told = [one for one in report.warnings if "classifier.deadline_s" in one]
    assert len(told) == warned
    assert all("classifier.deadline_s: found 2.0, but 3 slots last 1.9 s" in one for one in told)


@pytest.mark.parametrize(
    ("classifier", "rest", "warned"),
    [
        ("{mode: 'off'}", "", True),
        ("{mode: annotate}", "", False),
        ("{mode: 'off'}", "threshold: {floor: 4}", False),
        ("{mode: 'off'}", "threshold: {mode: top_fraction}", False),
    ],
)
def test_that_the_learnt_floor_counts_on_a_veto_is_a_warning(
    tmp_path: Path, classifier: str, rest: str, warned: bool
) -> None:
    text = f"name: own\nlength: {{nominal_rows: 2000}}\ncolumns: {{first: 0, last: 2000}}\nclassifier: {classifier}\n"
    (tmp_path / "own.yaml").write_text(text + rest, encoding="utf-8")
    report = check(tmp_path / "own.yaml")
    assert report.faults == []
    told = "classifier.mode: found off, but the floor of the weights that ship counts on a veto"
    assert any(told in one for one in report.warnings) == warned


def test_a_recipe_of_ones_own_can_be_simulated() -> None:
    own = load_recipe("P10B").model_copy(update={"name": "own", "length": Length(nominal_rows=5000)})
    assert service_faults(Config(), own) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", False),
        ("# nothing\n", False),
        ("slots: 4\n", False),
        ("camera: {width: 16384}\n", False),
        ("camera: {source: simulator}\n", True),
        ("simulator: {sheets: 1}\n", True),
    ],
)
def test_a_file_of_ones_own_says_what_is_inspected(tmp_path: Path, text: str, said: bool) -> None:
    (tmp_path / "line.yaml").write_text(text, encoding="utf-8")
    assert (check(tmp_path / "line.yaml").faults == []) == said
    changed = with_overrides(load_config(tmp_path / "line.yaml"), {"slots": 5})
    assert (unsaid_camera(changed, "x.yaml") == []) == said
    assert unsaid_camera(with_overrides(changed, {"camera.source": "simulator"}), "x.yaml") == []


def test_a_bad_file_and_a_bad_recipe_are_faults_and_no_exceptions(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("slots: 1\ndrain_s: -1\n", encoding="utf-8")
    assert len(check(path).faults) == 2
    path.write_text("recipe: P10C\n", encoding="utf-8")
    report = check(path)
    assert len(report.faults) == 1
    assert "did you mean P10B" in report.faults[0]
    assert report.facts == []


def test_a_recipe_is_checked_as_one_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(shipped("recipes", "P10B.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    report = check(path)
    assert (report.faults, report.warnings) == ([], [])
    assert report.facts[0].startswith(f"recipe P10B ({path}): sha256 ")
    assert "plate memory: 21135 x 9777 px, 206.6 MB a slot" in report.facts
    assert "checked as a recipe" in report.facts[-1]


def test_a_recipe_with_faults_is_told_of_them_alone(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: own\nlength: {nominal_rows: 1000}\nmost_rows: 900\nweights: none.pt\n", encoding="utf-8")
    faults = check(path).faults
    assert [fault.split(": ")[1] for fault in faults] == ["most_rows", "weights"]
    path.write_text("name: own\nlenght: {nominal_rows: 1000}\n", encoding="utf-8")
    (fault,) = check(path).faults
    assert fault.startswith(f"{path}:2: lenght: unknown key")
    assert fault.endswith("did you mean length?")


def test_a_recipe_for_files_alone_is_no_fault_and_is_told() -> None:
    report = check(shipped("recipes", "general.yaml"))
    assert report.faults == []
    assert "serves files alone" in report.warnings[0]


@pytest.mark.parametrize("text", ["foo: 1\nbar: 2\n", "hosts: [a]\nservices: {web: 1}\nvolumes: 3\n"])
def test_a_file_that_is_neither_gets_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text, encoding="utf-8")
    (fault,) = check(path).faults
    assert fault.startswith(f"{path}: is neither a configuration nor a recipe: found '{text[:3]}")


def test_a_misspelt_only_key_is_still_one_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "line.yaml"
    path.write_text("camra: {width: 8192}\n", encoding="utf-8")
    (fault,) = check(path).faults
    assert fault.endswith("did you mean camera?")


def test_a_recipe_in_place_of_a_configuration_is_one_error_and_so_is_the_reverse(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"P10B\.yaml: is a recipe; name it in a configuration") as told:
        load_config(shipped("recipes", "P10B.yaml"))
    assert len(told.value.faults) == 1
    line = tmp_path / "line.yaml"
    line.write_text("slots: 3\ncamera: {width: 8192}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line\.yaml: is a configuration"):
        load_recipe(line)


@pytest.mark.parametrize(
    ("own", "archive", "told"),
    [
        ("{ok: least sure}", "{verdicts: []}", "archive.ok: found least sure, but nothing is archived"),
        ("{ok: every}", "{}", None),
        ("{ok: none}", "{verdicts: []}", None),
        ("{ok_every: 20}", "{}", "archive.ok_every: found 20, but no OK plate of mine is archived"),
        ("{ok_every: 20}", "{ok: every}", None),
        ("{ok: none, ok_every: 20}", "{ok: every}", "archive.ok_every: found 20, but no OK plate"),
    ],
)
def test_a_share_of_ok_plates_that_nothing_comes_of_is_a_warning(
    tmp_path: Path, own: str, archive: str, told: str | None
) -> None:
    text = shipped("recipes", "P10B.yaml").read_text().replace("name: P10B", "name: mine")
    (tmp_path / "mine.yaml").write_text(f"{text}\narchive: {own}\n")
    path = tmp_path / "line.yaml"
    path.write_text(f"recipe: mine.yaml\ncamera: {{source: simulator}}\narchive: {archive}\n")
    report = check(path)
    assert report.faults == []
    assert [one for one in report.warnings if told is None or told not in one] == []
    assert len(report.warnings) == (told is not None)
