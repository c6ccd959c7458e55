"""`camera.source: gentl`: any camera or frame grabber whose maker ships a GenTL producer (a .cti file).

EMVA's own binding (`genicam`) is used, with nothing between: frames that are not whole, frame ids and the waiting are
needed as the producer tells them. Only the named producer is loaded, and only its interfaces are asked for devices.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np

from config.schema import Camera
from daemon.cameras.choice import chosen
from daemon.cameras.device import RESENT_COUNTS, Device, DeviceLostError, Filled, Native
from daemon.cameras.device_camera import DeviceCamera
from daemon.cameras.extras import load
from daemon.cameras.features import number, plain
from daemon.cameras.genapi_features import GenApiFeatures
from stages.camera import CameraError, CameraSetupError

_LOOK_MS = 2000
"""Longest time that a producer may take to list its interfaces, and each its devices, ms."""


class GentlCamera(DeviceCamera):
    """A device of `camera.producer`."""

    def open_device(self) -> Device:
        """The device that `camera.device` names, or the only one."""
        return GentlDevice(self._camera)

    def devices(self) -> list[dict[str, str]]:
        """The devices of the producer, on the interface that is named, or on all."""
        producer = Producer(self._camera)
        try:
            return [told(info) for info in producer.devices()]
        except producer.gentl.GenericException as error:
            raise CameraError(f"camera.producer: its devices cannot be listed: {plain(error)}") from error
        finally:
            producer.close()


class Producer:
    """A producer that is loaded, with its interfaces open."""

    def __init__(self, camera: Camera) -> None:
        self.gentl = load("gentl", "genicam.gentl")
        self.genapi = load("gentl", "genicam.genapi")
        assert camera.producer is not None
        path = camera.producer
        if not path.is_file():
            raise CameraSetupError(f"camera.producer: found {path}, which is no file; name the maker's .cti file")
        self._open: list[Native] = []
        self.interfaces: list[Native] = []
        try:
            library = self._opened(self.gentl.GenTLProducer.create_producer(), str(path.resolve()))
            self._open_interfaces(self._opened(library.create_system()), camera.interface)
        except self.gentl.GenericException as error:
            self.close()
            raise CameraError(f"camera.producer: {path} does not work: {plain(error)}") from error
        except BaseException:
            self.close()
            raise

    def _open_interfaces(self, system: Native, name: str | None) -> None:
        system.update_interface_info_list(_LOOK_MS)
        infos = list(system.interface_info_list)
        wanted = [info for info in infos if name in (None, info.id_)]
        if not wanted:
            has = ", ".join(info.id_ for info in infos) or "none"
            raise CameraSetupError(f"camera.interface: the producer has no {name}; it has: {has}")
        for info in wanted:
            self.interfaces.append(self._opened(info.create_interface()))

    def devices(self) -> list[Native]:
        """What its interfaces know of their devices, asked anew."""
        found: list[Native] = []
        for interface in self.interfaces:
            interface.update_device_info_list(_LOOK_MS)
            found += interface.device_info_list
        return found

    def close(self) -> None:
        """Let go of all, the last opened first."""
        while self._open:
            with suppress(Exception):
                self._open.pop().close()

    def _opened(self, module: Native, *how: Native) -> Native:
        module.open(*how)
        self._open.append(module)
        return module


def told(info: Native) -> dict[str, str]:
    """What a device says of itself before it is opened; what it does not say is empty."""
    return {
        "id": _word(lambda: info.id_),
        "vendor": _word(lambda: info.vendor),
        "model": _word(lambda: info.model),
        "serial": _word(lambda: info.serial_number),
        "name": _word(lambda: info.user_defined_name),
    }


class GentlDevice(Device):
    """A device that is open; the producer is its own."""

    def __init__(self, camera: Camera) -> None:
        self._producer = Producer(camera)
        self._gentl = self._producer.gentl
        self._stream: Native = None
        self._announced: list[Native] = []
        self._memory: list[bytes] = []
        self._held: Native = None
        self._device: Native = None
        self._chunks: Native = None
        self._stream_features: GenApiFeatures | None = None
        self._resent: str | None = None
        """The stream's feature that counts packets that were sent again."""
        try:
            self._open(camera)
        except (self._gentl.GenericException, self._producer.genapi.GenericException) as error:
            self.close()
            raise CameraError(f"the camera {self.serial} cannot be opened: {plain(error)}") from error
        except BaseException:
            self.close()
            raise

    serial = "?"

    def _open(self, camera: Camera) -> None:
        found = self._producer.devices()
        words = [told(one) for one in found]
        index = chosen(words, camera.device)
        self.serial = words[index]["serial"] or words[index]["id"]
        device = found[index].create_device()
        try:
            device.open(self._gentl.DEVICE_ACCESS_FLAGS_LIST.DEVICE_ACCESS_EXCLUSIVE)
        except (self._gentl.ResourceInUseException, self._gentl.AccessDeniedException) as error:
            raise CameraError(f"the camera {self.serial} is in use by another program: close that one") from error
        self._device = device
        port = device.remote_port
        self._nodes = _node_map(self._producer.genapi, port)
        self._port = _port(self._producer.genapi, port)
        self._nodes.connect(self._port, port.name)
        self.features = GenApiFeatures(self._producer.genapi, self._gentl, self._nodes)

    # --- frames --------------------------------------------------------------------------------------------------

    def start(self, buffers: int) -> None:
        """Announce the buffers, and begin."""
        with self._loss():
            stream = self._device.create_data_stream()
            stream.open(self._device.data_stream_ids[0])
            self._stream = stream
            event = stream.register_event(self._gentl.EVENT_TYPE_LIST.EVENT_NEW_BUFFER)
            self._event = self._gentl.EventManagerNewBuffer(event)
            size = stream.payload_size if stream.defines_payload_size() else int(self._nodes.PayloadSize.value)
            self.buffers = max(buffers, int(self._number(lambda: stream.buffer_announce_min)))
            self._memory = [bytes(size) for _ in range(self.buffers)]
            for index, memory in enumerate(self._memory):
                self._announced.append(stream.announce_buffer(self._gentl.BufferToken(memory, index)))
                stream.queue_buffer(self._announced[-1])
            self._look_into(stream)
            self._lock(1)
            self._chunks = _chunk_adapter(self._producer.genapi, self._device.tl_type, self._nodes)
            stream.start_acquisition(self._gentl.ACQ_START_FLAGS_LIST.ACQ_START_FLAGS_DEFAULT, -1)
            self._nodes.AcquisitionStart.execute()

    def next(self, timeout_s: float) -> Filled | None:
        """The next frame that the producer has filled."""
        with self._loss():
            self._give_back()
            try:
                self._event.update_event_data(max(0, round(1000 * timeout_s)))
            except self._gentl.TimeoutException:
                return None
            buffer = self._held = self._event.buffer
            frame_id = self._known(lambda: buffer.frame_id)
            if not buffer.is_complete():
                return Filled(np.empty(0, np.uint8), 0, whole=False, id=frame_id, resent=self._count_resent())
            return self._filled(buffer, frame_id)

    def _filled(self, buffer: Native, frame_id: int | None) -> Filled:
        kind = buffer.payload_type
        kinds = self._gentl.PAYLOADTYPE_INFO_IDS
        if kind not in (kinds.PAYLOAD_TYPE_IMAGE, kinds.PAYLOAD_TYPE_CHUNK_DATA):
            raise CameraError(
                f"the camera {self.serial} sends no plain image (payload type {kind}): in camera.features, switch its "
                "other components off, as `ComponentEnable[Range]: false`"
            )
        rows = self._known(lambda: buffer.delivered_image_height)
        if rows is None:
            rows = self._known(lambda: buffer.height)
        offset = self._number(lambda: buffer.image_offset)
        return Filled(
            np.frombuffer(buffer.raw_buffer, np.uint8, offset=offset),
            int(self._nodes.Height.value) if rows is None else rows,
            whole=True,
            width=self._known(lambda: buffer.width),
            id=frame_id,
            padding=self._number(lambda: buffer.padding_x),
            unstored=self._number(lambda: self._stream.num_underrun),
            resent=self._count_resent(),
        )

    def chunk(self, name: str) -> str:
        """A value that came with the last frame."""
        with self._loss():
            self._attach(self._held)
            try:
                return self.features.read(name)
            finally:
                self._chunks.detach_buffer()

    def _attach(self, buffer: Native) -> None:
        if isinstance(self._chunks, self._producer.genapi.ChunkAdapterGeneric):
            self._chunks.attach_buffer(buffer.raw_buffer, buffer.chunk_data_info_list)
        else:
            self._chunks.attach_buffer(buffer.raw_buffer, buffer.size_filled)

    def waiting(self) -> int:
        """Frames that are filled and not asked for."""
        return self._number(lambda: self._stream.num_awaiting_delivery)

    def stop(self) -> None:
        """Stop, and take the buffers back; what a device that is gone says to it does not matter."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        flags, queues = self._gentl.ACQ_STOP_FLAGS_LIST, self._gentl.ACQ_QUEUE_TYPE_LIST
        steps: list[Callable[[], object]] = [
            self._nodes.AcquisitionStop.execute,
            lambda: self._lock(0),
            lambda: stream.stop_acquisition(flags.ACQ_STOP_FLAGS_KILL),
            lambda: stream.flush_buffer_queue(queues.ACQ_QUEUE_ALL_DISCARD),
            *(lambda buffer=buffer: stream.revoke_buffer(buffer) for buffer in self._announced),
            stream.close,
        ]
        for step in steps:
            with suppress(Exception):
                step()
        self._held, self._event = None, None
        self._stream_features = self._stream_port = self._resent = None
        self._announced.clear()
        self._memory.clear()

    def close(self) -> None:
        """Let go of the device and of its producer."""
        self.stop()
        if self._device is not None:
            with suppress(Exception):
                self._device.close()
        self._device = None
        self._producer.close()

    def _look_into(self, stream: Native) -> None:
        """Find the stream's own counts; a producer that does not describe its stream has none."""
        genapi, self._resent = self._producer.genapi, None
        with suppress(Exception):
            port = stream.port
            nodes, self._stream_port = _node_map(genapi, port), _port(genapi, port)
            nodes.connect(self._stream_port, port.name)
            self._stream_features = GenApiFeatures(genapi, self._gentl, nodes)
            names = self._stream_features.names()
            self._resent = next((name for name in RESENT_COUNTS if name in names), None)

    def _count_resent(self) -> int | None:
        if self._resent is None or self._stream_features is None:
            return None
        return int(number(self._stream_features.read(self._resent)))

    def _give_back(self) -> None:
        buffer, self._held = self._held, None
        if buffer is not None:
            self._stream.queue_buffer(buffer)

    def _lock(self, value: int) -> None:
        """Say that the transport's settings stay as they are; cameras before SFNC 2.0 know nothing of it."""
        if "TLParamsLocked" in self.features.names():
            self._nodes.TLParamsLocked.value = value

    def _known(self, ask: Callable[[], int]) -> int | None:
        """What a producer may leave out."""
        try:
            return int(ask())
        except (
            self._gentl.NotAvailableException,
            self._gentl.NotImplementedException,
            self._gentl.InvalidParameterException,
        ):
            return None

    def _number(self, ask: Callable[[], int]) -> int:
        return self._known(ask) or 0

    @contextmanager
    def _loss(self) -> Iterator[None]:
        """An error of the producer's is a device that is lost."""
        try:
            yield
        except (self._gentl.GenericException, self._producer.genapi.GenericException) as error:
            raise DeviceLostError(plain(error)) from error


def _node_map(genapi: Native, port: Native) -> Native:
    """The camera's description, from the camera itself or from a file beside its producer."""
    nodes = genapi.NodeMap()
    url = port.url_info_list[0].url
    scheme, _, rest = url.partition(":")
    if scheme.lower() == "file":
        _load(nodes, Path(unquote(urlparse(url).path)))
        return nodes
    if scheme.lower() != "local":
        raise CameraError(f"the camera's description is at {url}, which is not fetched: ask its maker for a newer one")
    name, address, size = rest.split(";")[:3]
    _, content = port.read(int(address, 16), int(size.partition("?")[0], 16))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("features.zip" if name.lower().endswith("zip") else "features.xml")
        path.write_bytes(content if path.suffix == ".zip" else content.partition(b"\0")[0])
        _load(nodes, path)
    return nodes


def _load(nodes: Native, path: Path) -> None:
    load_file = nodes.load_xml_from_zip_file if path.suffix.lower() == ".zip" else nodes.load_xml_from_file
    load_file(str(path))


def _port(genapi: Native, port: Native) -> Native:
    """The device's registers, as the node map asks for them."""

    class DevicePort(genapi.AbstractPort):  # type: ignore[misc]
        def read(self, address: int, length: int) -> bytes:
            data: bytes = port.read(address, length)[1]
            return data

        def write(self, address: int, value: bytes) -> None:
            port.write(address, value)

        def get_access_mode(self) -> int:
            mode: int = genapi.EAccessMode.RW
            return mode

    return DevicePort()


def _chunk_adapter(genapi: Native, kind: str, nodes: Native) -> Native:
    adapters = {"GEV": genapi.ChunkAdapterGEV, "U3V": genapi.ChunkAdapterU3V}
    return adapters.get(kind, genapi.ChunkAdapterGeneric)(nodes)


def _word(ask: Callable[[], Native]) -> str:
    """What a producer may leave out, as text."""
    try:
        return str(ask())
    except Exception:  # noqa: BLE001 - a producer says in many ways that it does not know
        return ""
