"""`linesentry inspect` and the service find the same on the same plate."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from daemon.cameras.simulated import product_of
from simulator.sheets.sheet import render

KEYS = ("x", "y", "width", "height", "area", "score", "edge", "x_mm", "y_mm", "width_mm", "height_mm")


def test_inspect_finds_what_the_service_finds(service: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    line = service(camera={"source": "folder", "folder": str(folder)})
    image = folder / "sheet.png"
    cv2.imwrite(str(image), render(product_of(line.recipe), seed=4, density=4).image)

    line.start(1)
    assert line.finish() == 0, line.stderr()
    (row,) = line.verdicts().values()

    recipe = str(line.directory / "small.yaml")
    inspected = subprocess.run(
        [sys.executable, "-m", "daemon", "inspect", "--json", "--recipe", recipe, "--device", "cpu", str(image)],
        capture_output=True,
        check=True,
        timeout=100,
    )
    answer = json.loads(inspected.stdout)

    assert answer["verdict"] == row.verdict
    assert answer["coverage"] == row.coverage
    assert answer["defects"]
    in_order = sorted(row.defects, key=lambda defect: (defect.y, defect.x))
    found = sorted(answer["defects"], key=lambda defect: (defect["y"], defect["x"]))
    assert [{key: getattr(defect, key) for key in KEYS} for defect in in_order] == [
        {key: defect[key] for key in KEYS} for defect in found
    ]
