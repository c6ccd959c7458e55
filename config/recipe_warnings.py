"""What a recipe can run with, and may not mean."""

from __future__ import annotations

from config.errors import Told
from config.schema import Config, Recipe


def recipe_warnings(config: Config, recipe: Recipe) -> Told:
    """Of a recipe that a service with this configuration loads."""
    return [
        *_deadline_warnings(config, recipe),
        *_switch_warnings(recipe),
        *veto_warnings(recipe),
        *_archive_warnings(config, recipe),
    ]


def _deadline_warnings(config: Config, recipe: Recipe) -> Told:
    """Where sheets that wait for a classifier that hangs would take all slots: one is always filling."""
    rate, asked = config.camera.line_rate_hz, recipe.classifier
    if rate is None or recipe.length is None or asked.mode == "off":
        return []
    covered = (config.slots - 1) * recipe.length.nominal_rows / rate
    if asked.deadline_s <= covered:
        return []
    message = (
        f"found {asked.deadline_s}, but {config.slots} slots last {covered:.2g} s at {rate:g} rows a second: while a "
        "classifier hangs, each sheet it is asked about keeps its slot so long, and others are INCONCLUSIVE "
        "(overload); take a shorter one, or more slots"
    )
    return [(True, "classifier.deadline_s", message)]


def _switch_warnings(recipe: Recipe) -> Told:
    offset, rows = recipe.offset_rows, recipe.slot_rows
    if rows is None or offset <= rows:
        return []
    message = f"found {offset}, more than the {rows} rows of a plate: a sheet would leave the switch before the camera"
    return [(True, "switch.offset_rows", f"{message} sees it; check it")]


def veto_warnings(recipe: Recipe) -> Told:
    """The learnt floor is that of a detector whose false alarms a classifier vetoes."""
    own = recipe.weights is not None or recipe.threshold.mode != "adaptive" or recipe.threshold.floor is not None
    if own or recipe.classifier.mode != "off":
        return []
    message = "found off, but the floor of the weights that ship counts on a veto: half of the clean sheets may be NG"
    return [(True, "classifier.mode", f"{message}; take veto, or threshold.floor: 4")]


def _archive_warnings(config: Config, recipe: Recipe) -> Told:
    """The recipe has a say in which OK plates are archived, where there is an archive and OK plates are taken."""
    own = recipe.archive
    if not config.archive.on and own.ok not in (None, "none"):
        message = f"found {own.ok}, but nothing is archived: the configuration has archive.verdicts [] and ok none"
        return [(True, "archive.ok", f"{message}; name a verdict there, or ok: every")]
    if own.ok_every is not None and config.archive.of(own).ok == "none":
        message = f"found {own.ok_every}, but no OK plate of {recipe.name} is archived: set archive.ok too"
        return [(True, "archive.ok_every", message)]
    return []
