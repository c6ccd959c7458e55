"""Features of a GenApi node map, by the binding `genicam`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.cameras.device import DeviceLostError, Native
from daemon.cameras.features import Feature, FeatureError, Features, plain

_KINDS = {
    "IInteger": "integer",
    "IFloat": "float",
    "IBoolean": "boolean",
    "IEnumeration": "enumeration",
    "IString": "string",
    "ICommand": "command",
}


class GenApiFeatures(Features):
    """The features of a device whose node map is connected."""

    def __init__(self, genapi: Native, gentl: Native, nodes: Native) -> None:
        self._genapi, self._gentl, self._nodes = genapi, gentl, nodes
        self._names: list[str] = []

    def names(self) -> list[str]:
        """Those that are implemented and have a value, in the order of their names."""
        if not self._names:
            with self._errors():
                self._names = sorted(
                    node.node.name
                    for node in self._nodes.nodes
                    if type(node).__name__ in _KINDS and node.node.is_feature() and self._genapi.is_implemented(node)
                )
        return self._names

    def feature(self, name: str) -> Feature:
        """All that is known of it."""
        with self._errors():
            node = self._nodes.get_node(name)
            kind = _KINDS[type(node).__name__]
            if kind == "command":
                return Feature(name, kind, None, writable=self._genapi.is_writable(node))
            readable = self._genapi.is_readable(node)
            value = _value(node) if readable else None
            choices = tuple(node.symbolics) if kind == "enumeration" else ()
            limits = (float(node.min), float(node.max)) if readable and kind in ("integer", "float") else None
            unit = str(node.unit) if limits else ""
            return Feature(name, kind, value, self._genapi.is_writable(node), choices, limits, unit)

    def read(self, name: str) -> str:
        """Its value, asked of the device."""
        with self._errors():
            return _value(self._nodes.get_node(name))

    def write(self, name: str, text: str) -> None:
        """Set it, or execute the command."""
        with self._errors():
            node = self._nodes.get_node(name)
            if type(node).__name__ == "ICommand":
                node.execute()
            else:
                node.from_string(text)

    def selectors(self, name: str) -> tuple[str, ...]:
        """The features that select it."""
        with self._errors():
            return tuple(node.node.name for node in self._nodes.get_node(name).node.selecting_features)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the camera refuses is told; what its driver cannot do any more is a device that is lost."""
        try:
            yield
        except self._gentl.GenericException as error:
            raise DeviceLostError(plain(error)) from error
        except self._genapi.GenericException as error:
            raise FeatureError(plain(error)) from error


def _value(node: Native) -> str:
    """The value as text, asked of the device."""
    if type(node).__name__ == "IBoolean":
        return str(node.get_value(False, True)).lower()
    return str(node.to_string(False, True))
