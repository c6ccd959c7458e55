"""`linesentry classify`: image files as crops, and what the classifier says of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.options import BitsOption, Device, console
from daemon.telemetry.printing import say

if TYPE_CHECKING:
    from rich.table import Table

    from daemon.offline.classify import Answer

CLASSIFIED, NOT_ALL, WRONG_USAGE = 0, 1, 2


def classify(
    images: Annotated[list[Path], typer.Argument(help="image files, each a crop or a photograph as a whole")],
    json_: Annotated[bool, typer.Option("--json", help="one JSON object a line, and nothing else on stdout")] = False,
    explain: Annotated[
        Path | None, typer.Option(help="write each picture there, coloured by where evidence was seen")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="weights file, in place of those that ship")] = None,
    bits: BitsOption = None,
    device: Annotated[Device, typer.Option(help="where the classifier runs")] = "auto",
) -> None:
    """Say of each image how likely it shows a crack."""
    from daemon.offline.classify import answered, load, plain  # noqa: PLC0415 - commands load what they need
    from models.classifier.errors import ClassifierError  # noqa: PLC0415

    try:
        if explain is not None:
            explain.mkdir(parents=True, exist_ok=True)
        classifier = load(weights, device)
    except (ClassifierError, OSError) as error:
        _say(str(error))
        raise typer.Exit(WRONG_USAGE) from error
    if doubt := classifier.doubt():
        _say(doubt)
    answers: list[Answer] = []
    for answer in answered(classifier, images, explain, bits):
        answers.append(answer)
        for words in (*answer.warnings, *([] if answer.error is None else [answer.error])):
            _say(f"{answer.path}: {words}")
        if json_:
            print(json.dumps(plain(answer), allow_nan=False), flush=True)  # noqa: T201 - a command speaks
    if not json_:
        console().print(_table(answers, classifier.facts["threshold"]))
    raise typer.Exit(NOT_ALL if any(one.error is not None for one in answers) else CLASSIFIED)


def _say(words: str) -> None:
    say(f"linesentry classify: {words}")


def _table(answers: Sequence[Answer], threshold: float) -> Table:
    from rich.markup import escape  # noqa: PLC0415 - commands load what they need
    from rich.table import Table  # noqa: PLC0415

    table = Table(title=f"crack from {threshold:.3f} on", title_justify="left")
    table.add_column("image", overflow="fold")
    table.add_column("crack", justify="center", overflow="fold")
    table.add_column("probability", justify="right", overflow="fold")
    for one in answers:
        words = "-" if one.crack is None else "[red]yes[/]" if one.crack else "[green]no[/]"
        table.add_row(escape(str(one.path)), words, "-" if one.chance is None else f"{one.chance:.3f}")
    return table
