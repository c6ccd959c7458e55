"""Every key of a schema at its limits, drawn from the schema itself: a new key is among them without being told."""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

Extreme = tuple[str, Any]
"""A dotted key and a value that its own limits allow."""

_MOST_INT, _MOST_FLOAT = 2**62, 1e308


def extremes(model: type[BaseModel], prefix: str = "") -> Iterator[Extreme]:
    """Each key of the model and of its sections with each of its extreme values; lists are left out."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        kinds = list(_kinds(field.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from extremes(kind, f"{key}.")
            else:
                yield from ((key, value) for value in _values(kind, field))


def _kinds(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    else:
        yield annotation


def _values(kind: Any, field: FieldInfo) -> Iterator[Any]:
    low: Any = None
    high: Any = None
    length = 64
    for limit in field.metadata:
        match limit:
            case Ge(ge=bound) | Gt(gt=bound):
                low = bound
            case Le(le=bound) | Lt(lt=bound):
                high = bound
            case MaxLen(max_length=bound):
                length = bound
    above = any(isinstance(limit, Gt) for limit in field.metadata)
    if kind is bool:
        yield from (True, False)
    elif kind is int:
        yield (-_MOST_INT if low is None else low + above)
        yield (_MOST_INT if high is None else high)
    elif kind is float:
        yield (-_MOST_FLOAT if low is None else math.nextafter(low, math.inf) if above else low)
        yield (_MOST_FLOAT if high is None else high)
    elif kind is type(None):
        yield None
    elif get_origin(kind) is Literal:
        yield from get_args(kind)
    elif kind is str:
        yield "a" * length
    elif kind is Path:
        yield Path("/nowhere/at/all")


def changed(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """The nested values with one dotted key changed; sections that are null are begun anew."""
    name, _, rest = key.partition(".")
    if not rest:
        return values | {name: value}
    return values | {name: changed(values.get(name) or {}, rest, value)}
