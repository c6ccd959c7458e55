"""Features of a camera by the library Aravis."""

from __future__ import annotations

import ctypes

from daemon.cameras.aravis_library import Aravis, listed
from daemon.cameras.device import Native
from daemon.cameras.features import Feature, FeatureError, Features

_KINDS = {
    **dict.fromkeys(("Integer", "IntReg", "MaskedIntReg", "IntSwissKnife", "IntConverter"), "integer"),
    **dict.fromkeys(("Float", "FloatReg", "SwissKnife", "Converter"), "float"),
    **dict.fromkeys(("String", "StringReg"), "string"),
    "Boolean": "boolean",
    "Enumeration": "enumeration",
    "Command": "command",
}
_CHECK = 1
"""Of ArvRangeCheckPolicy: a number that the camera does not take is an error."""
_WRITE_ONLY, _READ_WRITE = 1, 2
"""Of ArvGcAccessMode."""


class AravisFeatures(Features):
    """The features of a device that is open."""

    def __init__(self, aravis: Aravis, device: Native) -> None:
        self._aravis = aravis
        aravis.call("arv_device_set_range_check_policy", device, _CHECK)
        self._genicam = aravis.call("arv_device_get_genicam", device)
        self._names: list[str] = []

    def names(self) -> list[str]:
        """Those that are implemented and have a value, in the order of their names."""
        if not self._names:
            found: set[str] = set()
            self._walk("Root", found, set())
            self._names = sorted(found)
        return self._names

    def feature(self, name: str) -> Feature:
        """All that is known of it."""
        aravis, node = self._aravis, self._node(name)
        kind = _KINDS[self._kind(node)]
        mode = aravis.call("arv_gc_feature_node_get_actual_access_mode", node)
        available = bool(aravis.do("arv_gc_feature_node_is_available", node))
        locked = bool(aravis.do("arv_gc_feature_node_is_locked", node))
        writable = available and not locked and mode in (_WRITE_ONLY, _READ_WRITE)
        if kind == "command":
            return Feature(name, kind, None, writable)
        readable = available and mode != _WRITE_ONLY
        choices = aravis.strings(node) if kind == "enumeration" else ()
        limits, unit = None, ""
        if readable and kind in ("integer", "float"):
            limits = self._limits(node, kind)
            unit = (aravis.call(f"arv_gc_{kind}_get_unit", node) or b"").decode(errors="replace")
        return Feature(name, kind, self.read(name) if readable else None, writable, choices, limits, unit)

    def read(self, name: str) -> str:
        """Its value, asked of the device."""
        found = self._aravis.do("arv_gc_feature_node_get_value_as_string", self._node(name))
        if found is None:
            raise FeatureError(f"{name} has no value")
        return bytes(found).decode(errors="replace")

    def write(self, name: str, text: str) -> None:
        """Set it, or execute the command."""
        node = self._node(name)
        if self._kind(node) == "Command":
            self._aravis.do("arv_gc_command_execute", node)
        else:
            self._aravis.do("arv_gc_feature_node_set_value_from_string", node, text.encode())

    def selectors(self, name: str) -> tuple[str, ...]:
        """The features that select it."""
        return tuple(one for one in self.names() if name in self._selected(one))

    # --- inside --------------------------------------------------------------------------------------------------

    def _walk(self, category: str, found: set[str], walked: set[str]) -> None:
        walked.add(category)
        for data in listed(self._aravis.call("arv_gc_category_get_features", self._node(category))):
            name = (ctypes.cast(data, ctypes.c_char_p).value or b"").decode()
            node = self._aravis.call("arv_gc_get_node", self._genicam, name.encode())
            kind = "" if node is None else self._kind(node)
            if kind == "Category" and name not in walked:
                self._walk(name, found, walked)
            elif kind in _KINDS and self._aravis.do("arv_gc_feature_node_is_implemented", node):
                found.add(name)

    def _limits(self, node: Native, kind: str) -> tuple[float, float] | None:
        try:
            least, most = (float(self._aravis.do(f"arv_gc_{kind}_get_{end}", node)) for end in ("min", "max"))
        except FeatureError:
            return None  # what can only be read has none
        return least, most

    def _selected(self, name: str) -> set[str]:
        aravis, node = self._aravis, self._node(name)
        may = aravis.call("g_type_check_instance_is_a", node, aravis.call("arv_gc_selector_get_type"))
        if not may or not aravis.call("arv_gc_selector_is_selector", node):
            return set()
        nodes = listed(aravis.call("arv_gc_selector_get_selected_features", node))
        return {(self._aravis.call("arv_gc_feature_node_get_name", one) or b"").decode() for one in nodes}

    def _node(self, name: str) -> Native:
        node = self._aravis.call("arv_gc_get_node", self._genicam, name.encode())
        if node is None:
            raise FeatureError(f"there is no {name}")
        return node

    def _kind(self, node: Native) -> str:
        return (self._aravis.call("arv_dom_node_get_node_name", node) or b"").decode()
