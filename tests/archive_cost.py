"""What the archive costs a plate: `python -m tests.archive_cost SHEET`, an image as `linesentry simulate` makes it.

Processor times, so that other work on the machine changes them little. The first copy is into memory that is new.
The file is inspected as well, for the share of an inspection that the archive is.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import tifffile

from config.load import load_recipe
from daemon.offline.inspect import inspect_files
from daemon.offline.networks import load_detectors
from daemon.store.archive_file import write_plate
from daemon.store.archive_files import sha256_of
from models.images import open_image


def seconds(work: Callable[[], object]) -> float:
    """Processor time of it, s."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Print what was found as JSON."""
    cv2.setNumThreads(1)
    with open_image(Path(sys.argv[1])) as source:
        sheet = source.rows(0, source.height)
    copy = np.empty_like(sheet)
    found = {"mb_of_pixels": sheet.size / 1e6, "first_copy_s": seconds(lambda: np.copyto(copy, sheet))}
    found["copy_s"] = seconds(lambda: np.copyto(copy, sheet))
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "1.ome.tif"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["write_s"] = seconds(lambda: write_plate(copy, path, name="sheet", about={}))
        found["more_memory_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
        found["mb_a_second"] = found["mb_of_pixels"] / found["write_s"]
        found["ratio"] = sheet.size / path.stat().st_size
        found["verify_s"] = seconds(lambda: sha256_of(path))
        found["same"] = float(np.array_equal(tifffile.imread(path), sheet))
        recipe = load_recipe("P10B")
        detectors = load_detectors(recipe, "cpu")[:1]
        found["inspect_s"] = seconds(lambda: list(inspect_files([path], recipe, detectors)))
        found["of_the_inspection"] = (found["copy_s"] + found["write_s"]) / found["inspect_s"]
    sys.stdout.write(json.dumps({key: round(value, 3) for key, value in found.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
