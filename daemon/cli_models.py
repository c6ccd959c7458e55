"""The commands about the models: what trains, measures and draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

train = typer.Typer(no_args_is_help=True, help="Train the weights that ship.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(train, name="train")


@train.command("detector")
def train_detector(
    out: Annotated[Path, typer.Option(help="directory for weights and model card")] = Path("weights"),
    data: Annotated[
        list[Path] | None, typer.Option(help="directory of photographs and masks of real metal; may be repeated")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="time to train")] = 30.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preset: Annotated[Literal["default", "paper"], typer.Option(help="our recipe, or the paper's SGD")] = "default",
    resolution: Annotated[Literal["half", "full"], typer.Option(help="of the network")] = "half",
    patience: Annotated[
        int, typer.Option(min=1, help="looks at validation crops, two minutes apart, without progress before it ends")
    ] = 10,
    resume: Annotated[Path | None, typer.Option(help="checkpoint to go on from")] = None,
) -> None:
    """Train the detector's feature network on simulated crops and, with --data, on real metal."""
    from daemon.train import Order, train_detector_command  # noqa: PLC0415

    train_detector_command(Order(out, tuple(data or ()), minutes, seed, preset, resolution, patience, resume))
