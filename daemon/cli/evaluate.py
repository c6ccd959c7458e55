"""`linesentry evaluate`: how good the models are, on pictures whose truth is known."""

from __future__ import annotations

import typer

from daemon.cli.options import console, takes_order
from daemon.lab.orders import EvaluateClassifier, EvaluateDetector

evaluate = typer.Typer(name="evaluate", no_args_is_help=True, help="Measure how good the models are.")


@evaluate.command("detector")
@takes_order
def evaluate_detector(order: EvaluateDetector) -> None:
    """Measure recall, precision and false alarms of the detector, on sheets or photographs with their truth."""
    from daemon.lab.evaluate.detector import evaluate_command  # noqa: PLC0415 - commands load what they need

    raise typer.Exit(evaluate_command(order, console()))


@evaluate.command("classifier")
@takes_order
def evaluate_classifier(order: EvaluateClassifier) -> None:
    """Measure the classifier on groups it was not trained on: figures by source, calibration, folds, latency."""
    from daemon.lab.evaluate.classifier import evaluate_classifier_command  # noqa: PLC0415 - the same

    raise typer.Exit(evaluate_classifier_command(order, console()))
