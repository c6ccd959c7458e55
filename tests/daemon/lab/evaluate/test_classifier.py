"""`linesentry evaluate classifier`, `classify` and `crops`, as they are called."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from daemon.cli.app import app
from daemon.lab.data import classifier as classifier_data
from daemon.lab.data.classifier import Judged
from daemon.lab.evaluate import classifier as evaluate_classifier
from daemon.lab.evaluate.classifier_gallery import exhibits
from daemon.lab.evaluate.classifier_report import side_by_side
from daemon.lab.train.cross_validation import FOLDS
from daemon.offline.classify import answered
from models.classifier.calibration import calibrated, expected_calibration_error
from models.classifier.classifier import Classifier
from models.classifier.networks import make
from models.classifier.views import DEFAULT_VIEWS
from models.training.classifier.card import write_weights
from models.training.classifier.examples import Example, read_folder
from models.training.classifier.groups import group_keys
from models.training.photographs import held_out

torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate_classifier, "_TIMED", 1)
        patch.setattr(evaluate_classifier, "_WARM", 0)
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    return write_weights(
        tmp_path_factory.mktemp("weights"), make("resnet18").state_dict(), "resnet18", {"left_out": ["far"]}
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask_or_label", "set", "group", "class"))
        for number in range(24):
            picture = rng.integers(80, 120, (64, 64)).astype(np.uint8)
            mask = ""
            if number % 2:
                picture[:, 30:36] = 230
                mask = f"{number}_mask.png"
                cv2.imwrite(str(folder / mask), np.where(picture == 230, 255, 0).astype(np.uint8))
            cv2.imwrite(str(folder / f"{number}.png"), picture)
            name = "far" if number > 20 else "own"
            rows.writerow((f"{number}.png", mask, name, str(number), ("without_crack", "crack")[number % 2]))
    return folder


def run(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in {"src", "href"}]
        if tag not in {"img", "br", "meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluated(weights: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    out = tmp_path_factory.mktemp("out")
    fold: dict[str, Any] = {"pictures": 9, "groups": 7, "cracks": 4, "intervals": {"likelier": [0.7, 0.95]}}
    fold |= {
        "accuracy": 0.9,
        "likelier": 0.9,
        "likelier_without_anecdotes": 0.93,
        "precision": 0.8,
        "recall": 1.0,
        "f1": 0.9,
        "ece": 0.02,
    }
    folds = {
        "network": "resnet18",
        "started from": "resnet18-f37072fd.pth",
        "minutes": 47.0,
        "of": 2,
        "folds": [{"fold": 1, **fold}, {"fold": 2, **fold, "likelier": 0.8, "minutes": 46.25, "steps": 4321}],
    }
    weights.with_name(FOLDS).write_text(json.dumps(folds))
    code, said, complaint = run(
        *("evaluate", "classifier", "--data", data, "--simulated", "6", "--weights", weights),
        *("--report", out / "report.html", "--json", out / "figures.json"),
    )
    assert (code, complaint) == (0, "")
    assert "weighted ECE" in said
    return json.loads((out / "figures.json").read_text()), (out / "report.html").read_text()


def test_only_held_out_groups_are_measured_and_a_set_left_out_as_another_domain(
    evaluated: tuple[dict[str, Any], str],
) -> None:
    result = evaluated[0]
    held = {f"own/{number}" for number in range(21) if held_out(f"own/{number}")}
    assert {one["group"] for one in result["pictures"] if one["source"].startswith("own/")} == held
    assert result["photographs"]["pictures"] == len(held)
    assert result["simulated"]["pictures"] == 6 + 1  # and a false alarm of the detector
    assert result["all"]["pictures"] == len(held) + 7
    assert result["left_out"]["far"]["all"]["pictures"] == 3
    for part in (
        *result["by_set"].values(),
        result["photographs"],
        result["simulated"],
        result["left_out"]["far"]["all"],
    ):
        assert 0 <= part["calibration"]["weighted"] <= 1
    assert not any(name.startswith("far") for name in result["by_source"])


@pytest.mark.long
def test_pictures_of_groups_that_the_weights_learnt_from_are_passed_over_and_counted(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    known = [one for one in read_folder(data) if one.collection == "own"]
    asked = ("evaluate", "classifier", "--data", data, "--simulated", "0", "--json", "-", "--weights")
    copy = shutil.copy(weights, tmp_path)
    card_of = json.loads(weights.with_suffix(".json").read_text())
    (tmp_path / "classifier.json").write_text(json.dumps({**card_of, "groups": " ".join(group_keys(known[:2]))}))
    code, said, complaint = run(*asked, copy)
    result = json.loads(said)
    assert (code, complaint) == (0, "")
    (counted,) = result["passed_over"]
    assert (counted["pictures"], counted["where"]) == (2, str(data))
    assert "these weights learnt from" in counted["reason"]
    assert result["all"]["pictures"] == len(known) - 2
    code, said, complaint = run(*asked, copy, "--all-groups")
    assert (code, json.loads(said)["all"]["pictures"]) == (0, len(known))
    assert "2 of 24 pictures: the weights learnt from their groups" in complaint
    (tmp_path / "classifier.json").write_text(
        json.dumps({**card_of, "left_out": [], "groups": " ".join(group_keys(read_folder(data)))})
    )
    code, said, complaint = run(*asked, copy)
    assert (code, said) == (2, "")
    assert "nothing to measure on but what is passed over: 24 of groups that these weights learnt from" in complaint


def test_what_cannot_be_judged_is_counted_and_the_rest_is_judged(weights: Path, data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "own")
    (tmp_path / "own" / "1.png").write_bytes(b"no image")
    shutil.copy(data / "2.png", tmp_path / "own" / "stray.png")
    text = (data / "manifest.csv").read_text()
    (tmp_path / "own" / "manifest.csv").write_text(text.replace(",own,3,crack", ",own,3,rust"))
    asked = ("evaluate", "classifier", "--data", tmp_path / "own", "--simulated", "0", "--weights", weights)
    code, said, _ = run(*asked, "--all-groups", "--json", "-")
    result = json.loads(said)
    assert code == 0
    assert result["all"]["pictures"] + result["left_out"]["far"]["all"]["pictures"] == 24 - 2
    assert {one["pictures"]: one["reason"].split(":")[0] for one in result["passed_over"]} == {
        2: "cannot be used",
        1: "named by nothing",
    }


def test_the_worst_source_comes_first(evaluated: tuple[dict[str, Any], str]) -> None:
    for part, figure in (("by_source", "right"), ("by_set", "accuracy")):
        told = [one[figure] for one in evaluated[0][part].values()]
        assert told == sorted(told)


def test_figures_agree_with_the_pictures_that_they_are_of(evaluated: tuple[dict[str, Any], str]) -> None:
    result = evaluated[0]
    own = [one for one in result["pictures"] if not one["source"].startswith("far/")]
    called = [one["chance"] >= result["facts"]["threshold"] for one in own]
    assert result["counts"] == {
        "true": sum(one["crack"] for one in own),
        "called": sum(called),
        "pictures": len(own),
    }
    assert result["all"]["true"] == sum(one["crack"] and yes for one, yes in zip(own, called, strict=True))
    assert sum(sum(counts) for counts in result["histogram"].values()) == len(own)
    assert sum(one["count"] for one in result["reliability"]["after"]) == len(own)
    assert result["folds"]["table"]["likelier"]["mean"] == pytest.approx(0.85)
    assert "of 2 folds" not in result["facts"]["folds"]
    assert result["draws"] is None
    assert all(result["latency_ms"][name] > 0 for name in ("with_views", "one_view"))
    assert result["facts"]["views"] == ["identity", "flip_horizontal", "flip_vertical", "rotate_-5", "rotate_+5"]


def test_figures_are_also_given_without_the_source_that_is_an_anecdote(
    evaluated: tuple[dict[str, Any], str], weights: Path, data: Path, tmp_path: Path
) -> None:
    assert evaluated[0]["without_anecdotes"] is None, "there is none here"
    shutil.copytree(data, tmp_path / "data")
    manifest = tmp_path / "data" / "manifest.csv"
    classes = {"crack": "MT_Crack", "without_crack": "MT_Free"}
    rows = [row.split(",") for row in manifest.read_text().split()]
    renamed = [[*row[:2], "mt", row[3], classes[row[4]]] if row[2] == "own" else row for row in rows]
    manifest.write_text("\n".join(map(",".join, renamed)))
    code, said, _ = run(
        *("evaluate", "classifier", "--data", tmp_path / "data", "--simulated", "6", "--weights", weights),
        *("--json", tmp_path / "figures.json"),
    )
    assert code == 0
    assert "all but mt/MT_Crack: accuracy" in said
    result = json.loads((tmp_path / "figures.json").read_text())
    six = result["by_source"]["mt/MT_Crack"]
    assert result["without_anecdotes"]["pictures"] == result["all"]["pictures"] - six["pictures"]
    assert result["without_anecdotes"]["true"] == result["all"]["true"] - six["called"]


@pytest.mark.long
def test_the_calibration_is_given_before_the_temperature_after_it_and_with_one_view(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(weights, tmp_path))
    card_of = json.loads(weights.with_suffix(".json").read_text())
    copy.with_suffix(".json").write_text(json.dumps({**card_of, "temperature": 3.0}))
    result = json.loads(
        run("evaluate", "classifier", "--data", data, "--simulated", "0", "--weights", copy, "--json", "-")[1]
    )
    tested = classifier_data.test_examples((data,), 0, lambda *_: None, Judged(left_out=("far",)))[0]
    own = [example.collection == "own" for example in tested]
    five, one = (
        Classifier.load(copy, views=views).uncalibrated([example.pixels for example in tested])[own]
        for views in (DEFAULT_VIEWS, ("identity",))
    )
    cracks = np.array([example.crack for example in tested])[own]
    found = [*result["calibration"].values(), result["one_view"]["calibration"]]
    chances = five, calibrated(five, 3.0), calibrated(one, 3.0)
    expected = [expected_calibration_error(chance, cracks) for chance in chances]
    assert [part["weighted"] for part in found] == pytest.approx(expected, abs=1e-6)
    assert len({round(error, 4) for error in expected}) == 3, "so that one cannot stand for another"


def test_the_report_is_one_page_that_needs_nothing_else(evaluated: tuple[dict[str, Any], str]) -> None:
    tags = Tags()
    tags.feed(evaluated[1])
    assert tags.open == []
    assert len(tags.links) > 6
    assert all(link.startswith("data:image/") for link in tags.links)
    for words in (
        "Another domain: far",
        "Folds",
        "weighted ECE",
        "Taken for a crack",
        "0.700 - 0.950",
        "after, simulated",
        "resnet18 from resnet18-f37072fd.pth, 47.0 minutes each at most",
        "<td>46.2</td><td>4321</td>",
        "<td>-</td><td>-</td>",
    ):
        assert words in evaluated[1]


def test_folds_of_another_network_than_the_weights_are_not_shown_as_theirs(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    for file in (weights, weights.with_suffix(".json")):
        shutil.copy(file, tmp_path)
    (tmp_path / FOLDS).write_text(json.dumps({"network": "resnet34", "folds": []}))
    asked = ("evaluate", "classifier", "--data", data, "--simulated", "0", "--views", "identity")
    code, said, _ = run(
        *asked, "--weights", tmp_path / weights.name, "--json", "-", "--report", tmp_path / "report.html"
    )
    result = json.loads(said)
    assert code == 0
    assert result["folds"] is None
    assert result["facts"]["folds"] == f"{tmp_path / FOLDS} is of resnet34, and the weights are a resnet18: not shown"
    page = (tmp_path / "report.html").read_text()
    assert "is of resnet34" in page
    assert "<h2>Folds</h2>" not in page


def test_an_unfinished_cross_validation_is_shown_as_what_it_is(weights: Path, data: Path, tmp_path: Path) -> None:
    for file in (weights, weights.with_suffix(".json")):
        shutil.copy(file, tmp_path)
    fold: dict[str, Any] = {"fold": 1, "pictures": 9, "groups": 7, "cracks": 4, "intervals": {}}
    fold |= {
        "accuracy": 0.9,
        "likelier": 0.912,
        "likelier_without_anecdotes": 0.93,
        "precision": 0.8,
        "recall": 1.0,
        "f1": 0.9,
        "ece": 0.02,
    }
    found = {"network": "resnet18", "of": 5, "folds": [fold]}
    (tmp_path / FOLDS).write_text(json.dumps(found))
    words = ("--simulated", "0", "--views", "identity", "--json", "-", "--report", tmp_path / "report.html")
    asked = ("evaluate", "classifier", "--data", data, "--weights", tmp_path / weights.name, *words)
    code, said, _ = run(*asked)
    result = json.loads(said)
    assert code == 0
    assert result["facts"]["folds"] == f"{tmp_path / FOLDS}, unfinished: 1 of 5 folds"
    assert (result["folds"]["of"], len(result["folds"]["folds"])) == (5, 1)
    assert result["folds"]["table"]["likelier"] == {"mean": 0.912, "sd": None}
    page = (tmp_path / "report.html").read_text()
    assert "<h2>Folds, unfinished</h2>" in page
    assert "<td>mean ± SD of 1 of 5 folds</td>" in page
    assert "0.912 ±" not in page, "one has no spread"
    for wrong in ([], [fold] * 6):
        (tmp_path / FOLDS).write_text(json.dumps({**found, "folds": wrong}))
        code, said, complaint = run(*asked)
        assert (code, said) == (2, "")
        assert f"is not what --folds writes ({len(wrong)} of 5 folds)" in complaint


@pytest.mark.long
def test_several_weights_are_shown_side_by_side_on_what_none_of_them_learnt_from(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    known = next(one for one in read_folder(data) if one.test and one.collection == "own")
    facts = {"groups": " ".join(group_keys([known]))}
    other = write_weights(tmp_path, make("mobilenet_v2").state_dict(), "mobilenet_v2", facts)
    asked = ("evaluate", "classifier", "--data", data, "--simulated", "0", "--weights", weights, "--weights", other)
    figures, page = tmp_path / "figures.json", tmp_path / "report.html"
    code, said, _ = run(*asked, "--json", figures, "--report", page)
    assert code == 0
    first = json.loads(figures.read_text())
    (second,) = first["beside"]
    assert (first["facts"]["network"], second["facts"]["network"]) == ("resnet18", "mobilenet_v2")
    names = [[one["name"] for one in result["pictures"]] for result in (first, second)]
    assert names[0] == names[1]
    assert known.group not in {one["group"] for one in first["pictures"]}
    assert first["passed_over"], "and that is said"
    assert [one["chance"] for one in first["pictures"]] != [one["chance"] for one in second["pictures"]]
    for text in (said, page.read_text()):
        for result in (first, second):
            assert f"{result['facts']['network']} {result['facts']['weights_sha256'][:8]}" in text
    rows = side_by_side(first)
    assert {len(row) for row in rows} == {3}
    assert rows[1][2].startswith(f"{second['all']['accuracy']:.3f} (")


def test_what_the_line_would_say_is_that_of_all_views_where_the_first_is_not_sure(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(weights, tmp_path))
    content = json.loads(weights.with_suffix(".json").read_text())
    found = {}
    for temperature in (20.0, 0.05):  # no answer is sure, or most are
        copy.with_suffix(".json").write_text(json.dumps({**content, "temperature": temperature}))
        asked = ("evaluate", "classifier", "--data", data, "--simulated", "0", "--weights", copy, "--json", "-")
        found[temperature] = json.loads(run(*asked)[1])
    unsure, sure = found[20.0], found[0.05]
    assert unsure["in_line"]["all_views"] == 1
    assert unsure["in_line"]["all"] == unsure["all"]
    assert unsure["in_line"]["calibration"] == unsure["calibration"]["after"]
    assert sure["in_line"]["all_views"] < 1
    assert sure["in_line"]["all"]["pictures"] == sure["all"]["pictures"]


def test_views_can_be_chosen_and_unknown_ones_are_refused(weights: Path, data: Path) -> None:
    words = ("evaluate", "classifier", "--data", data, "--simulated", "0", "--weights", weights)
    code, said, complaint = run(*words, "--views", "identity,flip_vertical", "--json", "-")
    assert code == 0
    assert "and these are identity, flip_vertical: probabilities may be too sure" in complaint
    assert json.loads(said)["facts"]["views"] == ["identity", "flip_vertical"]
    code, said, complaint = run(*words, "--views", "identity,sideways")
    assert (code, said) == (2, "")
    assert "'sideways'" in complaint


@pytest.mark.parametrize("what", ["no weights", "no data", "no folder for the report", "only what was left out"])
def test_what_cannot_be_evaluated_is_refused_in_one_line(weights: Path, data: Path, tmp_path: Path, what: str) -> None:
    words: list[object] = ["evaluate", "classifier", "--simulated", "0"]
    words += ["--weights", tmp_path / "none.pt" if what == "no weights" else weights]
    if what == "only what was left out":
        for kind in ("crack", "without_crack"):
            (tmp_path / "far" / kind).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / "far" / kind / "1.png"), np.full((20, 20), 90, np.uint8))
        words += ["--data", tmp_path / "far"]
    elif what != "no data":
        words += ["--data", data]
    if what == "no folder for the report":
        words += ["--report", tmp_path / "none" / "report.html"]
    code, said, complaint = run(*words)
    assert (code, said) == (2, "")
    assert complaint.startswith("linesentry evaluate: ")
    assert complaint.count("\n") == 1


def test_the_gallery_shows_misses_and_false_alarms_the_worst_first(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = make("resnet18").state_dict()
    state["fc.weight"][1] = state["fc.weight"][1].abs()  # so that something speaks for a crack everywhere
    weights = write_weights(tmp_path, state, "resnet18", {})
    examples: list[Example] = read_folder(data)[:8]
    chance = np.array([0.9, 0.2, 0.6, 0.1, 0.3, 0.95, 0.2, 0.9])  # odd ones show a crack
    classifier = Classifier.load(weights, device="cpu", views=("identity",))
    shown = exhibits(classifier, examples, chance, 0.5)
    assert [one.chance for one in shown.false] == [0.9, 0.6]
    assert [one.chance for one in shown.missed] == [0.1, 0.2]
    assert {one.chance for one in shown.found} == {0.95, 0.9}
    heats = [np.frombuffer(one.heat, np.uint8) for one in classifier.classify([examples[k].pixels for k in (5, 7)])]
    inside = [heat.reshape(7, 7)[:, 3].sum() / heat.sum() for heat in heats]  # the line lies in the middle column
    assert shown.evidence == {
        "pictures": 2,
        "inside": pytest.approx(np.mean(inside)),
        "area": pytest.approx(1 / 7),
    }


def test_classify_answers_each_image_in_order_as_json(weights: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    images = [data / "1.png", tmp_path / "text.png", data / "2.png"]
    code, said, complaint = run("classify", *images, "--json", "--weights", weights)
    answers = [json.loads(line) for line in said.splitlines()]
    assert code == 1
    assert [one["image"] for one in answers] == [str(path) for path in images]
    assert [one["crack"] is None for one in answers] == [False, True, False]
    assert 0 <= answers[0]["probability"] <= 1
    assert "text.png" in complaint
    alone = json.loads(run("classify", data / "2.png", "--json", "--weights", weights)[1])
    assert alone["probability"] == pytest.approx(answers[2]["probability"], abs=2e-3)


def test_classify_says_when_the_temperature_was_fitted_for_other_views(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(weights, tmp_path)
    content = json.loads(weights.with_suffix(".json").read_text())
    (tmp_path / "classifier.json").write_text(json.dumps({**content, "views": ["identity"]}))
    code, said, complaint = run("classify", data / "1.png", "--json", "--weights", copy)
    assert (code, said.count("\n")) == (0, 1)
    assert complaint.startswith(
        "linesentry classify: the temperature was fitted for the views identity, and these are "
    )
    assert run("classify", data / "1.png", "--json", "--weights", weights)[2] == ""


def test_classify_explains_each_picture_in_a_file_of_its_own(weights: Path, data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "1.png"
    other.parent.mkdir()
    other.write_bytes((data / "3.png").read_bytes())
    code, said, _ = run("classify", data / "1.png", other, "--explain", tmp_path / "maps", "--weights", weights)
    assert code == 0
    assert "probability" in said
    written = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert written == ["1-2-heat.png", "1-heat.png"]
    picture = cv2.imread(str(tmp_path / "maps" / "1-heat.png"))
    assert picture is not None
    assert picture.shape == (224, 224, 3)


def test_classify_without_weights_says_what_to_do(data: Path, tmp_path: Path) -> None:
    code, said, complaint = run("classify", data / "1.png", "--weights", tmp_path / "none.pt")
    assert (code, said) == (2, "")
    assert "linesentry train classifier" in complaint


def spoilt(folder: Path) -> Path:
    """Finite weights of a network that gives NaN: the square root of a negative variance."""
    state = make("resnet18").state_dict()
    state["bn1.running_var"] = torch.full_like(state["bn1.running_var"], -1.0)
    return write_weights(folder, state, "resnet18", {})


def test_classify_answers_nothing_with_weights_that_do_not_give_their_known_answer(
    weights: Path, data: Path, tmp_path: Path
) -> None:
    copy = tmp_path / weights.name
    copy.write_bytes(weights.read_bytes())
    content = json.loads(weights.with_suffix(".json").read_text())
    for record in content["known_answer"].values():
        record["log_odds"] += 5
    copy.with_suffix(".json").write_text(json.dumps(content))
    sees_nothing = "records a known answer of a network that sees nothing"
    for wrong, told in (
        (copy, "the known crops give wrong values (log_odds: "),
        (spoilt(tmp_path / "spoilt"), sees_nothing),
    ):
        code, said, complaint = run("classify", data / "1.png", "--json", "--weights", wrong)
        assert (code, said) == (2, "")
        assert told in complaint


def test_a_picture_without_a_probability_is_an_error_and_neither_crack_nor_none(data: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    classifier = Classifier.load(spoilt(tmp_path), device="cpu", dtype="float32", prove=False)
    (answer,) = answered(classifier, [data / "1.png"], maps)
    assert (answer.chance, answer.crack, answer.explained) == (None, None, None)
    assert answer.error == "the network gives it no probability (found nan)"
    assert not list(maps.iterdir())
