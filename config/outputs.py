"""What is wrong with the outputs of a configuration, and where the files lie that they name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from config.schema import Config, Modbus, Mqtt, Output, Outputs, Text, Webhook

LEAST_SECRET = 16
"""Bytes of a key that signs; shorter ones are guessed."""


def output_faults(config: Config) -> list[tuple[str, str]]:
    """Key and message of each fault."""
    longest = config.restart.hang_s / 5  # several waits may follow one another
    faults: list[tuple[str, str]] = []
    for key, output in by_key(config.outputs):
        if output.timeout_s > longest:
            message = f"found {output.timeout_s:g}, allowed: up to {longest:g}, a fifth of restart.hang_s"
            faults.append((f"{key}.timeout_s", f"{message}: waiting for the network would look like a hang"))
    for key, path in files(config.outputs):
        if why := _unreadable(path, LEAST_SECRET if key.endswith(".secret_file") else 1):
            faults.append((key, why))
    return faults


def by_key(outputs: Outputs) -> list[tuple[str, Output]]:
    """All outputs, each with its key in the configuration."""
    return [
        (f"outputs.{protocol}[{index}]", output)
        for protocol in type(outputs).model_fields
        for index, output in enumerate(getattr(outputs, protocol))
    ]


def files(outputs: Outputs) -> list[tuple[str, Path]]:
    """Files that the outputs name, by key."""
    return [
        (f"{key}.{name}", path) for key, output in by_key(outputs) for name, path in output if isinstance(path, Path)
    ]


def with_files(outputs: Outputs, place: Callable[[Path], Path]) -> Outputs:
    """The same outputs; of each file that they name, what `place` makes of its path."""
    return outputs.model_copy(
        update={
            protocol: tuple(
                output.model_copy(update={key: place(path) for key, path in output if isinstance(path, Path)})
                for output in getattr(outputs, protocol)
            )
            for protocol in type(outputs).model_fields
        }
    )


def hosts(outputs: Outputs) -> list[tuple[str, str]]:
    """Addresses or names that the outputs talk to, by key."""
    named = [(f"{key}.host", one.host) for key, one in by_key(outputs) if isinstance(one, Modbus | Text | Mqtt)]
    asked = [(f"{key}.url", urlsplit(one.url).hostname) for key, one in by_key(outputs) if isinstance(one, Webhook)]
    return [*named, *((key, host) for key, host in asked if host)]


def _unreadable(path: Path, least: int) -> str | None:
    """Why that file holds no key of so many bytes."""
    if not os.path.isfile(path):  # noqa: PTH113 - False for any odd path
        return f"found {str(path)!r}, which is no file"
    if not os.access(path, os.R_OK):
        return None  # whose it is, is another question: the service may read what this user may not
    size = len(path.read_bytes().strip())
    return None if size >= least else f"{path} has a key of {size} bytes, allowed: {least} or more"
