"""The page that lists every key of a configuration and of a recipe: docs/reference/configuration.md.

`python -m config.reference_page` writes it anew after a change of the schema. It stands in the checkout, not in what is
installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.schema import Config, Recipe

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
_NAMES: dict[object, str] = {int: "whole number", float: "number", bool: "`true`, `false`", str: "text", Path: "path"}
_HEAD = """# Configuration

Every key of a configuration file and of a recipe file, made from `config/schema/` by `python -m config.reference_page`.

- A file needs only the keys that differ from their defaults. Unknown and repeated keys are refused.
- `null` is no value, as YAML writes it. Paths are relative to the file that names them.
- A file says what is inspected: it names `camera.source`, or has a `simulator` section. Without a file the shipped
  configuration simulates a line.
- `linesentry check FILE` says what is wrong in a file. `linesentry schema` prints the JSON Schema for editors.
- `--set KEY=VALUE` overrides one key on the command line: `--set camera.line_rate_hz=20000`.
  Text is taken as typed, a list is `[a, b]`.

```yaml
recipe: 02CG
camera:
  source: simulator
  line_rate_hz: 20000
slots: 4
overload: skip
```
"""
_RECIPE = """## Recipe

A recipe is all that belongs to one product. How to write one: [change a recipe](../how-to/change-a-recipe.md).
"""


def page() -> str:
    """The whole page, as text that ends in a newline."""
    parts = [_HEAD, "## Service\n", *_tables(Config, Config(), ""), _RECIPE, *_tables(Recipe, None, "")]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key by its full name, those of its sections behind it."""
    for name, field in model.model_fields.items():
        yield prefix + name, field
        section = _section(field)
        if section is not None:
            yield from keys(section, f"{prefix}{name}.")


def _tables(model: type[BaseModel], shipped: object, prefix: str) -> Iterator[str]:
    """A table of the model's own keys, then its sections; `shipped` is the value of the section where it has one."""
    plain = {name: field for name, field in model.model_fields.items() if _section(field) is None}
    if plain:
        rows = [
            f"| `{prefix}{name}` | {_kind(field.annotation)} | {_default(field, shipped, name)} | {_cell(field)} |"
            for name, field in plain.items()
        ]
        yield "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""])
    for name, field in model.model_fields.items():
        section = _section(field)
        if section is not None:
            yield f"{'####' if prefix else '###'} `{prefix}{name}`\n\n{_about(field, section)}\n"
            own = getattr(shipped, name, None if field.is_required() else field.default)
            yield from _tables(section, own, f"{prefix}{name}.")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a key that has keys of its own; also of a list of such."""
    for kind in _parts(field.annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _parts(annotation: object) -> Iterator[object]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif origin in {Union, UnionType, tuple}:
        for inner in get_args(annotation):
            yield from _parts(inner)
    else:
        yield annotation


def _kind(annotation: object) -> str:
    inner = [kind for kind in get_args(annotation) if kind not in {Ellipsis, type(None)}]
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin is tuple:
        return f"list of {_kind(inner[0])}" if Ellipsis in get_args(annotation) else f"[{', '.join(map(_kind, inner))}]"
    if origin in {Union, UnionType}:
        return ", ".join(map(_kind, inner))
    if origin is dict:
        return f"mapping of text to {_kind(inner[1])}"
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    return _NAMES[annotation]


def _default(field: FieldInfo, shipped: object, name: str) -> str:
    if field.is_required() and not isinstance(shipped, BaseModel):
        return "required"
    value = getattr(shipped, name) if isinstance(shipped, BaseModel) else field.default
    if value is None:
        return "`null`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return "empty" if value in ("", {}) else f"`{value}`"


def _cell(field: FieldInfo) -> str:
    return (field.description or "").replace("|", "\\|")


def _about(field: FieldInfo, section: type[BaseModel]) -> str:
    words = [(section.__doc__ or "").strip().splitlines()[0]]
    if field.description:
        words.append(field.description[:1].upper() + field.description[1:] + ".")
    if get_origin(field.annotation) is tuple:
        words.append("The key holds a list of these.")
    return " ".join(words)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
