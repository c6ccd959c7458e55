"""`linesentry export`: weights for other programs."""

from __future__ import annotations

import typer

from daemon.cli.options import takes_order
from daemon.lab.orders import ExportClassifier

export = typer.Typer(name="export", no_args_is_help=True, help="Write weights for other programs.")


@export.command("classifier")
@takes_order
def export_classifier(order: ExportClassifier) -> None:
    """Write the classifier as TorchScript, torch.export and ONNX, compared on what chose its weights."""
    from daemon.lab.export import export_classifier_command  # noqa: PLC0415 - commands load what they need

    export_classifier_command(order)


@export.callback()
def models() -> None:
    """Keep `classifier` a word of its own, though there is one model to export."""
