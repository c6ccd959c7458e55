"""How many rows a second of Basler's emulator come through the camera's door, and what they cost.

`python -m tests.daemon.cameras.emulator_rate --strips 39 --seconds 120`. Strips of 16,384 x 512 px from a folder of
TIFF files are copied into a strip buffer, as the line's process does it. The emulator shares the process, so its own
work is part of the cost. It waits rather than losing a strip: what it cannot keep up with shows as fewer strips.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import structlog
import tifffile
import typer

from daemon.cameras.pylon import PylonCamera
from stages.camera import Strip
from tests.daemon.cameras.test_pylon import STRIP, WIDTH, made


def main() -> None:
    """Measure, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strips", type=float, default=39.0, help="strips a second that are asked for")
    parser.add_argument("--seconds", type=float, default=120.0)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with TemporaryDirectory() as folder:
        noise = np.random.default_rng(1).integers(0, 255, (STRIP, WIDTH)).astype(np.uint8)
        for number in range(4):
            tifffile.imwrite(Path(folder) / f"{number}.tif", np.roll(noise, number, axis=0))
        camera = made(Path(folder), Path(folder), buffers=8, switch_feature=None)
        camera.open(typer.echo)
        assert camera._device is not None
        camera._device.features.write("AcquisitionFrameRate", str(asked.strips))
        _measure(camera, asked.seconds, asked.strips)


def _measure(camera: PylonCamera, seconds: float, strips_hz: float) -> None:
    into = np.zeros((STRIP, WIDTH), np.uint8)
    try:
        camera.start()
        began, cpu, own = time.monotonic(), time.process_time(), time.thread_time()
        count, last = 0, -1
        while time.monotonic() - began < seconds:
            strip = camera.next_strip(into, 0.1)
            if isinstance(strip, Strip):
                count, last = count + 1, strip.block
        passed = time.monotonic() - began
        cpu, own = (time.process_time() - cpu) / passed, (time.thread_time() - own) / passed
    finally:
        camera.close()
    rate = count / passed
    typer.echo(f"asked for {strips_hz:g} strips/s, {strips_hz * STRIP:.0f} rows/s")
    typer.echo(f"got {rate:.1f} strips/s, {rate * STRIP:.0f} rows/s, {rate * STRIP * WIDTH / 1e6:.0f} Mpx/s")
    typer.echo(f"lost {last + 1 - count} of {last + 1} strips in {passed:.0f} s")
    typer.echo(f"CPU {cpu:.0%} of a core, the camera's thread {own:.0%}")


if __name__ == "__main__":
    main()
