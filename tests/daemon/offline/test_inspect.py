"""Inspection of image files: the stages of the line in one process."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from config.load import load_recipe
from config.schema import Classifier as Classified
from config.schema import Classify as Settings
from config.schema import Columns, Length, Pitch, Recipe, Threshold
from config.weights import SHIPPED
from daemon.offline import inspect as inspecting
from daemon.offline.inspect import (
    CAMERA_WIDTH,
    InspectResult,
    failure,
    inspect_files,
    inspect_image,
    load_and_inspect,
    to_json,
)
from daemon.offline.networks import load_classifier
from models.classifier.classifier import Classifier
from models.classifier.errors import ClassifierError
from models.detector.detector import Detector
from models.images import ImageError, ImageSource, open_image
from simulator.sheets.products import Product
from simulator.sheets.sheet import render
from stages.classify import Work
from stages.detect import score_windows
from stages.events import ClassifyCrops, Place, PlateClosed, PlateDecided, PlateOpened, WindowScored
from stages.image_sheet import plate_columns
from stages.merge import Merger
from stages.plate import Cause, Defect, PlateResult, Verdict, windows_of
from tests.classifier_weights import untrained

GENERAL = load_recipe("general").model_copy(update={"classifier": Classified()})
KEYS = {"image", "verdict", "reason", "width", "height", "windows", "coverage", "defects", "seconds"}
ALL_VETOED = {"veto_below": 0.9, "veto_most_score": 1.0}
"""What weights that have learnt nothing say of any crop is a veto; no recipe may say so."""
DEFECT_KEYS = {"x", "y", "width", "height", "x_mm", "y_mm", "width_mm", "height_mm", "score", "edge"}


class Rows(ImageSource):
    """An image in memory that notes which rows were read."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.height, self.width = pixels.shape
        self.bits = 8
        self.pixels = pixels
        self.read: list[tuple[int, int]] = []

    def _rows(self, first: int, last: int) -> NDArray[np.uint8]:
        self.read.append((first, last))
        return self.pixels[first:last]

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def detectors() -> list[Detector]:
    return [Detector.load(GENERAL, "cpu") for _ in range(2)]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    weights = untrained(tmp_path_factory.mktemp("weights"))
    return Classifier.load(weights, device="cpu", dtype="float32", views=["identity"])


@pytest.fixture(scope="module")
def sheet() -> NDArray[np.uint8]:
    """A sheet of 3 x 2 windows and a bit, with cracks."""
    return render(Product("small", rows=1290, columns=1340), 3, 12).image


# --- the same as the service ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(1290, 1340), (600, 650), (1201, 640), (651, 30), (40, 1290)])
def test_bands_give_what_the_service_gives_of_the_same_plate(
    sheet: NDArray[np.uint8], detectors: list[Detector], rows: int, columns: int
) -> None:
    plate = np.ascontiguousarray(sheet[:rows, :columns])
    source = Rows(plate)
    found = inspect_image(source, GENERAL, detectors)
    assert source.read[0][0] == 0
    assert [first for first, _ in source.read[1:]] == [last for _, last in source.read[:-1]]
    assert source.read[-1][1] == rows

    # as the service: single windows of the whole plate, in any order, through the merger
    windows = windows_of(rows, columns, GENERAL.windows)
    random.Random(1).shuffle(windows)
    merger = Merger(GENERAL, "")
    place = Place(0, 1, columns)
    merger.handle(PlateOpened(0, place))
    instructions = merger.handle(PlateClosed(0, place, rows))
    for window in windows:
        for result in score_windows(detectors[0], plate, [window], GENERAL.windows, run="", plate=0):
            instructions += merger.handle(WindowScored(result, place))
    decided = [instruction.result for instruction in instructions if isinstance(instruction, PlateDecided)]
    assert decided == [found]


@pytest.mark.parametrize("mode", ["annotate", "veto", "confirm"])
def test_the_classifier_says_here_what_it_says_in_the_service(
    sheet: NDArray[np.uint8],
    detectors: list[Detector],
    classifier: Classifier,
    mode: Literal["annotate", "veto", "confirm"],
) -> None:
    asking = Classified(mode=mode, confirm_above=0.9).model_copy(update=ALL_VETOED)
    recipe = GENERAL.model_copy(update={"classifier": asking, "columns": Columns(last=sheet.shape[1])})
    found = inspect_image(Rows(sheet), recipe, detectors, classifier=classifier)
    assert found.classifier == mode
    assert all(defect.probability is not None and defect.heat is not None for defect in found.defects)
    if mode != "annotate":  # its weights have learnt nothing, so that it is sure of nothing
        assert found.verdict is Verdict.OK
        assert any(defect.vetoed for defect in found.defects)

    decided = in_service(sheet, recipe, detectors[0], classifier)
    assert [_rounded(defect) for defect in decided.defects] == [_rounded(defect) for defect in found.defects]
    assert (decided.verdict, decided.classifier) == (found.verdict, found.classifier)

    alone = inspect_image(Rows(sheet), recipe, detectors)
    assert alone.classifier.startswith(f"{mode}, absent: ")
    assert alone.verdict is (Verdict.INCONCLUSIVE if mode == "confirm" else Verdict.NG)


def in_service(sheet: NDArray[np.uint8], recipe: Recipe, detector: Detector, classifier: Classifier) -> PlateResult:
    """What merge decides, with windows in another order and each question answered by itself, the last one first."""
    merger, (rows, columns) = Merger(recipe, ""), sheet.shape
    place = Place(0, 1, columns)
    instructions = merger.handle(PlateClosed(0, place, rows))
    for window in reversed(windows_of(rows, columns, recipe.windows)):
        for result in score_windows(detector, sheet, [window], recipe.windows, run="", plate=0):
            instructions += merger.handle(WindowScored(result, place))
    questions = [one for one in instructions if isinstance(one, ClassifyCrops)]
    while questions:
        asked = questions.pop()
        work = Work()
        work.add(asked, sheet)
        (answer,) = work.compute(lambda _: classifier, 16)
        more = merger.handle(answer)
        questions += [one for one in more if isinstance(one, ClassifyCrops)]
        instructions += more
    (decided,) = [instruction.result for instruction in instructions if isinstance(instruction, PlateDecided)]
    return decided


@pytest.mark.parametrize("backed", [True, False])
def test_faint_regions_are_decided_here_as_in_the_service(
    sheet: NDArray[np.uint8], classifier: Classifier, backed: bool
) -> None:
    asking = Classified(mode="veto").model_copy(update=ALL_VETOED | ({"veto_below": 1e-9} if backed else {}))
    recipe = GENERAL.model_copy(
        update={
            "classifier": asking,
            "columns": Columns(last=sheet.shape[1]),
            "threshold": Threshold(floor=6.5),
        }
    )
    detector = Detector.load(recipe, "cpu")
    found = inspect_image(Rows(sheet), recipe, [detector], classifier=classifier)
    assert any(defect.faint for defect in found.defects)
    assert any(not defect.faint for defect in found.defects)
    assert {defect.vetoed for defect in found.defects} == {not backed}
    decided = in_service(sheet, recipe, detector, classifier)
    assert [_rounded(defect) for defect in decided.defects] == [_rounded(defect) for defect in found.defects]
    assert (decided.verdict, decided.classifier) == (found.verdict, found.classifier)

    without = recipe.model_copy(update={"classifier": Classified()})
    off = inspect_image(Rows(sheet), without, [Detector.load(without, "cpu")])
    alone = inspect_image(Rows(sheet), recipe, [detector])
    assert [replace(defect, unanswered=0) for defect in alone.defects] == list(off.defects)
    assert replace(alone, classifier="off", defects=off.defects) == off


def _rounded(defect: Defect) -> Defect:
    assert defect.probability is not None
    return replace(defect, probability=round(defect.probability, 4), heat=None)


def test_threads_change_nothing(sheet: NDArray[np.uint8], detectors: list[Detector]) -> None:
    assert inspect_image(Rows(sheet), GENERAL, detectors) == inspect_image(Rows(sheet), GENERAL, detectors[:1])


def test_cracks_are_found(sheet: NDArray[np.uint8], detectors: list[Detector]) -> None:
    found = inspect_image(Rows(sheet), GENERAL, detectors)
    assert found.verdict is Verdict.NG
    assert found.complete
    assert found.windows == found.windows_scored == 9
    assert all(d.x >= 0 and d.x + d.width <= 1340 and d.y >= 0 and d.y + d.height <= 1290 for d in found.defects)


@pytest.mark.parametrize("grey", [0, 255])
def test_a_black_or_white_image_is_not_ok(detectors: list[Detector], grey: int) -> None:
    found = inspect_image(Rows(np.full((700, 700), grey, np.uint8)), GENERAL, detectors)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert Cause.COVERAGE in found.causes


# --- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (20, 5000), (700, 20), (3, 2)])
def test_an_image_smaller_than_the_widest_template_is_too_small(
    detectors: list[Detector], rows: int, columns: int
) -> None:
    source = Rows(np.full((rows, columns), 90, np.uint8))
    asking = GENERAL.model_copy(update={"classifier": Classified(mode="annotate")})
    found = inspect_image(source, asking, detectors)
    assert (found.verdict, found.causes) == (Verdict.INCONCLUSIVE, (Cause.TOO_SMALL,))
    assert found.coverage is None
    assert found.classifier == "none", "as in the service, where nothing was inspected"
    assert source.read[-1][1] == rows, "damage in a small image would not show"


def test_the_smallest_image_that_can_be_inspected_is(detectors: list[Detector]) -> None:
    noise = np.random.default_rng(1).integers(90, 110, (21, 21), dtype=np.uint8)
    found = inspect_image(Rows(noise), GENERAL, detectors)
    assert found.windows_scored == 1
    assert Cause.TOO_SMALL not in found.causes


def test_a_product_takes_its_own_width_or_cuts_the_cameras() -> None:
    recipe = load_recipe("P10B")
    assert plate_columns(9777, recipe, CAMERA_WIDTH) == (0, 9777)
    assert plate_columns(16384, recipe, CAMERA_WIDTH) == (3303, 13080)
    assert plate_columns(777, GENERAL, CAMERA_WIDTH) == (0, 777)
    with pytest.raises(ImageError, match=r"9,776 px wide.*P10B is 9,777 px.*16,384 px"):
        plate_columns(9776, recipe, CAMERA_WIDTH)


def test_a_row_of_the_camera_is_cut_to_the_plate(
    sheet: NDArray[np.uint8], detectors: list[Detector], tmp_path: Path
) -> None:
    camera = np.full((700, 16384), 10, np.uint8)
    camera[:, 5000:6340] = sheet[:700]
    recipe = GENERAL.model_copy(update={"columns": Columns(first=5000, last=6340)})
    tifffile.imwrite(tmp_path / "a.tif", camera, compression="zstd")
    [result] = inspect_files([tmp_path / "a.tif"], recipe, detectors)
    assert result.plate == inspect_image(Rows(sheet[:700]), GENERAL, detectors)
    assert (result.width, result.height, result.first_column) == (1340, 700, 5000)


def test_a_wrong_length_is_inconclusive_or_ng_but_never_ok(sheet: NDArray[np.uint8], detectors: list[Detector]) -> None:
    for nominal, cause in ((900, Cause.TOO_LONG), (1500, Cause.TOO_SHORT)):
        recipe = GENERAL.model_copy(update={"length": Length(nominal_rows=nominal)})
        found = inspect_image(Rows(sheet), recipe, detectors)
        assert found.verdict is not Verdict.OK
        assert cause in found.causes
        assert found.windows_scored == found.windows


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, sheet: NDArray[np.uint8]) -> Path:
    Image.fromarray(sheet[:700, :700]).save(tmp_path / "good.png")
    Image.fromarray(np.zeros((1, 1), np.uint8)).save(tmp_path / "small.bmp")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.jpg").write_text("hello")
    tifffile.imwrite(tmp_path / "deep.tif", sheet[:700, :700].astype(np.uint16) * 16)
    return tmp_path


ORDER = ["cut.png", "good.png", "missing.png", "empty.tif", "small.bmp", "text.jpg", ".", "deep.tif"]


def test_files_that_cannot_be_inspected_do_not_stop_the_others(folder: Path, detectors: list[Detector]) -> None:
    results = list(inspect_files([folder / name for name in ORDER], GENERAL, detectors, bits=12))
    assert [Path(result.image) for result in results] == [folder / name for name in ORDER]
    failed = {Path(result.image).name for result in results if result.failed}
    assert failed == {"cut.png", "missing.png", "empty.tif", "text.jpg", folder.name}
    for result in results:
        said = to_json(result)
        assert said.keys() >= KEYS
        json.dumps(said, allow_nan=False)
        if result.failed:
            assert result.plate.causes == (Cause.UNREADABLE,)
            assert result.plate.reason
            assert (said["verdict"], said["defects"], said["coverage"], said["windows"]) == (
                "INCONCLUSIVE",
                [],
                None,
                0,
            )
    good, deep = (next(r for r in results if r.image.endswith(name)) for name in ("good.png", "deep.tif"))
    # twelve bits as told are the same picture, up to the rounding of 16 grey levels a step
    assert abs(len(good.plate.defects) - len(deep.plate.defects)) <= 1


def test_damage_far_down_is_a_failure_with_the_size_that_is_known(tmp_path: Path, detectors: list[Detector]) -> None:
    path = tmp_path / "a.tif"
    pixels = np.random.default_rng(2).integers(80, 120, (2000, 700), dtype=np.uint8)
    tifffile.imwrite(path, pixels, compression="zlib", rowsperstrip=100)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages.first.dataoffsets[15]
    data[offset + 100 : offset + 2000] = bytes(1900)
    path.write_bytes(data)
    [result] = inspect_files([path], GENERAL, detectors)
    assert result.failed
    assert (result.width, result.height) == (700, 2000)
    assert "strip or tile 15" in result.plate.reason


def test_sizes_in_mm_come_with_a_pitch_and_are_null_without(
    sheet: NDArray[np.uint8], detectors: list[Detector]
) -> None:
    def said(recipe: Recipe) -> list[dict[str, Any]]:
        plate = inspect_image(Rows(sheet), recipe, detectors)
        defects: list[dict[str, Any]] = to_json(InspectResult("a", plate, 1340, 1290, 0.1))["defects"]
        assert defects
        assert all(defect.keys() >= DEFECT_KEYS for defect in defects)
        assert all(type(defect[key]) is int for defect in defects for key in ("x", "y", "width", "height"))
        assert all(0 <= defect["score"] <= 1 for defect in defects)
        return defects

    assert all(d[f"{k}_mm"] is None for d in said(GENERAL) for k in ("x", "y", "width", "height"))
    for defect in said(GENERAL.model_copy(update={"pitch": Pitch(row_mm=0.05, column_mm=0.04)})):
        assert defect["x_mm"] == pytest.approx(defect["x"] * 0.04)
        assert defect["height_mm"] == pytest.approx(defect["height"] * 0.05)


@pytest.mark.parametrize("memory", [None, 1000])
def test_pictures_are_written_also_of_images_beyond_memory(
    folder: Path, detectors: list[Detector], monkeypatch: pytest.MonkeyPatch, memory: int | None
) -> None:
    if memory is not None:
        monkeypatch.setattr(inspecting, "available_bytes", lambda: memory)
    other = folder / "other"
    other.mkdir()
    (other / "good.png").write_bytes((folder / "good.png").read_bytes())
    pictures = folder / "pictures"
    paths = [folder / "good.png", other / "good.png", folder / "cut.png"]
    first, second, cut = inspect_files(paths, GENERAL, detectors, pictures=pictures)
    assert first.evidence is not None
    assert second.evidence is not None
    assert cut.evidence is None
    assert first.evidence.overview == pictures / "good-overview.jpg"
    assert second.evidence.overview == pictures / "good-2-overview.jpg"
    assert len(first.evidence.crops) == min(50, len(first.plate.defects))
    assert {path.suffix for path in pictures.iterdir()} <= {".jpg", ".png"}
    with Image.open(first.evidence.overview) as overview:
        assert np.asarray(overview)[:600, :600].std() > 3


def test_pictures_that_cannot_be_written_are_a_warning(folder: Path, detectors: list[Detector]) -> None:
    [result] = inspect_files([folder / "good.png"], GENERAL, detectors, pictures=folder / "good.png")
    assert not result.failed
    assert any("good.png" in warning for warning in result.warnings)


def test_an_image_is_closed_when_the_caller_stops(
    folder: Path, detectors: list[Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[ImageSource] = []

    def opening(path: Path, bits: int | None) -> ImageSource:
        opened.append(open_image(path, bits))
        return opened[-1]

    def interrupted(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspecting, "open_image", opening)
    with pytest.raises(KeyboardInterrupt):
        list(inspect_files([folder / "deep.tif"], GENERAL, detectors, progress=interrupted))
    with pytest.raises(ImageError, match="closed"):
        opened[0].rows(0, 1)


def test_values_of_unknown_depth_are_never_ok_and_no_crack_is_lost_in_them(
    sheet: NDArray[np.uint8], detectors: list[Detector], tmp_path: Path
) -> None:
    found = {}
    for bits in (14, 16):
        deep = (sheet.astype(np.uint16) << (bits - 8)) | (sheet >> (16 - bits))
        tifffile.imwrite(tmp_path / f"{bits}.tif", deep)
        [found[bits]] = inspect_files([tmp_path / f"{bits}.tif"], GENERAL, detectors)
    [eight] = inspect_files([tmp_path / "14.tif"], GENERAL, detectors, bits=14)
    assert eight.plate.verdict is Verdict.NG
    assert found[14].plate.causes == (Cause.DEFECT, Cause.DEPTH)
    assert found[14].plate.defects == eight.plate.defects
    assert Cause.DEPTH not in found[16].plate.causes
    calm = np.full((700, 700), 60, np.uint16)
    calm[::2] += 5
    tifffile.imwrite(tmp_path / "calm.tif", calm * 64)
    [result] = inspect_files([tmp_path / "calm.tif"], GENERAL, detectors)
    assert result.plate.verdict is Verdict.INCONCLUSIVE
    assert "--bits" in result.plate.reason


def test_further_pages_keep_a_plate_from_being_ok(
    sheet: NDArray[np.uint8], detectors: list[Detector], tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([sheet[:700, :700]] * 2), photometric="minisblack")
    [result] = inspect_files([tmp_path / "a.tif"], GENERAL, detectors)
    assert Cause.FURTHER_PAGES in result.plate.causes


def test_numbers_that_are_none_are_null() -> None:
    said = to_json(failure("a.png", "gone"))
    assert said["width"] is None
    assert said["height"] is None
    assert said["coverage"] is None
    assert said["classifier"] == "none"


def test_a_fault_in_one_image_does_not_cost_the_others(folder: Path, detectors: list[Detector]) -> None:
    class Broken:
        recipe = GENERAL

        def __init__(self) -> None:
            self.calls = 0

        def detect(self, views: Any, judging: Any) -> Any:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("out of order")
            return detectors[0].detect(views, judging)

    first, second = inspect_files([folder / "good.png"] * 2, GENERAL, [Broken()])  # type: ignore[list-item]
    assert first.failed
    assert "out of order" in first.plate.reason
    assert not second.failed


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_weights_that_compute_nothing_inspect_nothing_whatever_their_hash(folder: Path, value: float) -> None:
    state = torch.load(SHIPPED / "detector-half.pt", weights_only=True)
    state = {name: torch.full_like(one, value) if one.is_floating_point() else one for name, one in state.items()}
    torch.save(state, folder / "own.pt")
    card = json.loads((SHIPPED / "detector-half.json").read_text())
    card["sha256"] = hashlib.sha256((folder / "own.pt").read_bytes()).hexdigest()
    (folder / "own.json").write_text(json.dumps(card))
    recipe = GENERAL.model_copy(update={"weights": str(folder / "own.pt")})
    for result in load_and_inspect([folder / "good.png"] * 2, recipe, "cpu"):
        assert result.failed
        assert result.plate.verdict is Verdict.INCONCLUSIVE
        assert "the known-answer window gives wrong values" in result.plate.reason


def test_a_detector_that_goes_wrong_at_work_makes_no_sheet_ok(folder: Path) -> None:
    one = Detector.load(GENERAL, "cpu")
    with torch.no_grad():
        list(one._network.parameters())[-1].fill_(torch.nan)
    (result,) = inspect_files([folder / "good.png"], GENERAL, [one])
    assert (result.plate.verdict, result.plate.causes) == (Verdict.INCONCLUSIVE, (Cause.WINDOW_FAILED,))
    assert (result.plate.windows_scored, result.plate.coverage, result.plate.complete) == (0, None, False)


def test_the_classifier_is_the_one_that_the_line_would_ask(tmp_path: Path) -> None:
    asked = Recipe(name="any", classifier=Classified(mode="veto"))
    assert load_classifier(Recipe(name="any"), "cpu") is None
    shipped = load_classifier(asked, "cpu")
    own = load_classifier(asked, "cpu", Settings(weights=untrained(tmp_path), views=("identity",)))
    assert shipped is not None
    assert own is not None
    assert own.facts["weights_sha256"] != shipped.facts["weights_sha256"]
    assert own.views == ("identity",)


def test_the_network_that_the_settings_name_is_taken_of_those_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Recipe(name="any", classifier=Classified(mode="veto"))
    monkeypatch.setattr("config.weights.SHIPPED", tmp_path)
    with pytest.raises(ClassifierError, match=r"no network at .*classifier-resnet18.pt"):
        load_classifier(asked, "cpu", Settings(network="resnet18"))
    made = untrained(tmp_path)
    for path in (made, made.with_suffix(".json")):
        path.rename(path.with_stem("classifier-resnet18"))
    found = load_classifier(asked, "cpu", Settings(network="resnet18"))
    assert found is not None
    assert found.facts["network"] == "resnet18"


def test_answers_with_views_that_the_temperature_was_not_fitted_for_are_said_once_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, weights = Recipe(name="any", classifier=Classified(mode="veto")), untrained(tmp_path)
    assert load_classifier(asked, "cpu", Settings(weights=weights)) is not None
    assert capsys.readouterr() == ("", "")
    assert load_classifier(asked, "cpu", Settings(weights=weights, views=("identity",))) is not None
    out, said = capsys.readouterr()
    assert (out, said.count("\n")) == ("", 1)
    assert said.startswith("linesentry: the temperature was fitted for the views identity, ")
    assert said.endswith("and these are identity: probabilities may be too sure or too unsure\n")


def test_a_classifier_that_does_not_give_its_known_answer_decides_nothing(tmp_path: Path) -> None:
    weights = untrained(tmp_path)
    card = weights.with_suffix(".json")
    said = json.loads(card.read_text())
    for record in said["known_answer"].values():
        record.update({name: value + 0.5 for name, value in record.items()})
    card.write_text(json.dumps(said))
    with pytest.raises(ClassifierError, match="known"):
        load_classifier(Recipe(name="any", classifier=Classified(mode="veto")), "cpu", Settings(weights=weights))
