"""`linesentry bench`: how fast this machine is."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from daemon.cli.options import ConfigOption, JsonOption, SetOption, console, fail, runnable


def bench(
    config: ConfigOption = None,
    json_: JsonOption = False,
    workers: Annotated[int | None, typer.Option(min=1, help="most workers; default: one a core")] = None,
    plates: Annotated[int, typer.Option(min=1, help="full-size plates for the throughput")] = 3,
    short_plates: Annotated[int, typer.Option(min=1, help="short plates for the latency")] = 200,
    set_: SetOption = None,
) -> None:
    """Measure the whole line and the detector alone on this machine."""
    from daemon.lab.bench import bench_command, bench_table  # noqa: PLC0415 - commands load what they need
    from daemon.service.sockets import SocketDirectoryError  # noqa: PLC0415
    from daemon.store.results import StoreError  # noqa: PLC0415
    from daemon.store.state import StateError  # noqa: PLC0415
    from daemon.telemetry.server import TelemetryError  # noqa: PLC0415
    from daemon.wire.plate_memory import PlateMemoryError  # noqa: PLC0415

    # As keys of the configuration too: it knows how many workers there may be. Sheets are always simulated ones.
    asked = [
        "camera.source=simulator",
        "simulator.sheets=1",
        *([] if workers is None else [f"workers.count={workers}"]),
    ]
    found = runnable(config, [*(set_ or []), *asked], None)
    try:
        result = bench_command(
            found.config, found.recipes[0], workers=workers, plates=plates, short_plates=short_plates
        )
    except (
        SocketDirectoryError,
        StateError,
        StoreError,
        PlateMemoryError,
        TelemetryError,
        RuntimeError,
    ) as error:
        fail(str(error))
    if json_:
        typer.echo(json.dumps(result))
    else:
        console().print(bench_table(result))
