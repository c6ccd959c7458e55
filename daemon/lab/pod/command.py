"""The command `linesentry pod`: from its options to the figures, the page and the tables."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from config.errors import ConfigError
from config.load import load_recipe, recipe_hash
from daemon.lab.chain import Chain
from daemon.lab.orders import MeasurePod
from daemon.lab.pod.analysis import figures, warnings_of
from daemon.lab.pod.experiment import COARSE_SHEETS, Experiment, Outcome, Say, of_stretches
from daemon.lab.pod.forms import FORMS
from daemon.lab.pod.page import page, tables
from daemon.lab.pod.real import compared, inspect_real, real_source
from daemon.lab.pod.sheets import PodError, folder_sheets, simulated_sheets
from daemon.lab.progress import Teller
from daemon.store.state import code_sha256
from daemon.telemetry.printing import SafeConsole, say
from models.classifier.errors import ClassifierError
from models.detector.detector import DetectorError
from models.machine.cpu import cpu_model
from models.machine.files import whole

WRONG, INTERRUPTED = 2, 130


def pod_command(order: MeasurePod, console: Console) -> int:
    """Measure, and write pod.html and pod.json; tables go to the console, or the JSON with `order.json`.

    Returns:
        0; 2 with a message on stderr when something asked for cannot be used; 130 after Ctrl-C. Nothing is written
        then.
    """
    try:
        _refuse_unwritable(order.out)
        result, outcome = _measure(order)
        _write(order.out, page(result, outcome), json.dumps(result, allow_nan=False))
    except (PodError, ConfigError, DetectorError, ClassifierError, OSError) as error:
        say(f"linesentry pod: {error}")
        return WRONG
    except KeyboardInterrupt:
        say("linesentry pod: interrupted; nothing was written")
        return INTERRUPTED
    if order.json:
        print(json.dumps(result, allow_nan=False))  # noqa: T201 - asked for
        return 0
    for table in tables(result):
        console.print(table)
    console.print(f"written: {order.out / 'pod.html'} and pod.json", markup=False)
    return 0


def _measure(order: MeasurePod) -> tuple[dict[str, Any], Outcome]:
    started = time.monotonic()
    recipe = load_recipe(order.recipe)
    real = None if order.real is None else real_source(order.real)
    sheets = simulated_sheets(recipe, order.seed) if order.data is None else folder_sheets(order.data, recipe)
    for name, why in sheets.left_out:
        say(f"linesentry pod: {name} is left out: {why}")
    chain = Chain(of_stretches(recipe))
    detectors, classifier = chain.detectors, chain.classifier
    facts: dict[str, Any] = {
        "command": shlex.join(["linesentry", *sys.argv[1:]]),
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "sheets": sheets.source,
        "simulated": sheets.simulated,
        "cracks_of_each_form": order.cracks,
        "seed": order.seed,
        "recipe": f"{recipe.name} {recipe_hash(recipe)}",
        "weights_sha256": detectors[0].facts["weights_sha256"],
        "classifier_sha256": "not asked" if classifier is None else classifier.facts["weights_sha256"],
        "code_sha256": code_sha256(),
        "machine": f"{cpu_model() or os.uname().machine}, {len(detectors)} thread(s); {detectors[0].facts['device']}",
    }
    inspections = COARSE_SHEETS + (1 + len(FORMS)) * len(sheets.good) + (0 if real is None else real.count)
    with Teller("linesentry pod", SafeConsole(stderr=True)) as teller:
        teller.part("inspecting", inspections)
        tell = _counted(teller)
        outcome = Experiment(sheets, chain, order.cracks, order.seed, tell).run()
        seen = None if real is None else inspect_real(real, chain, tell)
    for name, why in outcome.left_out:
        say(f"linesentry pod: {name} is left out: {why}")
    outcome.left_out[:0] = sheets.left_out
    result = figures(outcome, facts)
    result["real"] = None if seen is None else compared(seen, outcome.painted)
    result["warnings"] = warnings_of(result)
    facts["seconds"] = round(time.monotonic() - started, 1)
    return result, outcome


def _refuse_unwritable(out: Path) -> None:
    """Refuse now what could not be written after minutes of work."""
    there = next(one for one in (out, *out.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise PodError(f"--out {out} cannot be written: {there} is {'not writable' if there.is_dir() else 'no folder'}")


def _write(out: Path, html: str, figures_: str) -> None:
    """Both files, each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (("pod.html", html), ("pod.json", figures_ + "\n")):
        with whole(out / name) as part:
            part.write_text(text, "utf-8")


def _counted(teller: Teller) -> Say:
    """Of inspections, each of which says the share of it that is done."""
    done = 0

    def tell(words: str, share: float) -> None:
        nonlocal done
        done += share >= 1
        teller.at(done + (share if share < 1 else 0), words)

    return tell
