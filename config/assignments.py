"""Words of a command line, KEY=VALUE, to values of a configuration: each is read as its key wants it.

A key that holds text takes what was typed: digits, `yes`, a date, `#` and `=` are text there. `null` and nothing unset
a key that may be unset. Quotes around the whole value are taken off, as in a file. Other values are read as in a file.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from config.errors import ConfigError, Fault, shown
from config.schema import Config
from config.source import parse, scalar

COMMAND_LINE = "command line"


def parse_overrides(assignments: Iterable[str], model: type[BaseModel] = Config) -> dict[str, Any]:
    """Overrides from the words `key=value`; of a key that is given twice the last one. Raises ConfigError.

    `model` says what each key wants: that of a configuration, or of a recipe.
    """
    overrides = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError([Fault(COMMAND_LINE, f"found {shown(text)}, allowed: key=value, as in slots=4")])
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ConfigError([Fault(COMMAND_LINE, f"found {shown(text)}, which is not UTF-8 text")]) from None
        overrides[key] = _value(key, value, model)
    return overrides


def _value(key: str, text: str, model: type[BaseModel]) -> object:
    kinds = tuple(_kinds(_annotation(key, model)))
    if any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds):
        raise ConfigError(
            [Fault(COMMAND_LINE, "is a section: give one of its keys a value, as camera.width=8192", key)]
        )
    if any(kind in (str, Path) or get_origin(kind) is Literal for kind in kinds):
        if text in ("", "null") and type(None) in kinds:
            return None
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
        return _as_in_a_file(key, text) if quoted else text
    if text.startswith(("[", "{", '"', "'")):
        return _as_in_a_file(key, text)
    try:
        return scalar(text.strip())
    except ValueError as error:
        raise ConfigError([Fault(COMMAND_LINE, str(error), key)]) from None


def _as_in_a_file(key: str, text: str) -> object:
    try:
        return parse(COMMAND_LINE, text).values
    except ConfigError as error:
        raise ConfigError([Fault(COMMAND_LINE, f"found {shown(text)}: {error.faults[0].message}", key)]) from None


def _annotation(key: str, model: type[BaseModel]) -> object:
    """What the schema says of a dotted key; object for one that it does not know, which is told later."""
    found: object = model
    for name in key.split("."):
        if not (isinstance(found, type) and issubclass(found, BaseModel) and name in found.model_fields):
            return object
        found = found.model_fields[name].annotation
    return found


def _kinds(annotation: object) -> Iterator[object]:
    """The types of a union, or the one type that it is."""
    if get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    else:
        yield annotation
