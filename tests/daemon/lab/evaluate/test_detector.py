"""`linesentry evaluate detector`: pictures through the product's own path, and what is written of them."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

from config.load import load_recipe
from config.schema import Classifier as Classified
from config.schema import Recipe, Threshold
from config.weights import SHIPPED
from daemon.cli.app import app
from daemon.lab.data.pictures import Picture, simulated
from daemon.lab.evaluate.compare import gaussian
from daemon.lab.evaluate.detector import evaluate_command, learnt_groups, recipe_for
from daemon.lab.evaluate.detector_gallery import Gallery, drawn
from daemon.lab.evaluate.detector_report import figures, page, tables
from daemon.lab.evaluate.scoring import InMemory, PatientDetector, inspect_picture, load_detectors, scored_plates
from daemon.lab.orders import EvaluateDetector as Options
from daemon.offline.inspect import inspect_image
from models.classifier.classifier import Classifier
from models.detector.detector import Detector
from models.detector.threshold import LearntThreshold
from models.measure.assessment import Found, Scored, TruthBox, precision_recall, summary
from models.study.unet import UNET, UNet
from models.training.detector import card
from models.training.photographs import group_key, held_out
from simulator.sheets.products import PRODUCTS
from tests.classifier_weights import untrained

PRODUCT = replace(PRODUCTS["02CG"], rows=1300, columns=1300)


def run(options: Options) -> int:
    return evaluate_command(options, Console())


@pytest.fixture(scope="module")
def picture() -> Picture:
    return next(iter(simulated(PRODUCT, 1, density=8).pictures(Recipe(name="any"))))


@pytest.fixture(scope="module")
def detectors() -> list[PatientDetector]:
    return load_detectors(Recipe(name="any"), "cpu", 1)


def test_what_is_found_is_what_inspect_finds(picture: Picture, detectors: list[PatientDetector]) -> None:
    recipe = Recipe(name="any")
    scored = inspect_picture(picture, recipe, detectors).scored
    plate = inspect_image(InMemory(picture.image), recipe, [Detector.load(recipe, "cpu")])
    assert [(one.box, one.score) for one in scored.found] == [
        ((one.x, one.y, one.width, one.height), one.score) for one in plate.defects
    ]
    assert scored.verdict == plate.verdict.value
    areas = [0 if one.runs is None else len(_pixels(one)) for one in scored.found]
    assert areas == [one.area for one in plate.defects]


def _pixels(one: Found) -> set[tuple[int, int]]:
    assert one.runs is not None
    return {(y, x) for y, first, last in one.runs.tolist() for x in range(first, last)}


def test_what_the_classifier_vetoes_is_not_found(
    picture: Picture, detectors: list[PatientDetector], tmp_path: Path
) -> None:
    all_vetoed = Classified(mode="veto").model_copy(update={"veto_below": 0.9, "veto_most_score": 1.0})
    recipe = Recipe(name="any").model_copy(update={"classifier": all_vetoed})
    unsure = Classifier.load(untrained(tmp_path), device="cpu", views=["identity"])
    alone = inspect_picture(picture, recipe, detectors).scored
    vetoed = inspect_picture(picture, recipe, detectors, unsure).scored
    assert (alone.verdict, vetoed.verdict) == ("NG", "OK")
    assert len(alone.found) > 0
    assert all(one.score < recipe.decision.ng_score for one in vetoed.found)
    assert alone.faint is not None
    assert vetoed.faint is not None
    assert [(one.box, one.score) for one in vetoed.faint] == [(one.box, one.score) for one in alone.faint]


def test_a_lower_floor_finds_more_and_changes_nothing_of_what_is_found(picture: Picture) -> None:
    strict = Recipe(name="any", threshold=Threshold(floor=7.0))
    detectors = load_detectors(strict, "cpu", 1)
    first, again = (inspect_picture(picture, strict, detectors).scored for _ in range(2))
    assert [one.box for one in first.found] == [one.box for one in again.found]
    assert first.faint is not None
    assert len(first.faint) > len(first.found)
    assert min(one.score for one in first.faint) < min(one.score for one in first.found)
    assert precision_recall([first]).recall[-1] >= summary([first]).recall


def test_a_mode_without_a_floor_is_read_once(picture: Picture) -> None:
    recipe = Recipe(name="any", threshold=Threshold(mode="top_fraction"))
    small = replace(picture, image=picture.image[:300, :300], truth=())
    scored = inspect_picture(small, recipe, load_detectors(recipe, "cpu", 1)).scored
    assert scored.faint is not None
    assert [one.box for one in scored.faint] == [one.box for one in scored.found]


def test_every_picture_is_looked_at_before_it_is_dropped(detectors: list[PatientDetector]) -> None:
    source = simulated(replace(PRODUCT, rows=300, columns=300), 2, density=0)
    seen: list[str] = []
    names = [
        one.name for one in scored_plates(source, Recipe(name="any"), detectors, look=lambda p, _: seen.append(p.name))
    ]
    assert names == seen == ["02CG/9201", "02CG/9202"]


# --- the gallery -------------------------------------------------------------------------------------------------


def test_the_gallery_shows_the_plainest_misses_first_and_shared_ones_last() -> None:
    truth = (
        TruthBox((10, 10, 20, 20), contrast_to_noise=2.0),
        TruthBox((100, 10, 20, 20), contrast_to_noise=9.0),
        TruthBox((200, 10, 20, 20), contrast_to_noise=50.0),
        TruthBox((240, 10, 20, 20), contrast_to_noise=60.0),
    )
    found = (Found((190, 0, 80, 40), 0.9), Found((10, 200, 5, 5), 0.6), Found((50, 200, 5, 5), 0.7))
    gallery = Gallery()
    gallery.look(np.zeros((300, 300), np.uint8), Scored("a", "a", truth, found, faint=(Found((12, 12, 3, 3), 0.3),)))
    misses = gallery.exhibits("miss")
    assert [one.box[0] for one in misses[:2]] == [100, 10]
    assert misses[2].box[0] in (200, 240)
    assert dict(misses[1].facts)["best score there"] == "0.300"
    assert [dict(one.facts)["score"] for one in gallery.exhibits("false alarm")] == ["0.700", "0.600"]


def test_one_group_does_not_fill_the_gallery() -> None:
    image = np.zeros((300, 300), np.uint8)
    gallery = Gallery(most=6)
    for group, score in (("loud", 0.9), ("quiet", 0.6), ("third", 0.7)):
        found = tuple(Found((10 * k, 10, 5, 5), score) for k in range(20))
        gallery.look(image, Scored(group, group, (), found))
    shown = [one.picture for one in gallery.exhibits("false alarm")]
    assert sorted(shown) == ["loud", "loud", "quiet", "quiet", "third", "third"]
    assert shown[0] == "loud"


def test_a_crop_at_the_corner_of_a_picture_shows_its_box() -> None:
    scored = Scored("a", "a", (), (Found((0, 0, 9, 9), 0.9),))
    crop = drawn(np.full((50, 400), 7, np.uint8), scored, (0, 0, 9, 9), 0.5)
    assert crop.shape == (224, 224, 3)
    assert (crop == (48, 48, 255)).all(axis=2).sum() == 4 * 10


# --- the figures -------------------------------------------------------------------------------------------------


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_where_groups_are_fewer_than_pictures_bounds_are_those_of_groups() -> None:
    apart = [Scored(f"{k}", f"{k}", (), ()) for k in range(12)]
    together = [replace(one, group=f"{k % 3}") for k, one in enumerate(apart)]
    said = {len({one.group for one in scored}): _told(scored) for scored in (apart, together)}
    assert "clean plates called NG 0 of 12 0.000 - 0.265" in said[12]
    assert "groups with such a plate" not in said[12]
    assert "clean plates called NG 0 of 12 groups with such a plate 0 of 3 0.000 - 0.708" in said[3]
    words = " ".join("".join(_read(page(figures(together, {}), Gallery())).words).split())
    assert "0 of 12, 0 of 3 groups (at most 70.8 % of them)" in words


def test_recall_by_property_is_told_with_the_interval_of_its_groups() -> None:
    box = (0, 0, 10, 10)
    scored = [
        Scored(f"{k}", f"{k % 4}", (TruthBox(box, width_px=8.0),), (Found(box, 0.9),) if k % 2 else ())
        for k in range(40)
    ]
    result = figures(scored, {})
    (only,) = result["by_property"]["width_px"]
    assert (only["count"], only["of"], only["groups"], only["lower"], only["upper"]) == (20, 40, 4, 0.0, 1.0)
    assert "7 to 10 40 4 20 0.500 0.000 to 1.000" in " ".join(_read(page(result, Gallery())).words)


def test_pictures_without_a_verdict_are_counted_with_their_cause(detectors: list[PatientDetector]) -> None:
    small = Picture("small", "small", "own", np.full((15, 15), 90, np.uint8), ())
    seen = inspect_picture(small, Recipe(name="any"), detectors).scored
    assert seen.verdict == "INCONCLUSIVE"
    assert "INCONCLUSIVE 1 1 too small" in _told([seen, Scored("b", "b", (), ())])


def _told(scored: list[Scored], **beside: Any) -> str:
    """What the tables say, with single blanks."""
    console = Console(width=200, record=True, file=io.StringIO())
    for table in tables(figures(scored, {}, **beside)):
        console.print(table)
    return " ".join(re.sub(r"[^\w.\-]+", " ", console.export_text()).split())


def _read(html: str) -> _Page:
    reader = _Page()
    reader.feed(html)
    return reader


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, picture: Picture) -> Path:
    """Two quarters of a sheet as images with masks, the second named to be escaped."""
    mask = np.zeros(picture.image.shape, np.uint16)
    for number, one in enumerate(picture.truth, start=1):
        x, y, width, height = one.box
        mask[y : y + height, x : x + width][one.pixels] = number
    data = tmp_path / "data"
    data.mkdir()
    for name, part in (("a", np.s_[:650, :]), ("<b>&", np.s_[650:, :])):
        assert cv2.imwrite(str(data / f"{name}.png"), picture.image[part])
        assert cv2.imwrite(str(data / f"{name}_mask.png"), mask[part])
    return data


def test_the_report_is_one_page_that_needs_no_other_file(folder: Path, tmp_path: Path) -> None:
    report, figures = tmp_path / "report.html", tmp_path / "figures.json"
    assert (
        run(Options(data=(folder,), all_groups=True, workers=1, device="cpu", at=0.9, report=report, json=figures)) == 0
    )
    found = json.loads(figures.read_text())
    assert found["all"]["plates"] == 2
    assert found["all"]["true"] + found["all"]["missed"] == found["all"]["defects"]
    assert len(found["facts"]["weights_sha256"]) == len(found["facts"]["recipes"]["general"]) == 64
    page = _Page()
    page.feed(report.read_text())
    assert page.open == []
    assert all(source.startswith(("data:image/png;base64,", "data:image/svg+xml;base64,")) for source in page.sources)
    words = "".join(page.words)
    assert found["facts"]["weights_sha256"] in words
    assert found["all"]["missed"] > 0
    assert "best score there" in words


def test_pictures_that_are_not_judged_are_counted_on_the_screen_in_json_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "own"
    data.mkdir()
    for number in range(8):
        assert cv2.imwrite(str(data / f"{number}.png"), np.full((60, 60), 100, np.uint8))
        assert cv2.imwrite(str(data / f"{number}_mask.png"), np.zeros((60, 60), np.uint8))
    held = sum(held_out(f"own/{number}") for number in range(8))
    assert 0 < held < 8
    alone = shutil.copy(SHIPPED / "detector-half.pt", tmp_path)
    card = json.loads((SHIPPED / "detector-half.json").read_text())
    card.pop("groups", None)
    (tmp_path / "detector-half.json").write_text(json.dumps(card))
    figures, report = tmp_path / "figures.json", tmp_path / "report.html"
    options = Options(data=(data,), weights=Path(alone), workers=1, device="cpu", json=figures, report=report)
    assert run(options) == 0
    found = json.loads(figures.read_text())
    assert found["all"]["plates"] == held
    (counted,) = found["passed_over"]
    assert (counted["pictures"], counted["where"]) == (8 - held, str(data))
    for words in (capsys.readouterr().out, "".join(_read(report.read_text()).words)):
        assert "not judged" in words.lower()
        assert "--all-groups" in words
    (tmp_path / "detector-half.json").write_text(json.dumps({**card, "groups": group_key("own/0")}))
    assert run(options) == 0
    assert json.loads(figures.read_text())["all"]["plates"] == 7, "all but the one that the weights learnt from"


def test_a_recipe_of_another_polarity_judges_as_asked_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = np.zeros((650, 650), np.uint8)
    mask[100:500, 300:307] = 255
    image = np.random.default_rng(0).normal(120, 2, mask.shape) - 40.0 * (mask > 0)
    data = tmp_path / "own"
    data.mkdir()
    assert cv2.imwrite(str(data / "a.png"), image.astype(np.uint8))
    assert cv2.imwrite(str(data / "a_mask.png"), mask)
    found = {}
    for polarity in ("bright", "dark", "both"):
        options = Options(data=(data,), all_groups=True, workers=1, device="cpu", json=Path("-"))
        assert run(replace(options, set=(f"polarity={polarity}",))) == 0
        said = capsys.readouterr()
        result = json.loads(said.out)
        found[polarity] = result["all"]["recall"]
        assert result["polarity"]["own"]["looked_for"] == (polarity != "bright")
        told = _told([], polarity=result["polarity"])
        assert "own dark measured the cracks are darker than their ground on 1 of 1 pictures" in told
        assert ("not for these" in told) == (polarity == "bright")
        assert ("own is dark (measured" in said.err) == ("--set polarity=dark" in said.err) == (polarity == "bright")
    assert found == {"bright": 0, "dark": 1, "both": 1}
    assert run(Options(data=(data,), set=("polarity=black",))) == 2
    assert "polarity" in capsys.readouterr().err


def test_other_ways_to_find_cracks_are_rows_of_one_table_on_the_same_pictures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(data=(folder,), all_groups=True, workers=1, device="cpu", compare=("gaussian,published",))
    assert run(replace(options, json=Path("-"))) == 0
    found = json.loads(capsys.readouterr().out)
    rows = found["compared"]
    assert list(rows) == ["linesentry", "published", "gaussian"]
    assert rows["linesentry"] == found["all"]
    assert {(one["plates"], one["defects"]) for one in rows.values()} == {(2, found["all"]["defects"])}
    assert {one["true"] + one["missed"] for one in rows.values()} == {found["all"]["defects"]}
    assert rows["gaussian"]["true"] > 0
    assert len({json.dumps(one) for one in rows.values()}) == 3
    assert run(replace(options, compare=("canny",))) == 2
    assert "--compare 'canny' is unknown: choose from published, gaussian" in capsys.readouterr().err


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a U-Net whose values are how much brighter than the mean a place is, with a floor of its own."""
    network = UNet()
    passed = {"down.0.0.0", "down.0.1.0", "join.0.0.0", "join.0.1.0"}
    with torch.no_grad():
        for name, part in network.named_modules():
            if isinstance(part, torch.nn.Conv2d):
                part.weight.zero_()
                if name in passed:
                    part.weight[0, 0, 1, 1] = 1
        network.head.weight[:, 0] = 3
    out = tmp_path_factory.mktemp("unet")
    facts = {"groups": group_key("photo:b")}
    return card.write(out, network.state_dict(), LearntThreshold(1.0, 1.0, 0.0), facts, architecture=UNET)


def test_a_unet_s_values_take_the_same_way_with_the_floor_it_has_learnt(
    folder: Path, unet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(data=(folder,), all_groups=True, workers=1, device="cpu", set=("threshold.floor=20",))
    options = replace(options, compare=(f"unet={unet}", "gaussian"), json=Path("-"))
    assert run(options) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["compared"]) == ["linesentry", "gaussian", "unet"]
    assert found["compared"]["unet"]["plates"] == found["all"]["plates"]
    # Of our network nothing is beyond the floor that was asked for, which is none of a U-Net's.
    assert found["all"]["true"] + found["all"]["false"] == 0
    assert found["compared"]["unet"]["true"] + found["compared"]["unet"]["false"] > 0
    assert found["facts"]["compared_sha256"] == {"unet": json.loads(unet.with_suffix(".json").read_text())["sha256"]}


def test_what_a_unet_has_learnt_from_is_judged_by_none(unet: Path) -> None:
    options = Options(data=(Path("nowhere"),), compare=(f"unet={unet}",))
    assert learnt_groups(replace(options, weights=unet)).holds("photo:b")
    assert learnt_groups(replace(options, weights=Path("none.pt"))).keys is None


@pytest.mark.parametrize(
    ("compare", "told"),
    [
        ("unet", "unet=FILE names them"),
        ("gaussian=a.pt", "unet and nothing else has weights"),
        ("unet=nowhere.pt", "no weights at nowhere.pt"),
        (f"unet={SHIPPED / 'detector-half.pt'}", "is of a network `feature`, asked for is one `unet`"),
    ],
)
def test_a_comparison_without_its_weights_is_refused_in_words(
    compare: str, told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(Options(data=(folder,), all_groups=True, workers=1, device="cpu", compare=(compare,))) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("polarity", "sign"), [("bright", 1), ("dark", -1), ("both", -1)])
def test_the_gaussian_filter_finds_lines_of_its_polarity(polarity: str, sign: int) -> None:
    image = np.random.default_rng(0).normal(110, 2, (650, 650))
    image[200:400, 300:309] += 40 * sign
    picture = Picture("a", "a", "own", image.astype(np.uint8), (TruthBox((300, 200, 9, 200)),))
    seen = gaussian(picture, polarity)
    assert (summary([seen]).match.true, seen.verdict) == (1, "NG")
    flat = replace(picture, image=np.full_like(picture.image, 110), truth=())
    assert (gaussian(flat, polarity).found, gaussian(flat, polarity).verdict) == ((), "OK")


def test_the_worst_set_comes_first() -> None:
    box = (0, 0, 10, 10)
    good = Scored("a", "a", (TruthBox(box),), (Found(box, 0.9),), kind="good")
    poor = [replace(good, kind="poor"), replace(good, kind="poor", found=())]
    noisy = Scored("b", "b", (), (Found(box, 0.9),), kind="noisy")
    worse = [replace(noisy, kind="worse"), replace(poor[1], kind="worse")]
    assert list(figures([good, *poor, noisy, *worse], {})["by_kind"]) == ["worse", "noisy", "poor", "good"]


def test_figures_go_to_stdout_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(data=(folder,), all_groups=True, workers=1, device="cpu", json=Path("-"))) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["name"] for one in found["pictures"]} == {"a.png", "<b>&.png"}


def test_the_tables_name_every_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    monkeypatch.setitem(PRODUCTS, "02CG", replace(PRODUCT, rows=400, columns=6006))
    options = Options(data=(folder,), all_groups=True, simulate=("02CG",), plates=1, density=0, workers=1, device="cpu")
    assert run(options) == 0
    said = capsys.readouterr().out
    assert "clean plates called NG" in said
    assert all(name in said for name in ("recall R", "02CG", "data"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(), "nothing to evaluate on was named"),
        (Options(simulate=("02CG,X1",)), "product 'X1' is unknown"),
        (Options(simulate=("02CG",), interference=("fog",)), "unknown interference 'fog'"),
        (Options(data=(Path("/nowhere"),)), "/nowhere is no folder"),
        (Options(simulate=("02CG",), recipe="unheard"), "unheard"),
        (Options(simulate=("02CG",), report=Path("/nowhere/a.html")), "no folder /nowhere"),
        (Options(simulate=("02CG",), weights=Path("/nowhere/a.pt")), "no weights at /nowhere/a.pt"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(
    options: Options, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(options) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert words in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(("at", "verdicts"), [(None, ["NG", "NG"]), (1.0, ["OK", "OK"])])
def test_verdicts_follow_the_least_score_that_is_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str], at: float | None, verdicts: list[str]
) -> None:
    assert run(Options(data=(folder,), all_groups=True, workers=1, device="cpu", at=at, json=Path("-"))) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["verdict"] for one in found["pictures"]] == verdicts
    assert found["all"]["cracked_called_ok"]["count"] == verdicts.count("OK")
    assert (found["all"]["true"] == 0) == (at == 1.0)


def test_verdicts_are_the_recipes_where_no_least_score_is_asked_for() -> None:
    source = simulated(PRODUCT, 1)
    assert recipe_for(source, Options()) == load_recipe("02CG")
    assert recipe_for(source, Options(at=0.7)).decision.ng_score == 0.7


def test_a_picture_of_another_width_than_the_recipe_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Options(data=(folder,), all_groups=True, recipe="P10B", workers=1, device="cpu")) == 2
    assert "<b>&.png: the image is 1,300 px wide" in capsys.readouterr().err


def test_the_command_line_hands_its_options_on(folder: Path) -> None:
    asked = [
        "evaluate",
        "detector",
        "--data",
        str(folder),
        "--workers",
        "1",
        "--device",
        "cpu",
        "--json",
        "-",
        "--all-groups",
    ]
    result = CliRunner().invoke(app, [*asked, "--at", "0.7", "--enlarge", "0.5"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["least_score"] == 0.7
    assert found["facts"]["settings"]["enlarge"] == 0.5
    assert {one["rows"] for one in found["pictures"]} == {325}
