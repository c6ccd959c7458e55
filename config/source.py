"""YAML text to plain values, with the line of each: a small, strict part of YAML that cannot be made to hurt.

Values are those of JSON: null, true, false, decimal numbers, text, lists and mappings with text keys. Aliases, tags,
repeated keys, deep nesting and huge files are refused. `no`, `1:30` and `010` are text and no surprises.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from config.errors import ConfigError, Fault, shown, shown_bytes

MOST_BYTES = 256 * 1024
MOST_DEPTH = 16

KeyPath = tuple[str | int, ...]
Scalar = None | bool | int | float | str


class Source(NamedTuple):
    """What a file said."""

    name: str
    values: Any
    lines: dict[KeyPath, int]
    """Line of each key and of each entry of a list, from 1."""

    def line(self, path: KeyPath) -> int | None:
        """Line of that key, or of the nearest section around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def dotted(path: KeyPath) -> str:
    """A path of keys as text: `templates[1].width`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part if re.fullmatch(r"[\w-]{1,60}", part, re.ASCII) else shown(part)
            text += f".{plain}" if text else plain
    return text


def read(path: Path) -> Source:
    """Read a YAML file.

    Raises ConfigError: no regular file, larger than 256 KiB, not UTF-8, or not the YAML that is allowed here.
    """
    name = str(path)
    try:
        # A pipe or a device could block or never end, so the kind is asked for before it is opened.
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - one call for the mode of any kind of path
            raise ConfigError([Fault(name, "is not a regular file; name a YAML file")])
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError([Fault(name, "no such file")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([Fault(shown(name), f"cannot be read: {reason}")]) from None
    if len(content) > MOST_BYTES:
        raise ConfigError([Fault(name, f"is larger than {shown_bytes(MOST_BYTES)}; this is no configuration")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8 text: byte 0x{content[error.start]:02x} at offset {error.start}"
        raise ConfigError([Fault(name, message, line=line)]) from None
    return parse(name, text)


def parse(name: str, text: str) -> Source:
    """Parse YAML text; an empty text is an empty mapping. Raises ConfigError."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(name)
        values = {} if node is None else reader.value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ConfigError([Fault(name, f"is not YAML: {message}", line=mark.line + 1 if mark else None)]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML lets some of its own conversions escape: escapes such as \UFFFFFFFF, endless %YAML versions.
        raise ConfigError([Fault(name, f"is not YAML: {' '.join(str(error).split())}")]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if reader.faults:
        raise ConfigError(reader.faults)
    return Source(name, values, reader.lines)


def scalar(text: str) -> Scalar:
    """The value of one plain word, as a file would have it: `3` is a number, `null` is None, `auto` is text."""
    for tag, pattern, _ in _PLAIN:
        if pattern.fullmatch(text):
            return _plain_value(tag, text)
    return text


_PLAIN = (
    ("null", re.compile(r"null|~|"), ["n", "~", ""]),
    ("bool", re.compile(r"true|false"), ["t", "f"]),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)"), list("-+0123456789")),
    (
        "float",
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"),
        list("-+.0123456789"),
    ),
)


def _plain_value(tag: str, text: str) -> Scalar:
    if tag == "null":
        return None
    if tag == "bool":
        return text == "true"
    if tag == "int":
        value = int(text) if len(text) <= 20 else 2**63
        if abs(value) >= 2**63:
            raise ValueError(f"number {shown(text)} does not fit into 64 bits")
        return value
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


class _Loader(yaml.SafeLoader):
    """Composes nodes with the plain words of JSON, and neither aliases nor deep nesting."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute, filled below
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused(event, "aliases (*name) are not allowed")
        if self._depth > MOST_DEPTH:
            raise _refused(event, f"nested more than {MOST_DEPTH} levels deep")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _refused(event: yaml.Event, problem: str) -> yaml.MarkedYAMLError:
    mark = event.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark if isinstance(mark, yaml.Mark) else None)


for _tag, _pattern, _first in _PLAIN:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern.pattern})$"), _first)


class _Reader:
    """Turns nodes into values, and keeps their lines and faults."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, int] = {}
        self.faults: list[Fault] = []

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [self.value(entry, (*path, index)) for index, entry in enumerate(node.value)]
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if not isinstance(node, yaml.ScalarNode) or kind not in {"str", "null", "bool", "int", "float"}:
            self._fault(path, node, f"tag {shown(node.tag)} is not allowed")
            return None
        if kind == "str":
            if "\0" in node.value:
                # No file, address or device has a name with one: the system would stop reading there.
                self._fault(path, node, f"found {shown(node.value)}: text must hold no NUL character")
            return node.value
        try:
            # A word with an explicit tag need not look like one of its kind.
            return _plain_value(kind, node.value)
        except ValueError as error:
            self._fault(path, node, str(error))
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode) or not isinstance(key, str):
                self._fault(path, key_node, "a key must be a word")
                continue
            line = key_node.start_mark.line + 1
            below = (*path, key)
            if key in values:
                self._fault(below, key_node, f"given twice, first on line {self.lines[below]}; keep one")
                continue
            self.lines[below] = line
            values[key] = self.value(value_node, below)
        return values

    def _fault(self, path: KeyPath, node: yaml.Node, message: str) -> None:
        self.faults.append(Fault(self.name, message, dotted(path), node.start_mark.line + 1))
