"""What commands share: options, the console, errors, configurations, and how a command takes one typed order."""

from __future__ import annotations

import getpass
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import typer
from rich.console import Console

from daemon.telemetry.printing import SafeConsole, say

if TYPE_CHECKING:
    from config.schema import Config, Recipe
    from daemon.service.sources import Sources

Order = TypeVar("Order")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="configuration file; default: the one that ships")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="override one key: slots=4, batch_id=007 (text as typed), 'classify.views=[identity]'"),
]
StateOption = Annotated[
    Path | None, typer.Option("--state", readable=False, help="state directory, instead of the configured one")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, and nothing else there")]
BitsOption = Annotated[
    int | None,
    typer.Option(min=1, max=16, help="significant bits of samples deeper than 8 bit; default: as the file says"),
]
Device = Literal["auto", "cpu", "cuda"]

_WIDE = 10_000
"""Columns of a stdout that is no terminal: more than any table asks for."""


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with one message on stderr."""
    say(f"linesentry: {message}")
    raise typer.Exit(code)


def console() -> Console:
    """Stdout for tables: a terminal's width, and no limit elsewhere, so that a pipe or a file gets them whole."""
    # Not what rich takes for a terminal: colours may be forced upon a pipe.
    return SafeConsole(width=None if sys.stdout.isatty() else _WIDE, highlight=False)


def caller() -> str:
    """Who calls, also through sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"uid {os.getuid()}"


def configured(path: Path | None, overrides: list[str] | None, state: Path | None) -> tuple[Config, Recipe]:
    """The configuration with its overrides, and its recipe; ends the command with code 2 where either is wrong."""
    from config.assignments import parse_overrides  # noqa: PLC0415 - commands load what they need
    from config.errors import ConfigError  # noqa: PLC0415
    from config.load import load_config, load_recipe, with_overrides  # noqa: PLC0415

    try:
        config = with_overrides(load_config(path), parse_overrides(overrides or []))
        if state is not None:
            config = config.model_copy(update={"state_directory": state})
        return config, load_recipe(config.recipe)
    except ConfigError as error:
        fail(str(error), 2)


def runnable(path: Path | None, overrides: list[str] | None, state: Path | None, plates: int | None = None) -> Sources:
    """What a service can run with on this machine, for so many plates; ends the command with code 2 where it cannot."""
    from config.errors import ConfigError  # noqa: PLC0415 - commands load what they need
    from daemon.service.sources import Sources  # noqa: PLC0415

    try:
        return Sources.read(path, overrides or [], state, plates)
    except ConfigError as error:
        fail(str(error), 2)


def takes_order(command: Callable[[Order], None]) -> Callable[..., None]:
    """A command whose options are the fields of the one dataclass that it takes.

    Each field is annotated with its typer option, so that its name, type, default and help stand in one place. A field
    that is a tuple may be given several times.
    """
    ((_, kind),) = [hint for hint in get_type_hints(command).items() if hint[0] != "return"]
    hints = get_type_hints(kind, include_extras=True)

    def from_options(**given: object) -> None:
        command(kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}))

    update_wrapper(from_options, command)
    from_options.__annotations__ = {}
    from_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_option(one, hints[one.name]) for one in fields(kind)]
    )
    return from_options


def _option(field: Field[object], hint: object) -> inspect.Parameter:
    """The field as a command's parameter; typer knows a tuple of any length as a list."""
    kind, *metadata = get_args(hint)
    default: object = inspect.Parameter.empty if field.default is MISSING else field.default
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
        default = list(default) if isinstance(default, tuple) else default
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, *metadata]
    )
