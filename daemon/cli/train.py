"""`linesentry train`: the weights that ship, made anew."""

from __future__ import annotations

import typer

from daemon.cli.options import takes_order
from daemon.lab.orders import TrainClassifier, TrainDetector

train = typer.Typer(name="train", no_args_is_help=True, help="Train the weights that ship.")


@train.command("detector")
@takes_order
def train_detector(order: TrainDetector) -> None:
    """Train the detector's feature network on simulated crops and, with --data, on real metal."""
    from daemon.lab.train.detector import train_detector_command  # noqa: PLC0415 - commands load what they need

    train_detector_command(order)


@train.command("classifier")
@takes_order
def train_classifier(order: TrainClassifier) -> None:
    """Train the classifier of crops on photographs and on crops of simulated sheets."""
    from daemon.lab.train.classifier import train_classifier_command  # noqa: PLC0415 - commands load what they need

    train_classifier_command(order)
