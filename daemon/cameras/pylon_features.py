"""Features of a Basler camera, by the binding `pypylon`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.cameras.device import DeviceLostError, Native
from daemon.cameras.features import Feature, FeatureError, Features, plain

_KINDS = {
    "IntegerParameter": "integer",
    "FloatParameter": "float",
    "BooleanParameter": "boolean",
    "EnumParameter": "enumeration",
    "StringParameter": "string",
    "CommandParameter": "command",
}


class PylonFeatures(Features):
    """The features of a camera that is open, or of what came with a frame (`nodes`)."""

    def __init__(self, genicam: Native, camera: Native, nodes: Native = None) -> None:
        self._genicam, self._camera = genicam, camera
        self._nodes = camera.GetNodeMap() if nodes is None else nodes
        self._names: list[str] = []

    def names(self) -> list[str]:
        """Those that are implemented and have a value, in the order of their names."""
        if not self._names:
            with self._errors():
                self._names = sorted(
                    node.Node.Name
                    for node in self._nodes.GetNodes()
                    if type(node).__name__ in _KINDS and node.Node.IsFeature() and self._genicam.IsImplemented(node)
                )
        return self._names

    def feature(self, name: str) -> Feature:
        """All that is known of it."""
        with self._errors():
            node = self._nodes.GetNode(name)
            kind, writable = _KINDS[type(node).__name__], bool(self._genicam.IsWritable(node))
            if kind == "command":
                return Feature(name, kind, None, writable)
            readable = self._genicam.IsReadable(node)
            choices = tuple(node.Symbolics) if kind == "enumeration" else ()
            limits = (float(node.Min), float(node.Max)) if readable and kind in ("integer", "float") else None
            unit = str(node.Unit) if limits else ""
            return Feature(name, kind, self.read(name) if readable else None, writable, choices, limits, unit)

    def read(self, name: str) -> str:
        """Its value, asked of the device."""
        with self._errors():
            node = self._nodes.GetNode(name)
            if type(node).__name__ == "BooleanParameter":
                return str(node.GetValue(False, True)).lower()
            return str(node.ToString(False, True))

    def write(self, name: str, text: str) -> None:
        """Set it, or execute the command."""
        with self._errors():
            node = self._nodes.GetNode(name)
            if type(node).__name__ == "CommandParameter":
                node.Execute()
            else:
                node.FromString(text)

    def selectors(self, name: str) -> tuple[str, ...]:
        """The features that select it."""
        with self._errors():
            return tuple(one.Node.Name for one in self._nodes.GetNode(name).Node.GetSelectingFeatures())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What the camera refuses is told; what a camera that was removed refuses is a device that is lost."""
        try:
            yield
        except self._genicam.GenericException as error:
            if self._camera.IsCameraDeviceRemoved():
                raise DeviceLostError(plain(error)) from error
            raise FeatureError(plain(error)) from error
