"""`linesentry reload`: a running service judges by what its configuration and recipes say now."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption, StateOption, fail
from daemon.telemetry.printing import say

_PATIENCE_S = 150.0
"""Longer than all that a service waits for itself before it refuses."""
_TELL_S = 2.0
"""After which it is said what is waited for."""
_WAITS = "linesentry: asked; the answer comes once all processes of the service are at work and have what is new"


def reload(
    recipe: Annotated[
        str | None, typer.Option(help="change to this loaded recipe, by its name; default: read all files again")
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Change recipes while the service runs: whole, between two plates. What is wrong changes nothing."""
    from daemon.service.control import ControlError, Question, ask  # noqa: PLC0415 - commands load what they need

    directory = _directory(config, state)
    waiting = threading.Timer(_TELL_S, say, [_WAITS])
    waiting.daemon = True
    waiting.start()
    try:
        answer = ask(directory, Question("reload", recipe), _PATIENCE_S)
    except ControlError as error:
        fail(str(error))
    finally:
        waiting.cancel()
    done = answer["outcome"] in ("changed", "unchanged")
    if json_:
        typer.echo(json.dumps(answer))
    elif done:
        typer.echo(answer["text"])
    else:
        say(f"linesentry: nothing was changed\n{answer['text']}")
    raise typer.Exit(0 if done else 1)


def _directory(config: Path | None, state: Path | None) -> Path:
    """The state directory of the service that is asked; its recipes need not be readable here."""
    from config.errors import ConfigError  # noqa: PLC0415
    from config.load import load_config  # noqa: PLC0415
    from daemon.store.state import StateError, state_path  # noqa: PLC0415

    if state is not None:
        return state
    try:
        return state_path(load_config(config))
    except ConfigError as error:
        fail(f"nothing was changed\n{error}", 2)
    except StateError as error:
        fail(str(error))
