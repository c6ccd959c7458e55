"""What a run takes of the machine at its start, and gives back at its end."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import zmq

from config.schema import Config
from daemon.service.control import Control
from daemon.service.needs import strips_need
from daemon.telemetry.metrics import Metrics
from daemon.telemetry.server import Health, MetricsServer
from daemon.wire import messages as m
from daemon.wire.channel import Server
from daemon.wire.plate_memory import PlateMemory, Shape, reserve
from daemon.wire.run_key import RunKey


@dataclass(frozen=True, slots=True)
class Resources:
    """What one run holds."""

    memory: PlateMemory
    camera_fd: int
    """Strip buffers between camera and acquisition."""
    lifeline_fd: int
    """A pipe that ends with this process."""
    key: RunKey
    link: Server
    """To the children."""
    poller: zmq.Poller
    port: int
    """Of /metrics."""
    control: Control
    """Where commands are heard."""

    @classmethod
    def taken(
        cls,
        held: ExitStack,
        config: Config,
        shape: Shape,
        *,
        run: str,
        sockets: Path,
        state: Path,
        metrics: Metrics,
        health: Callable[[], Health],
    ) -> Resources:
        """Take it all; it is given back with `held`. Raises OSError, zmq.ZMQError, PlateMemoryError, TelemetryError."""
        memory = held.enter_context(closing(PlateMemory.create(shape)))
        camera_fd = reserve("linesentry-strips", strips_need(config))
        held.callback(os.close, camera_fd)
        metrics.set_slots(**memory.counts())
        server = MetricsServer(metrics.registry, health, config.telemetry.host, config.telemetry.port)
        held.enter_context(closing(server))
        lifeline, lifeline_end = os.pipe()
        held.callback(os.close, lifeline)
        held.callback(os.close, lifeline_end)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        held.callback(context.destroy, linger=0)
        key = RunKey.new()
        link = held.enter_context(
            closing(Server(context, m.Sender(run, "supervisor", 0, 1), sockets / "supervisor", key))
        )
        poller = zmq.Poller()
        poller.register(link.socket, zmq.POLLIN)
        control = held.enter_context(closing(Control(state)))
        return cls(memory, camera_fd, lifeline, key, link, poller, server.port, control)
