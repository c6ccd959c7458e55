"""The command `linesentry evaluate detector`: from its options to tables, JSON and a report."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from rich.console import Console

from config.assignments import parse_overrides
from config.errors import ConfigError
from config.load import load_config, load_recipe, recipe_hash, with_overrides
from config.schema import Recipe
from config.weights import weights_path
from daemon.lab.data.pictures import Picture, Source, SourceError
from daemon.lab.data.polarity import complaint
from daemon.lab.data.sources import sources_of
from daemon.lab.evaluate.compare import Compare, compared_by, comparison
from daemon.lab.evaluate.detector_gallery import Gallery
from daemon.lab.evaluate.detector_report import figures, page, tables
from daemon.lab.evaluate.report import answer
from daemon.lab.evaluate.scoring import Inspected, load_detectors, scored_plates
from daemon.lab.orders import EvaluateDetector
from daemon.lab.progress import Teller
from daemon.offline.networks import load_classifier
from daemon.store.state import code_sha256
from daemon.telemetry.printing import SafeConsole, say
from models.classifier.errors import ClassifierError
from models.detector.detector import DetectorError
from models.machine.cpu import cpu_model
from models.measure.assessment import Scored
from models.training.learnt_groups import UNKNOWN, LearntGroups
from models.weights import files as weights_file

_FOUND_FROM = 0.5
"""Least score that counts as found where none is asked for."""


def evaluate_command(options: EvaluateDetector, console: Console) -> int:
    """Evaluate, and write what was asked for; the tables go to the console.

    Returns:
        0; 2 with one line on stderr when something asked for cannot be used; 130 after Ctrl-C.
    """
    return answer(
        lambda: _evaluate(options),
        page,
        tables,
        (SourceError, ConfigError, DetectorError, ClassifierError),
        console=console,
        html=options.report,
        figures=options.json,
    )


@dataclass(slots=True)
class _Judged:
    """What was seen of all pictures, and what it was seen by."""

    gallery: Gallery
    scored: list[Scored] = field(default_factory=list)
    compared: dict[str, list[Scored]] = field(default_factory=dict)
    """By the other ways to find cracks, on the same pictures."""
    facts: dict[str, Any] = field(default_factory=dict)
    pixels: float = 0.0
    seconds: float = 0.0
    threads: int = 0


def _evaluate(options: EvaluateDetector) -> tuple[dict[str, Any], Gallery]:
    started = time.monotonic()
    sources = sources_of(options, learnt_groups(options))
    work = [(source, recipe_for(source, options)) for source in sources]
    at = _FOUND_FROM if options.at is None else options.at
    for source, recipe in work:
        if words := complaint(source.name, source.polarities, recipe.polarity, recipe.name):
            say(f"linesentry evaluate: {words}")
    judged = _judged(work, options, at)
    if not judged.scored:
        raise SourceError("there was no picture to judge")
    facts = judged.facts
    made_from: dict[str, Any] = {
        "command": _command(),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "data": [source.name for source, _ in work],
        "recipes": {recipe.name: recipe_hash(recipe) for _, recipe in work},
        "weights_sha256": facts["weights_sha256"],
        "classifier_sha256": facts.get("classifier_sha256", "not asked"),
        "code_sha256": code_sha256(),
        "machine": f"{cpu_model() or os.uname().machine}, {judged.threads} thread(s); {facts['device']}",
        "dtype": facts["dtype"],
        "settings": _settings(options),
        "detector_mpx_per_s": round(judged.pixels / 1e6 / max(judged.seconds, 1e-9), 1),
        "seconds": round(time.monotonic() - started, 1),
    }
    compared = {name: path for name, path in compared_by(options.compare).items() if path is not None}
    if compared:
        made_from["compared_sha256"] = {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in compared.items()
        }
    passed = [one for source in sources for one in source.passed.values()]
    polarity = {
        name: found.values(recipe.polarity) for source, recipe in work for name, found in source.polarities.items()
    }
    result = figures(judged.scored, made_from, at, passed_over=passed, polarity=polarity, compared=judged.compared)
    return result, judged.gallery


def _judged(work: Sequence[tuple[Source, Recipe]], options: EvaluateDetector, at: float) -> _Judged:
    settings = None if options.config is None else load_config(options.config).classify
    names = compared_by(options.compare)
    judged = _Judged(Gallery(at), compared={name: [] for name in names})
    loaded: Recipe | None = None
    with Teller("linesentry evaluate", SafeConsole(stderr=True)) as teller:
        for source, recipe in work:
            if recipe != loaded:
                detectors, loaded = load_detectors(recipe, options.device, options.workers), recipe
                classifier = load_classifier(recipe, options.device, settings)
                others = {
                    name: comparison(name, weights, recipe, options, classifier) for name, weights in names.items()
                }
                judged.facts |= detectors[0].facts
                judged.threads = len(detectors)
                if classifier is not None:
                    judged.facts["classifier_sha256"] = classifier.facts["weights_sha256"]
                teller.part(f"judging by recipe {recipe.name}", sum(one.count for one, by in work if by == recipe))

            def look(
                picture: Picture, inspected: Inspected, others: Mapping[str, Compare] = MappingProxyType(others)
            ) -> None:
                judged.pixels += picture.image.size
                judged.seconds += inspected.seconds
                judged.gallery.look(picture.image, inspected.scored)
                for name, compare in others.items():
                    judged.compared[name].append(compare(picture))
                found = inspected.scored
                teller.step(f"{picture.name}: {found.verdict}, {len(found.found)} found")

            judged.scored += scored_plates(source, recipe, detectors, classifier=classifier, look=look)
    return judged


def learnt_groups(options: EvaluateDetector) -> LearntGroups:
    """What the weights learnt from that photographs are judged with, all together, as far as they can be read."""
    if not options.data:
        return UNKNOWN
    compared = [path for path in compared_by(options.compare).values() if path is not None]
    learnt = LearntGroups(frozenset())
    for path in (weights_path(recipe_for(None, options)), *compared):
        if not path.is_file():
            return UNKNOWN  # without weights nothing is judged, which is said when they are loaded
        try:
            card = weights_file.read(path, path.with_suffix(".json"))[1]
        except weights_file.WeightsFileError as error:
            raise DetectorError(str(error)) from error
        learnt = learnt.joined(LearntGroups.of_card(card))
    return learnt


def recipe_for(source: Source | None, options: EvaluateDetector) -> Recipe:
    """The recipe asked for; else the one of the source's product, else `general`; with what is asked for changed.

    Raises:
        ConfigError: there is no such recipe, or it cannot be used.
    """
    name = options.recipe
    if name is None and options.config is not None:
        name = load_config(options.config).recipe
    recipe = load_recipe(name or (source and source.product) or "general")
    recipe = with_overrides(recipe, parse_overrides(options.set, Recipe))
    if options.weights is not None:
        recipe = recipe.model_copy(update={"weights": str(options.weights)})
    if options.at is not None:
        decision = recipe.decision.model_copy(update={"ng_score": options.at})
        recipe = recipe.model_copy(update={"decision": decision})
    return recipe


def _settings(options: EvaluateDetector) -> dict[str, Any]:
    """What shapes the data and the figures, for the record."""
    usual = f"{_FOUND_FROM}, for verdicts the recipe's"
    kept: dict[str, Any] = {"least score": usual if options.at is None else options.at}
    if options.set:
        kept["set"] = ", ".join(options.set)
    if options.simulate:
        kept |= {
            "plates": options.plates,
            "density": "the reference's" if options.density is None else options.density,
            "seed": "the test seeds" if options.seed is None else options.seed,
            "interference": ", ".join(options.interference),
            "strength": options.strength,
        }
    if options.data:
        kept |= {
            "enlarge": options.enlarge,
            "contrast": options.contrast,
            "groups": "all" if options.all_groups else "those that the weights did not learn from",
        }
    return kept


def _command() -> str:
    return shlex.join(["linesentry", *sys.argv[1:]])
