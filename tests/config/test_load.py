from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from config.errors import ConfigError
from config.load import (
    config_hash,
    load_config,
    load_recipe,
    recipe_hash,
    recipe_names,
    shipped,
    with_overrides,
)
from config.schema import Camera, Config, OwnArchive, Pitch, Recipe, Switch
from config.source import MOST_BYTES


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(folder: Path, text: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(written(folder, text))
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.faults)
    return [line.removeprefix(f"{folder}/") for line in lines]


def dotted_keys(values: dict[str, Any], before: str = "") -> set[str]:
    keys = set()
    for key, value in values.items():
        keys |= dotted_keys(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}"}
    return keys


def test_the_shipped_configuration_is_the_schemas_defaults_with_every_key_told() -> None:
    assert load_config() == Config()
    told = yaml.safe_load(shipped("default.yaml").read_text(encoding="utf-8"))
    assert dotted_keys(told) == dotted_keys(Config().model_dump())


def test_every_key_of_the_shipped_configuration_has_a_sentence() -> None:
    for line in shipped("default.yaml").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#") and not line.endswith(":"):
            assert "#" in line, line


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "# nothing\n")) == Config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slots: 1\n", "c.yaml:1: slots: found 1, allowed: 2 or more (plates that the plate memory holds)"),
        ("slots: '5'\n", "c.yaml:1: slots: found '5', allowed: a whole number (plates that the plate memory holds)"),
        ("slots: true\n", "c.yaml:1: slots: found True, allowed: a whole number (plates that the plate memory holds)"),
        ("overload: drop\n", "c.yaml:1: overload: found 'drop', allowed: 'wait' or 'skip' (when no slot is free at"),
        ("lease:\n  factor: .nan\n", "c.yaml:2: lease.factor: found nan, allowed: a finite number"),
        ("lease:\n  factor: 1e999\n", "c.yaml:2: lease.factor: found inf, allowed: a finite number"),
        ("workers:\n  count: 65\n", "c.yaml:2: workers.count: found 65, allowed: 64 or less"),
        ("workers:\n  batch: 4\n", "c.yaml:2: workers.batch: there is no such key any more: a worker computes"),
        ("workers: 3\n", "c.yaml:1: workers: found 3, allowed: a section of keys and values"),
        ("results:\n  pictures: no\n", "c.yaml:2: results.pictures: found 'no', allowed: true or false"),
        (
            "simulator:\n  interference: [oil, dust]\n",
            "c.yaml:2: simulator.interference[1]: found 'dust', allowed: ",
        ),
        ("classify:\n  views: []\n", "c.yaml:2: classify.views: found [], allowed: "),
        ("classify:\n  views: [identity, identity]\n", "c.yaml:1: classify: views names identity twice"),
        ("camera:\n  source: folder\n", "c.yaml:1: camera: source is folder, but folder names no directory of images"),
        ("store:\n  url: postgresql://a:secret@b/c\n", "c.yaml:2: store.url: leave the password out"),
        ("store:\n  url: postgresql://b/c?Password=x\n", "c.yaml:2: store.url: leave the password out"),
        ("store:\n  url: sqlite:///x\n", "c.yaml:2: store.url: found 'sqlite:///x', allowed: "),
        ("slots: 3\n\nslots: 4\n", "c.yaml:3: slots: given twice, first on line 1; keep one"),
        ("- 1\n", "c.yaml:1: found [1], allowed: keys and values"),
        ("a: [\n", "c.yaml:2: is not YAML: while parsing a flow node"),
        ("a: b: c\n", "c.yaml:1: is not YAML: mapping values are not allowed here"),
        ("slots: 99999999999999999999\n", "c.yaml:1: slots: number '99999999999999999999' does not fit into 64 bits"),
        ("slots: !!python/none 3\n", "c.yaml:1: slots: tag 'tag:yaml.org,2002:python/none' is not allowed"),
        ("? [a]\n: 3\n", "c.yaml:1: a key must be a word"),
        ("a: &x 1\nb: *x\n", "c.yaml:2: is not YAML: aliases (*name) are not allowed"),
        ("recipe: \xff\n".encode("latin-1"), "c.yaml:1: is not UTF-8 text: byte 0xff at offset 8"),
    ],
)
def test_a_fault_says_where_it_is_what_was_found_and_what_is_allowed(
    tmp_path: Path, text: str | bytes, expected: str
) -> None:
    (line,) = refusal(tmp_path, text)
    assert line.startswith(expected)


def test_an_unknown_key_is_refused_with_the_known_ones_and_the_nearest(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, "camera:\n  widht: 3\n")
    assert line == (
        "c.yaml:2: camera.widht: unknown key; known here: source, folder, bits, producer, interface, device, "
        "feature_file, features, switch_feature, switch_bit, switch, width, strip_rows, buffers, line_rate_hz, "
        "gap_rows, flat_field; did you mean width?"
    )


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, "slots: 1\ndrain_s: -1\nworkers: {batch: 0}\n")) == 3
    with pytest.raises(ConfigError, match=r"\nand 10 more faults$"):
        load_config(written(tmp_path, "simulator:\n  interference: [" + "dust, " * 30 + "]\n"))


def test_paths_of_a_file_are_relative_to_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path, "recipe: own.yaml\nstate_directory: state\ncamera: {source: folder, folder: in}\n")
    (tmp_path / "own.yaml").write_text("name: own\n", encoding="utf-8")
    config = load_config(path)
    assert config.state_directory == tmp_path / "state"
    assert config.camera == Camera(source="folder", folder=tmp_path / "in")
    assert load_recipe(config.recipe) == Recipe(name="own")


@pytest.mark.parametrize("name", recipe_names())
def test_each_shipped_recipe_has_the_name_of_its_file(name: str) -> None:
    assert load_recipe(name).name == name


@pytest.mark.parametrize(
    ("name", "rows", "columns", "length_mm", "width_mm"),
    [
        ("P10B", 19214, 9777, 1000, 407),
        ("02CG", 19080, 6006, 993, 250),
        ("EA10B", 19118, 8960, 995, 373),
        ("U20B", 3247, 14653, 169, 610),
    ],
)
def test_a_products_pixels_times_its_pitches_are_its_size(
    name: str, rows: int, columns: int, length_mm: float, width_mm: float
) -> None:
    recipe = load_recipe(name)
    assert recipe.length is not None
    assert recipe.columns is not None
    assert recipe.pitch is not None
    assert (recipe.length.nominal_rows, recipe.columns.count) == (rows, columns)
    assert rows * recipe.pitch.row_mm == pytest.approx(length_mm, abs=0.1)
    assert columns * recipe.pitch.column_mm == pytest.approx(width_mm, abs=0.1)
    assert abs(recipe.columns.first - (16384 - recipe.columns.last)) <= 1


def test_an_unknown_recipe_is_refused_with_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"02CG, EA10B, P10B, U20B, general; did you mean P10B\?"):
        load_recipe("p10b")


@pytest.mark.parametrize(
    ("refused", "told", "taken", "kept"),
    [
        pytest.param(
            "{mode: veto, veto_below: 0.4, confirm_above: 0.3}",
            r"classifier: veto_below \(0.4\) must not exceed confirm_above \(0.3\)",
            "{mode: confirm, confirm_above: 0.01}",
            ("confirm_above", 0.01),
            id="what it calls a crack",
        ),
        pytest.param(  # each fainter region that was answered would be a defect
            "{mode: veto, veto_below: 0}",
            r"classifier: veto_below \(0.0\) must be above 0 .* mode: annotate",
            "{mode: annotate, veto_below: 0}",
            ("veto_below", 0),
            id="nothing",
        ),
    ],
)
def test_a_recipe_that_vetoes_amiss_is_refused_and_only_where_it_vetoes(
    tmp_path: Path, refused: str, told: str, taken: str, kept: tuple[str, float]
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"name: own\nclassifier: {refused}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        load_recipe(path)
    path.write_text(f"name: own\nclassifier: {taken}\n", encoding="utf-8")
    name, value = kept
    assert getattr(load_recipe(path).classifier, name) == value


def test_a_recipes_missing_name_and_bad_template_are_told(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("templates:\n  - {width: 9, height: 5, step: 5}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert [(fault.key, fault.line) for fault in caught.value.faults] == [("name", 1), ("templates[0]", 2)]


@pytest.mark.parametrize(
    ("zone", "told"),
    [
        ("{weight: 1}", "zones[0]: a zone is a rectangle or a polygon; found neither"),
        (
            "{weight: 1, rectangle: {x: 0, y: 0, width: 1, height: 1}, polygon: [[0, 0], [1, 0], [0, 1]]}",
            "zones[0]: a zone is a rectangle or a polygon; found both",
        ),
        ("{rectangle: {x: 0, y: 0, width: 1, height: 1}}", "zones[0].weight: is missing"),
        ("{weight: .nan, polygon: [[0, 0], [1, 0], [0, 1]]}", "zones[0].weight: found nan"),
        ("{weight: 20.5, polygon: [[0, 0], [1, 0], [0, 1]]}", "zones[0].weight: found 20.5, allowed: 20.0 or less"),
        ("{weight: 1, polygon: [[0, 0], [1, 0]]}", "zones[0].polygon: found"),
        (
            "{weight: 1, polygon: [[0, 0], [1, 0], [2, 0]]}",
            "zones[0]: the corners of a polygon must not lie in one row",
        ),
        ("{weight: 1, polygon: [[0, 0], [1, 0, 3], [0, 1]]}", "zones[0].polygon[1]"),
        ("{weight: 1, polygon: [[0, 0], [1.5, 0], [0, 1]]}", "zones[0].polygon[1][0]: found 1.5"),
        ("{weight: 1, polygon: [[0, 0], [-1, 0], [0, 1]]}", "zones[0].polygon[1][0]: found -1, allowed: 0 or more"),
        ("{weight: 1, polygon: [[0, 0], [9999999999, 0], [0, 1]]}", "zones[0].polygon[1][0]: found 9999999999"),
        ("{weight: 1, circle: [3, 4]}", "zones[0].circle: unknown key"),
        ("{weight: 1, rectangle: {x: 0, y: 0, width: 0, height: 1}}", "zones[0].rectangle.width: found 0"),
    ],
)
def test_impossible_zone_is_told_by_its_place(tmp_path: Path, zone: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"name: own\nzones:\n  - {zone}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_recipe(path)
    assert told in str(refused.value)


def test_zones_are_limited_in_number(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    zone = "  - {weight: 1, rectangle: {x: 0, y: 0, width: 9, height: 9}}\n"
    path.write_text("name: own\nzones:\n" + 256 * zone, encoding="utf-8")
    assert len(load_recipe(path).zones) == 256
    path.write_text("name: own\nzones:\n" + 257 * zone, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"zones: .*256"):
        load_recipe(path)


def test_overrides_are_validated_like_a_file() -> None:
    changed = with_overrides(Config(), {"camera.line_rate_hz": 20000, "slots": 5, "state_directory": Path("/var/x")})
    assert (changed.camera.line_rate_hz, changed.slots, changed.state_directory) == (20000, 5, Path("/var/x"))
    assert changed.camera.width == Config().camera.width
    with pytest.raises(
        ConfigError, match=r"^command line: camera.line_rate: unknown key.*did you mean line_rate_hz\?$"
    ):
        with_overrides(Config(), {"camera.line_rate": 1})
    with pytest.raises(ConfigError, match=r"^command line: slots: found 0, allowed: 2 or more"):
        with_overrides(Config(), {"slots": 0})
    with pytest.raises(ConfigError, match=r"slots.x: unknown key: there is nothing below this one"):
        with_overrides(Config(), {"slots.x": 0})


def test_hashes_depend_on_the_values_alone(tmp_path: Path) -> None:
    same = load_config(written(tmp_path, "drain_s: 30\nslots: 3\n"))
    assert config_hash(same) == config_hash(Config())
    assert config_hash(with_overrides(Config(), {"slots": 4})) != config_hash(Config())
    hashes = {recipe_hash(load_recipe(name)) for name in recipe_names()}
    assert len(hashes) == len(recipe_names())
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    alone = load_recipe(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("name: mine\narchive: {ok: every, ok_every: 20}\n")
    mine = load_recipe(tmp_path / "mine.yaml")
    assert mine.archive == OwnArchive(ok="every", ok_every=20)
    # It changes no result, and stored results say by which recipe they came to be.
    assert recipe_hash(mine) == recipe_hash(alone)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "device", "odd name"])
def test_what_is_no_file_is_refused_without_blocking(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "c.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "odd name":
        path = Path("c\0.yaml")
    with pytest.raises(ConfigError):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "a: " * 3,
        "{a: " * 5000,
        "? " * 5000,
        "- " * 5000,
        '"\\UFFFFFFFF"',
        "%YAML 1." + "9" * 6000 + "\n--- {}",
        "slots: " + "9" * 5000,
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "---\n---\n",
        "x" * (MOST_BYTES + 1),
        'recipe: "\\ud800"',
        "\x00",
    ],
)
def test_hostile_text_is_refused_in_readable_lines(tmp_path: Path, text: str) -> None:
    assert all(len(line) < 400 and line.isprintable() for line in refusal(tmp_path, text))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def faults_of(load: Callable[[], BaseModel]) -> list[str]:
    """The lines with which it is refused, none where it loads; anything but ConfigError fails the test."""
    try:
        loaded = load()
    except ConfigError as error:
        return str(error).splitlines() or ["refused without a word"]
    assert json.dumps(loaded.model_dump(mode="json"), allow_nan=False)
    return []


def loads_or_is_refused(path: Path) -> None:
    lines = faults_of(lambda: load_config(path)) + faults_of(lambda: load_recipe(path))
    assert all(line.isprintable() and line != "refused without a word" for line in lines)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_load_or_are_refused(tmp_path: Path, content: bytes) -> None:
    loads_or_is_refused(written(tmp_path, content))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=st.dictionaries(st.sampled_from(sorted({*Config.model_fields, *Recipe.model_fields, "x"})), _VALUES)
    | st.fixed_dictionaries({"camera": st.dictionaries(st.sampled_from([*Camera.model_fields]), _VALUES)})
)
def test_values_of_any_type_load_or_are_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    loads_or_is_refused(written(tmp_path, yaml.safe_dump(values)))


@settings(max_examples=100, deadline=None)
@given(overrides=st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(Config.model_fields)), _VALUES))
def test_any_overrides_apply_or_are_refused(overrides: dict[str, Any]) -> None:
    lines = faults_of(lambda: with_overrides(Config(), overrides))
    assert all(line.startswith(("command line: ", "and ")) for line in lines)


def test_loading_a_configuration_imports_no_heavy_library() -> None:
    code = (
        "import sys; from config.load import load_config; from config.check import check; load_config(); check(None);"
        "print(sorted({'torch', 'numpy', 'scipy', 'cv2', 'simulator'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_weights_of_a_recipe_lie_beside_it_wherever_it_is_used_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes").mkdir()
    own = tmp_path / "recipes" / "own.yaml"
    own.write_text("name: own\nweights: nets/own.pt\nclassifier: {weights: c.pt}\n", encoding="utf-8")
    assert load_recipe(own).weights == str(own.parent / "nets" / "own.pt")
    assert load_recipe(own).classifier.weights == str(own.parent / "c.pt")
    monkeypatch.chdir(tmp_path)
    assert load_recipe("recipes/own.yaml").weights == "recipes/nets/own.pt"
    own.write_text("name: own\nweights: /nets/own.pt\n", encoding="utf-8")
    assert load_recipe(own).weights == "/nets/own.pt"
    own.write_text("name: own\n", encoding="utf-8")
    assert load_recipe(own).weights is None


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("decision.ng_score", (0.0, 0.04, 0.9, 1.0, "nan")),
        ("classifier.veto_below", (-0.1, 0.51, 1.0, "nan")),
        ("classifier.veto_most_score", (-0.1, 0.9, 1.0)),
        ("classifier.confirm_above", (-0.1, 0.96, 1.0)),
        ("threshold.floor", (-21, 21, 1e9, "inf", "nan")),
        ("threshold.fraction", (0, 1e-6, 0.06, 1)),
        ("post.least_area", (0, 101, 1_000_000)),
        ("post.join_gap", (-1, 201, 1e9)),
    ],
)
def test_what_would_make_every_plate_of_one_verdict_is_refused(
    tmp_path: Path, key: str, values: tuple[float | str, ...]
) -> None:
    section, name = key.split(".")
    for value in values:
        path = tmp_path / "own.yaml"
        written = f".{value}" if isinstance(value, str) else value
        path.write_text(f"name: own\n{section}: {{{name}: {written}}}\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=rf"{key}: "):
            load_recipe(path)


def test_the_way_from_switch_to_camera_is_told_in_rows_or_in_mm_by_the_encoders_pitch() -> None:
    pitch = Pitch(row_mm=0.05, column_mm=0.04)
    assert Recipe(name="r").offset_rows == 64
    assert Recipe(name="r", switch=Switch(offset_rows=100)).offset_rows == 100
    assert Recipe(name="r", pitch=pitch, switch=Switch(offset_mm=30)).offset_rows == 600
    assert Recipe(name="r", pitch=pitch, switch=Switch(offset_mm=0.974, debounce_rows=16)).offset_rows == 19
    read_again = Recipe.model_validate(Recipe(name="r", pitch=pitch, switch=Switch(offset_mm=30)).model_dump())
    assert read_again.offset_rows == 600


@pytest.mark.parametrize(
    ("switch", "pitch", "said"),
    [
        ({"offset_rows": 64, "offset_mm": 3}, {"row_mm": 0.05, "column_mm": 0.05}, "give one of the two"),
        ({"offset_mm": 3}, None, "pitch.row_mm"),
        ({"offset_mm": 0.7}, {"row_mm": 0.05, "column_mm": 0.05}, "must not exceed the rows from the switch"),
        ({"offset_rows": 8}, None, "must not exceed the rows from the switch"),
    ],
)
def test_a_way_from_switch_to_camera_that_cannot_be_is_refused(
    switch: dict[str, float], pitch: dict[str, float] | None, said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        Recipe.model_validate({"name": "r", "switch": switch, "pitch": pitch})


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ({"switch": {"source": "modbus"}, "line_rate_hz": 9}, "source is modbus, but modbus.host is missing"),
        ({"switch": {"modbus": {"host": "plc"}}}, "source is camera, so modbus is of no use"),
        ({"switch": {"source": "opcua"}, "line_rate_hz": 9}, "source is opcua, but opcua.url is missing"),
        ({"switch": {"source": "gpio"}, "line_rate_hz": 9}, "source is gpio, but gpio.line is missing"),
        ({"switch": {"source": "gpio", "gpio": {"line": 1}}}, "line_rate_hz must be set"),
        ({"switch": {"source": "opcua", "opcua": {"url": "http://plc", "node": "i=1"}}}, "switch.opcua.url"),
        ({"switch": {"source": "opcua", "opcua": {"url": "opc.tcp://plc", "node": "Sheet"}}}, "switch.opcua.node"),
        ({"switch": {"source": "picture", "check": True}}, "nothing to check it by"),
        ({"switch": {"source": "picture"}, "switch_feature": "LineStatus"}, "switch_feature .LineStatus. is another"),
        ({"switch": {"source": "picture"}, "source": "folder", "folder": "."}, "are sheets by themselves"),
        ({"switch": {"source": "http"}}, "line_rate_hz must be set"),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(camera: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Camera.model_validate(camera)
