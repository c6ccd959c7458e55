"""The command `linesentry export classifier`: weights as files for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from config.weights import shipped_weights
from daemon.lab.data.classifier import training_examples
from daemon.lab.orders import ExportClassifier
from daemon.lab.progress import progress_on
from daemon.telemetry.printing import SafeConsole, say
from models.classifier import card, export
from models.classifier.errors import ClassifierError
from models.training.classifier.examples import DataError, Example
from models.training.classifier.groups import SeenGroups, in_groups


def export_classifier_command(order: ExportClassifier) -> None:
    """Export weights without training them, compared on the parts of the data that they were chosen by.

    Raises:
        SystemExit: 2 with a line on stderr when weights or data cannot be used.
    """
    console = SafeConsole(stderr=True)
    try:
        path = shipped_weights(card.NAME) if order.weights is None else order.weights
        _, said = card.checked(path, path.with_suffix(".json"))
        met = SeenGroups.of_card(said)
        with progress_on(console) as report:
            examples = training_examples(order.data, order.simulated, next(iter(said.get("seeds", ())), 0), report)
        validation = [
            one for one, chosen_by in zip(examples, in_groups(examples, met.validated), strict=True) if chosen_by
        ]
        if not validation:
            raise DataError(  # noqa: TRY301 - a command says what went wrong in one place
                f"none of these {len(examples)} pictures chose the weights {path}: give --data and --simulated as its "
                "training had them"
            )
        words = exported(console, path, order.out, validation)
    except (DataError, ClassifierError, OSError) as error:
        say(f"linesentry export: {error}")
        raise SystemExit(2) from error
    print(order.out / export.CARD)  # noqa: T201 - the command's answer
    say(f"linesentry export: {words}")


def exported(console: Console, weights: Path, folder: Path, validation: Sequence[Example]) -> str:
    """Write the files for other programs, compared on all of validation; in words, what was written and what not.

    Raises:
        ClassifierError: as models.classifier.export.export.
    """
    with console.status("exporting, and comparing on all of validation"):
        missing = export.export(weights, folder, [one.pixels for one in validation])
    return "; ".join([f"exported: {folder}", *(f"without {name}: {why}" for name, why in missing.items())])
