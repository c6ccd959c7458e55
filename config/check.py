"""What a configuration and its recipe must satisfy together before a service can run with them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.challenger import challenger_faults
from config.errors import ConfigError, Fault, Told, shown_bytes
from config.load import (
    config_hash,
    is_recipe_path,
    kind_of,
    load_config,
    load_recipe,
    load_recipes,
    recipe_hash,
    shipped,
)
from config.masks import DULL, LEAST_UNMASKED, unmasked
from config.outputs import output_faults
from config.recipe_warnings import recipe_warnings, veto_warnings
from config.schema import Config, Recipe
from config.schema.service import DEVICES
from config.source import read
from config.switches import switch_faults
from config.systemd_unit import Unit
from config.unit_faults import configures, unit_faults
from config.web import web_faults
from config.weights import classifier_path, weights_path

Look = Callable[[Config | None, Sequence[Recipe], str, bool], tuple[list[Fault], list[Fault]]]
"""Configuration (None: a recipe by itself), its recipes, source and whether it is the systemd service's, to faults and
warnings of its machine."""


LEAST_SIMULATED = 256
"""Rows and columns of a sheet that the simulator can make."""
MOST_WINDOWS = 100_000
"""Windows of a plate that are kept account of in time."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `linesentry check` says."""

    faults: list[str]
    """One line each; a configuration with any cannot run."""
    facts: list[str]
    """What a run with this configuration would be; empty where it could not be read."""
    warnings: list[str] = field(default_factory=list)
    """One line each; a configuration with any can run, and may do what is not meant."""


def check(path: Path | None, *, service: bool | None = None, machine: Look | None = None) -> Report:
    """Check a configuration file (None: the one that ships) and the recipe it names, or a recipe by itself.

    Args:
        path: the file; which of the two it is, is told by its keys.
        service: also check that the systemd service may see what it names. None: for a file in the directory that the
            unit keeps its configuration in. That file is the service's; any other one may be run by whoever checks it,
            a developer in a checkout or in a container, for whom the unit means nothing. Who asks does not matter:
            root can read all, and that is what misled.
        machine: looks at the machine that a configuration is to run on; None: only the files are checked.

    Returns:
        what was found; nothing is raised for a bad file.
    """
    source = str(shipped("default.yaml") if path is None else path)
    try:
        if path is not None and kind_of(read(path)) == "recipe":
            return _recipe_report(path, machine)
        config = load_config(path)
        recipe, *others = load_recipes(config)
        unit = Unit.here()
    except ConfigError as error:
        return Report(str(error).splitlines(), [])
    faults, facts = service_faults(config, recipe, source, others), _facts(config, [recipe, *others], source)
    # What is wrong with the files may make no sense to a machine.
    sound = not faults
    if path is not None:
        faults += unsaid_camera(config, source)
    if service is None:
        service = path is not None and configures(unit, path)
    if service:
        faults += located(unit_faults(config, recipe, path, unit), config, source)
        facts.append(f"checked as the service sees it: {', '.join(map(str, unit.files))}")
    warnings: list[Fault] = []
    for one, about in each_recipe(config, [recipe, *others]):
        warnings += located(recipe_warnings(config, one), about, source)
    if machine is not None and sound:
        found, warned = machine(config, [recipe, *others], source, service)
        faults, warnings = faults + found, warnings + warned
    return Report([str(fault) for fault in faults], facts, [str(one) for one in warnings])


def _recipe_report(path: Path, machine: Look | None) -> Report:
    recipe = load_recipe(path)
    told = [*_recipe_faults(recipe), *_classifier_faults(Config(), recipe)]
    facts = [f"recipe {recipe.name} ({path}): sha256 {recipe_hash(recipe)}"]
    warnings = [str(Fault(str(path), message, key)) for _, key, message in veto_warnings(recipe)]
    if recipe.columns is None or recipe.slot_rows is None:
        warnings.append(f"{path}: serves files alone: the service needs columns, and length or most_rows")
    else:
        rows, columns = recipe.slot_rows, recipe.columns.count
        facts.append(f"plate memory: {rows} x {columns} px, {shown_bytes(rows * columns)} a slot")
    facts.append("checked as a recipe; `linesentry check` of a configuration that names it checks the two together")
    faults = [Fault(str(path), message, key) for _, key, message in told]
    if machine is not None and not faults:
        faults, _ = machine(None, [recipe], str(path), False)
    return Report([str(fault) for fault in faults], facts, warnings)


def slot_size(recipes: Iterable[Recipe]) -> tuple[int, int] | None:
    """Rows and columns of a slot that takes a plate of each; None where one is without a length or columns."""
    rows, columns = 0, 0
    for one in recipes:
        if one.slot_rows is None or one.columns is None:
            return None
        rows, columns = max(rows, one.slot_rows), max(columns, one.columns.count)
    return rows, columns


def each_recipe(config: Config, recipes: Sequence[Recipe]) -> Iterator[tuple[Recipe, Config]]:
    """Each recipe of a configuration, with the configuration as if it were the one of the start."""
    for recipe, named in zip(recipes, (config.recipe, *config.recipes), strict=False):
        yield recipe, config.model_copy(update={"recipe": named})


def service_faults(
    config: Config, recipe: Recipe, source: str = "configuration", others: Sequence[Recipe] = ()
) -> list[Fault]:
    """Why a service cannot run with this configuration and its recipes; empty when it can.

    `others` are the further recipes that it loads.
    """
    told: Told = [*_camera_faults(config, recipe), *switch_faults(config, recipe)]
    told += [(False, key, message) for key, message in [*output_faults(config), *web_faults(config.web)]]
    faults = located(told, config, source)
    for one, about in each_recipe(config, [recipe, *others]):
        own = [*_service_recipe_faults(config, one), *_recipe_faults(one), *_classifier_faults(config, one)]
        own += challenger_faults(config, one)
        if one is not recipe:
            own += _other_recipe_faults(recipe, one)
        faults += located(own, about, source)
    return faults


def _other_recipe_faults(first: Recipe, other: Recipe) -> Told:
    """The switch stands where it stands, whatever product passes."""
    asked = (
        ("switch.offset_rows", other.offset_rows, first.offset_rows),
        ("switch.debounce_rows", other.switch.debounce_rows, first.switch.debounce_rows),
    )
    return [
        (True, key, f"found {found} rows, recipe {first.name} has {wanted}: all that are loaded need the same")
        for key, found, wanted in asked
        if found != wanted
    ]


def located(told: Told, config: Config, source: str) -> list[Fault]:
    """The faults with the file that each is about."""
    about_recipe = config.recipe if is_recipe_path(config.recipe) else f"recipe {config.recipe}"
    return [Fault(about_recipe if in_recipe else source, message, key) for in_recipe, key, message in told]


def unsaid_camera(config: Config, source: str) -> list[Fault]:
    """A file of one's own says what is inspected: nobody is to take simulated sheets for those of the line."""
    given = config.model_fields_set
    if "simulator" in given or ("camera" in given and "source" in config.camera.model_fields_set):
        return []
    message = "is missing: name the camera, or say `source: simulator` if simulated sheets are meant"
    return [Fault(source, message, "camera.source")]


def _camera_faults(config: Config, recipe: Recipe) -> Told:
    faults: Told = []
    source = config.camera.source
    if source == "simulator" and recipe.length is None and recipe.most_rows is not None:
        faults.append((True, "length", "is missing: the simulator needs to know how many rows a sheet has"))
    if source == "simulator" and recipe.length is not None and recipe.columns is not None:
        rows, columns = recipe.length.nominal_rows, recipe.columns.count
        if min(rows, columns) < LEAST_SIMULATED:
            key = "length.nominal_rows" if rows < LEAST_SIMULATED else "columns"
            message = f"a sheet of {rows} x {columns} px is too small for the simulator: {LEAST_SIMULATED} at least"
            faults.append((True, key, message))
    gap, debounce = config.camera.gap_rows, recipe.switch.debounce_rows
    if source in ("simulator", "folder") and gap < debounce:
        message = f"found {gap}, less than the recipe's switch.debounce_rows ({debounce}): sheets would be seen as one"
        faults.append((False, "camera.gap_rows", message))
    producer = config.camera.producer
    if source == "gentl" and producer is not None and not os.path.isfile(producer):  # noqa: PTH113 - as below
        faults.append((False, "camera.producer", f"found {str(producer)!r}, which is no file: name the maker's .cti"))
    saved = config.camera.feature_file
    if source in DEVICES and saved is not None and not os.path.isfile(saved):  # noqa: PTH113 - as below
        faults.append((False, "camera.feature_file", f"found {str(saved)!r}, which is no file"))
    folder = config.camera.folder
    if source == "folder" and folder is not None and not os.path.isdir(folder):  # noqa: PTH112 - False for any odd path
        faults.append((False, "camera.folder", f"found {str(folder)!r}, which is no directory"))
    if config.restart.hang_s <= config.restart.heartbeat_s:
        message = f"found {config.restart.hang_s}, allowed: more than restart.heartbeat_s"
        faults.append(
            (False, "restart.hang_s", f"{message} ({config.restart.heartbeat_s}), or healthy ones are killed")
        )
    return faults


def _service_recipe_faults(config: Config, recipe: Recipe) -> Told:
    faults: Told = []
    if recipe.columns is None:
        faults.append((True, "columns", "is missing: the service needs to know which camera columns to keep"))
    elif recipe.columns.last > config.camera.width:
        message = f"found {recipe.columns.last}, but the camera has {config.camera.width} columns (camera.width)"
        faults.append((True, "columns.last", message))
    if recipe.slot_rows is None:
        faults.append((True, "length", "is missing (and most_rows too): the service needs the most rows of a plate"))
    return faults


def _recipe_faults(recipe: Recipe) -> Told:
    """What is wrong with a recipe whatever the configuration."""
    return [
        *_length_faults(recipe),
        *_switch_faults(recipe),
        *_window_faults(recipe),
        *_mask_faults(recipe),
        *_zone_faults(recipe),
        *_weights_faults(recipe),
        *_threshold_faults(recipe),
    ]


def _switch_faults(recipe: Recipe) -> Told:
    """A level that must hold for longer than a sheet lasts is never heard: the sheet would not be seen at all."""
    debounce, shortest = recipe.switch.debounce_rows, recipe.shortest_rows
    if not shortest or debounce < shortest:
        return []
    return [(True, "switch.debounce_rows", f"found {debounce}: a sheet of {shortest} rows would never be seen")]


def _window_faults(recipe: Recipe) -> Told:
    if recipe.columns is None or recipe.slot_rows is None:
        return []
    rows, columns, stride = recipe.slot_rows, recipe.columns.count, recipe.windows.stride
    faults: Told = []
    windows = -(-rows // stride) * -(-columns // stride)
    if windows > MOST_WINDOWS:
        message = f"found {stride}: {windows:,} windows a plate, {MOST_WINDOWS:,} at most; take a longer stride"
        faults.append((True, "windows.stride", message))
    for index, template in enumerate(recipe.templates):
        if template.width >= min(rows, columns):
            message = f"found {template.width:g}, but the plate has {rows} x {columns} px"
            faults.append((True, f"templates[{index}].width", message))
    return faults


def _length_faults(recipe: Recipe) -> Told:
    faults: Told = []
    if recipe.length is not None:
        nominal, tolerance = recipe.length.nominal_rows, recipe.length.tolerance
        longest, shortest = round(nominal * (1 + tolerance)), round(nominal * (1 - tolerance))
        if recipe.slot_rows is not None and recipe.slot_rows < longest:
            message = f"{recipe.slot_rows} rows end a sheet that is within tolerance (up to {longest}) as too long"
            faults.append((True, "most_rows", message))
        if recipe.least_rows > shortest:
            message = f"{recipe.least_rows} rows call a sheet that is within tolerance (from {shortest}) too short"
            faults.append((True, "least_rows", message))
    elif recipe.slot_rows is not None and recipe.least_rows > recipe.slot_rows:
        message = f"found {recipe.least_rows}, more than most_rows ({recipe.slot_rows}): no sheet has a right length"
        faults.append((True, "least_rows", message))
    return faults


def _mask_faults(recipe: Recipe) -> Told:
    if recipe.columns is None:
        return []
    width, height = recipe.columns.count, recipe.slot_rows
    faults: Told = [
        (True, f"masks[{index}]", f"begins at x {mask.x}, y {mask.y}, outside the plate of {width} x {height} px")
        for index, mask in enumerate(recipe.masks)
        if mask.x >= width or (height is not None and mask.y >= height)
    ]
    if recipe.length is None:
        return faults
    rows = recipe.length.nominal_rows
    # In a zone of such a weight not even a clear crack is a defect: it is as good as a mask.
    dull = [zone.rectangle for zone in recipe.zones if zone.rectangle and zone.weight <= DULL]
    left = unmasked([*recipe.masks, *dull], rows, width) / (rows * width)
    if left < LEAST_UNMASKED:
        what = f"those of a weight of {DULL:g} or less, with the masks, " if dull else ""
        message = (
            f"{what}leave {left:.1%} of a plate of {width} x {rows} px to be judged, least is {LEAST_UNMASKED:.0%}"
        )
        faults.append((True, "zones" if dull else "masks", message))
    return faults


def _zone_faults(recipe: Recipe) -> Told:
    if recipe.columns is None:
        return []
    width, height = recipe.columns.count, recipe.slot_rows
    faults: Told = []
    for index, zone in enumerate(recipe.zones):
        x, y = (min(values) for values in zip(*zone.corners, strict=True))
        if x >= width or (height is not None and y >= height):
            message = f"begins at x {x}, y {y}, outside the plate of {width} x {height} px"
            faults.append((True, f"zones[{index}]", message))
    return faults


def _weights_faults(recipe: Recipe) -> Told:
    path = weights_path(recipe)
    if os.path.isfile(path):  # noqa: PTH113 - as above
        return []
    if recipe.weights is not None:
        return [(True, "weights", f"found {recipe.weights!r}, which is no file")]
    message = f"found {recipe.resolution}, for which no weights ship (no file {path}); train some with"
    return [(True, "resolution", f"{message} `linesentry train detector` and name them as weights")]


def _threshold_faults(recipe: Recipe) -> Told:
    """A floor that not even the crack reaches by which the weights are proved: all plates would be OK."""
    floor = recipe.threshold.floor
    try:
        card = json.loads(weights_path(recipe).with_suffix(".json").read_text(encoding="utf-8"))
        clear = float(card["known_answer"]["crack"])
    except (OSError, ValueError, KeyError, TypeError):
        return []  # said by those that read the weights
    if floor is None or not floor > clear:
        return []
    message = f"found {floor}, which not even a clear crack reaches: the one that proves the weights has {clear:.2f}"
    return [(True, "threshold.floor", message)]


def _classifier_faults(config: Config, recipe: Recipe) -> Told:
    mode, path, network = recipe.classifier.mode, classifier_path(config.classify, recipe), config.classify.network
    if mode == "off" or os.path.isfile(path):  # noqa: PTH113 - as above
        return []
    if recipe.classifier.weights is not None:
        return [(True, "classifier.weights", f"found {str(path)!r}, which is no file; classifier.mode is {mode}")]
    if config.classify.weights is not None:
        message = f"found {str(path)!r}, which is no file; the recipe's classifier.mode is {mode}"
        return [(False, "classify.weights", message)]
    if network is not None:
        train = f"train some with `linesentry train classifier --network {network}`, named as classify.weights instead"
        message = f"found {network}, for which no weights ship (no file {path}); classifier.mode is {mode}. {train}"
        return [(False, "classify.network", message)]
    message = (
        f"found {mode}, but no weights of a classifier ship (no file {path}); train some with `linesentry train "
        "classifier` and name them in classify.weights of the configuration, or set it to off"
    )
    return [(True, "classifier.mode", message)]


def _facts(config: Config, recipes: Sequence[Recipe], source: str) -> list[str]:
    facts = [f"configuration {source}: sha256 {config_hash(config)}"]
    for recipe, about in each_recipe(config, recipes):
        facts.append(f"recipe {recipe.name} ({about.recipe}): sha256 {recipe_hash(recipe)}")
    size = slot_size(recipes)
    if size is not None:
        needed = config.slots * size[0] * size[1]
        facts.append(f"plate memory: {config.slots} slots of {size[0]} x {size[1]} px, {shown_bytes(needed)}")
    return facts
