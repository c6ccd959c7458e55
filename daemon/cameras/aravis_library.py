"""The functions of the library Aravis (0.8) that are used, by ctypes: its Python binding cannot be installed by pip."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint, c_uint8, c_uint64, c_void_p

from daemon.cameras.device import DeviceLostError, Native
from daemon.cameras.extras import ARAVIS, NO_ARAVIS
from daemon.cameras.features import FeatureError
from stages.camera import CameraSetupError

_LOST = (2, 4, 5)
"""Of ArvDeviceError: not connected, transfer error, time-out."""


class _Error(ctypes.Structure):
    _fields_ = (("domain", ctypes.c_uint32), ("code", c_int), ("message", c_char_p))


class _List(ctypes.Structure):
    """GSList."""


_List._fields_ = (("data", c_void_p), ("next", POINTER(_List)))
_ERROR = POINTER(POINTER(_Error))
_NUMBERS = POINTER(c_uint64)
_TAKES: dict[str, tuple[object, ...]] = {
    "arv_disable_interface": (None, c_char_p),
    "arv_device_error_quark": (ctypes.c_uint32,),
    "arv_camera_new": (c_void_p, c_char_p, _ERROR),
    "arv_camera_get_device": (c_void_p, c_void_p),
    "arv_camera_create_stream": (c_void_p, c_void_p, c_void_p, c_void_p, _ERROR),
    "arv_camera_get_payload": (c_uint, c_void_p, _ERROR),
    "arv_camera_start_acquisition": (None, c_void_p, _ERROR),
    "arv_camera_stop_acquisition": (None, c_void_p, _ERROR),
    "arv_device_set_range_check_policy": (None, c_void_p, c_int),
    "arv_gv_device_is_controller": (c_int, c_void_p),
    "arv_device_get_genicam": (c_void_p, c_void_p),
    "arv_stream_push_buffer": (None, c_void_p, c_void_p),
    "arv_stream_timeout_pop_buffer": (c_void_p, c_void_p, c_uint64),
    "arv_stream_get_n_buffers": (None, c_void_p, POINTER(c_int), POINTER(c_int)),
    "arv_gv_stream_get_statistics": (None, c_void_p, _NUMBERS, _NUMBERS),
    "arv_buffer_new_allocate": (c_void_p, c_size_t),
    "arv_buffer_get_status": (c_int, c_void_p),
    "arv_buffer_get_payload_type": (c_int, c_void_p),
    "arv_buffer_get_frame_id": (c_uint64, c_void_p),
    "arv_buffer_get_image_data": (POINTER(c_uint8), c_void_p, POINTER(c_size_t)),
    "arv_buffer_get_image_width": (c_int, c_void_p),
    "arv_buffer_get_image_height": (c_int, c_void_p),
    "arv_buffer_get_image_padding": (None, c_void_p, POINTER(c_int), POINTER(c_int)),
    "arv_gc_get_node": (c_void_p, c_void_p, c_char_p),
    "arv_gc_category_get_features": (POINTER(_List), c_void_p),
    "arv_dom_node_get_node_name": (c_char_p, c_void_p),
    "arv_gc_feature_node_get_name": (c_char_p, c_void_p),
    "arv_gc_feature_node_is_implemented": (c_int, c_void_p, _ERROR),
    "arv_gc_feature_node_is_available": (c_int, c_void_p, _ERROR),
    "arv_gc_feature_node_is_locked": (c_int, c_void_p, _ERROR),
    "arv_gc_feature_node_get_actual_access_mode": (c_int, c_void_p),
    "arv_gc_feature_node_get_value_as_string": (c_char_p, c_void_p, _ERROR),
    "arv_gc_feature_node_set_value_from_string": (None, c_void_p, c_char_p, _ERROR),
    "arv_gc_command_execute": (None, c_void_p, _ERROR),
    "arv_gc_enumeration_dup_available_string_values": (POINTER(c_char_p), c_void_p, POINTER(c_uint), _ERROR),
    "arv_gc_integer_get_min": (c_int64, c_void_p, _ERROR),
    "arv_gc_integer_get_max": (c_int64, c_void_p, _ERROR),
    "arv_gc_integer_get_unit": (c_char_p, c_void_p),
    "arv_gc_float_get_min": (c_double, c_void_p, _ERROR),
    "arv_gc_float_get_max": (c_double, c_void_p, _ERROR),
    "arv_gc_float_get_unit": (c_char_p, c_void_p),
    "arv_gc_selector_get_type": (c_size_t,),
    "arv_gc_selector_is_selector": (c_int, c_void_p),
    "arv_gc_selector_get_selected_features": (POINTER(_List), c_void_p),
    "g_type_check_instance_is_a": (c_int, c_void_p, c_size_t),
    "g_error_free": (None, c_void_p),
    "g_free": (None, c_void_p),
    "g_object_unref": (None, c_void_p),
}
"""Each function: what it gives, and what it takes. Where the last is an error, `Aravis.do` adds it."""


class Aravis:
    """The library, loaded for one camera. Raises CameraSetupError: it is not installed."""

    def __init__(self) -> None:
        self.lost = False
        """The camera did not answer."""
        try:
            self._library = ctypes.CDLL(ARAVIS)
        except OSError as error:
            raise CameraSetupError(f"camera.source: found aravis, which {NO_ARAVIS}") from error
        for name, (gives, *takes) in _TAKES.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = gives, takes

    def call(self, name: str, *given: Native) -> Native:
        """What that function gives, which cannot fail."""
        return getattr(self._library, name)(*given)

    def do(self, name: str, *given: Native) -> Native:
        """What that function gives. Raises FeatureError, or DeviceLostError where the camera does not answer."""
        error = POINTER(_Error)()
        found = self.call(name, *given, byref(error))
        if not error:
            return found
        code, words = error.contents.code, (error.contents.message or b"?").decode(errors="replace")
        lost = error.contents.domain == self.call("arv_device_error_quark") and code in _LOST
        self.call("g_error_free", error)
        self.lost = self.lost or lost
        raise DeviceLostError(words) if lost else FeatureError(words)

    def strings(self, node: Native) -> tuple[str, ...]:
        """The entries of an enumeration that can be chosen now."""
        count = c_uint()
        found = self.do("arv_gc_enumeration_dup_available_string_values", node, byref(count))
        names = tuple(found[index].decode() for index in range(count.value))
        self.call("g_free", found)
        return names


def listed(first: Native) -> Iterator[Native]:
    """What a list has, as addresses."""
    while first:
        yield first.contents.data
        first = first.contents.next
