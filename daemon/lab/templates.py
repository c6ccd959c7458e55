"""The command `linesentry templates`: the facts of a scale set as a table, JSON or a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from config.errors import ConfigError
from config.load import load_config, load_recipe
from config.schema import Template
from daemon.lab.orders import ShowTemplates
from daemon.lab.template_facts import TemplateFacts, template_facts
from daemon.lab.template_plot import plot_templates
from daemon.telemetry.printing import say
from models.detector.scales import LEAST_WIDTH, MOST_WIDTH, binary_scales

FULL_SCALE = 255
"""Grey levels of a row's pixels."""


def own_scales(
    widest: float | None, least: float | None, height: float | None, step: float | None, *, strict: bool = False
) -> tuple[Template, ...] | None:
    """The scale set of one's own widest line; None when none of the four values is given.

    Raises:
        ValueError: some of the four are missing, or they describe no scale set.
    """
    given = {"--widest": widest, "--least": least, "--height": height, "--step": step}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        if strict:
            raise ValueError("--strict is about a scale set of one's own: give " + ", ".join(given))
        return None
    if widest is None or least is None or height is None or step is None:
        raise ValueError(f"a scale set of one's own needs {', '.join(given)}; missing: {', '.join(missing)}")
    if not LEAST_WIDTH < widest <= MOST_WIDTH:
        raise ValueError(f"--widest is more than {LEAST_WIDTH:g} and at most {MOST_WIDTH:g} px; found {widest:g}")
    if not 0 <= step < height <= FULL_SCALE:
        raise ValueError(f"0 <= --step < --height <= {FULL_SCALE} grey levels; found step {step:g}, height {height:g}")
    return binary_scales(Template(width=widest, height=height, step=step), least, strict=strict)


def templates_json(facts: Sequence[TemplateFacts]) -> list[dict[str, Any]]:
    """One plain object a template, the widest first."""
    return [asdict(one) for one in facts]


def templates_table(facts: Sequence[TemplateFacts], title: str) -> Table:
    """The facts for a terminal."""
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("W", "H", "dH", "s", "k1", "k2", "k3", "Xb", "widths", "k*"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in facts:
        table.add_row(
            *(f"{value:g}" for value in (one.width, one.height, one.step)),
            *(f"{value:.4f}" for value in (one.s, one.k1, one.k2, one.k3)),
            f"{one.peak:.3f}",
            _range(one),
            "" if one.ratio is None else f"{one.ratio:.4f}",
        )
    table.caption = (
        "f(x) = k1 x^2 + k2 x + k3 on [0, W], highest at Xb; W, Xb and widths in px, H, dH and k3 in grey levels.\n"
        "k*: a line of k* W px is as like this template as the next narrower one."
    )
    table.caption_justify = "left"
    return table


def _range(one: TemplateFacts) -> str:
    if one.last < one.first:
        return "none"
    return f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}"


def templates_command(order: ShowTemplates, console: Console) -> None:
    """The command: a table on the console or JSON on stdout, and a plot where one is asked for.

    Raises:
        SystemExit: 2 for wrong input, 1 for a picture that cannot be written, with one line on stderr.
    """
    try:
        own = own_scales(order.widest, order.least, order.height, order.step, strict=order.strict)
        scales, title = _scales(order.config, order.recipe, own)
        facts = template_facts(scales, least=order.least, rule="printed" if order.printed else "rule")
        if order.plot is not None:
            plot_templates(scales, facts, order.plot)
    except (ConfigError, ValueError) as error:
        say(f"linesentry: {error}")
        raise SystemExit(2) from error
    except OSError as error:
        say(f"linesentry: the plot {order.plot} cannot be written: {error.strerror}")
        raise SystemExit(1) from error
    if order.json:
        typer.echo(json.dumps(templates_json(facts)))
    else:
        console.print(templates_table(facts, title))


def _scales(
    config: Path | None, recipe: str | None, own: tuple[Template, ...] | None
) -> tuple[tuple[Template, ...], str]:
    """The templates that are asked for, and what they are."""
    if own is None:
        chosen = load_recipe(recipe if recipe is not None else load_config(config).recipe)
        return chosen.templates, f"Templates of recipe {chosen.name}"
    if config is not None or recipe is not None:
        raise ValueError("a recipe has its own templates: give a recipe or a scale set, not both")
    return own, "Templates of the scale set"
