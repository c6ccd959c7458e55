"""The commands about the models: what trains, measures and draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

train = typer.Typer(no_args_is_help=True, help="Train the weights that ship.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(train, name="train")
    app.command("templates")(templates)


@train.command("detector")
def train_detector(
    out: Annotated[Path, typer.Option(help="directory for weights and model card")] = Path("weights"),
    data: Annotated[Path | None, typer.Option(help="directory of real photographs with a manifest.csv")] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="time to train")] = 30.0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    preset: Annotated[Literal["default", "paper"], typer.Option(help="our recipe, or the paper's SGD")] = "default",
    resume: Annotated[Path | None, typer.Option(help="checkpoint to go on from")] = None,
) -> None:
    """Train the detector's feature network on simulated crops and, with --data, on real metal."""
    from daemon.train import train_detector_command  # noqa: PLC0415

    train_detector_command(out, data=data, minutes=minutes, seed=seed, preset=preset, resume=resume)


def templates(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="configuration file; default: the one that ships")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="recipe name or file; default: the one the configuration names")
    ] = None,
    widest: Annotated[float | None, typer.Option(help="a scale set of your own: the widest line, px")] = None,
    least: Annotated[float | None, typer.Option(help="its narrowest line, px")] = None,
    height: Annotated[float | None, typer.Option(help="height of the widest line, grey levels")] = None,
    step: Annotated[float | None, typer.Option(help="difference of its two ends, grey levels")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="halve by the stop rule's letter: 21, 10.5")] = False,
    printed: Annotated[bool, typer.Option("--printed", help="widths as the paper prints them, for 21, 11, 7")] = False,
    json_: Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there")] = False,
    plot: Annotated[Path | None, typer.Option(help="draw them into FILE.png, .svg or .pdf")] = None,
) -> None:
    """Show the templates of a recipe or of a scale set: coefficients, widths they answer for, and k*."""
    from daemon.templates import templates_command  # noqa: PLC0415

    templates_command(
        config,
        recipe,
        own=(widest, least, height, step),
        strict=strict,
        printed=printed,
        json_output=json_,
        plot=plot,
    )
