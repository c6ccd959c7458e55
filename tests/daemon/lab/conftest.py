from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """24 pictures of as many groups, every other one with a bright line."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask_or_label", "set", "group", "class"))
        for number in range(24):
            picture = rng.integers(80, 120, (64, 64)).astype(np.uint8)
            if number % 2:
                picture[:, 30:36] = 230
            cv2.imwrite(str(folder / f"{number}.png"), picture)
            rows.writerow((f"{number}.png", "", "own", str(number), ("without_crack", "crack")[number % 2]))
    return folder
