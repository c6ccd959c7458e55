"""`linesentry camera`, with a real producer and with the simulated line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from tests.command import linesentry, small_line
from tests.daemon.cameras import viky


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with the producer's camera, without a switch."""
    path = tmp_path / "camera.yaml"
    section: dict[str, Any] = viky.section(switch_feature=None, switch_bit=None)
    path.write_text(yaml.safe_dump({"camera": section}), encoding="utf-8")
    return path


@viky.needs_genicam
def test_the_devices_of_a_producer_are_listed(config: Path) -> None:
    told = json.loads(linesentry("camera", "list", "--config", config, "--json").stdout)
    assert [one["id"] for one in told] == ["VikyTL_DEV_red", "VikyTL_DEV_green", "VikyTL_DEV_blue"]
    assert "VikyTL_DEV_green  Machine Vision Games Ltd.  Viky" in linesentry("camera", "list", "-c", config).stdout


@viky.needs_genicam
def test_features_are_shown_beside_what_the_configuration_asks_and_what_is_lacking_is_said(config: Path) -> None:
    done = linesentry("camera", "show", "--config", config, "--set", "camera.line_rate_hz=5")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "Width 400 700 100 to 800" in lines, done.stderr
    assert "PixelFormat RGBa8 Mono8 RGBa8, Mono8" in lines
    assert done.returncode == 2
    assert "the camera has no feature AcquisitionLineRate; the nearest it has: AcquisitionFrameRate" in done.stderr
    everything = json.loads(linesentry("camera", "show", "--all", "--config", config, "--json").stdout)["features"]
    assert {"feature": "ChunkEnable", "value": "true", "allowed": "true, false", "asked": None} in everything
    assert len(everything) > 25


@viky.needs_genicam
def test_rows_are_grabbed_into_an_image_without_a_switch(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "rows.tiff"
    slow = "camera.features={PixelFormat: Mono8, 'ComponentEnable[Range]': false, AcquisitionFrameRate: 20}"
    done = linesentry("camera", "grab", "--rows", "350", out, "--config", config, "--set", slow)
    assert "350 rows of 700 px in " in done.stdout, done.stderr
    image = tifffile.imread(out)
    assert image.shape == (350, viky.WIDTH)
    assert np.median(image) == 255
    # A machine that is busy may lose some: then they are told.
    assert (done.returncode == 1) == ("of these rows were lost" in done.stderr) == bool((image == 0).all(axis=1).any())


def test_any_camera_can_be_grabbed_and_its_focus_shown(tmp_path: Path) -> None:
    line = small_line(tmp_path)
    done = linesentry("camera", "grab", "--rows", "900", tmp_path / "sheet.tiff", "--config", line)
    assert done.returncode == 0, done.stderr
    assert tifffile.imread(tmp_path / "sheet.tiff").shape == (900, 2048)
    said = linesentry(
        "camera", "focus", "--seconds", "0.6", "-c", line, "--set", "camera.line_rate_hz=1000"
    ).stdout.splitlines()
    assert len(said) >= 2
    assert all(line.startswith("focus ") and "left, middle, right" in line for line in said)


def test_a_camera_without_a_driver_has_no_features(tmp_path: Path) -> None:
    done = linesentry("camera", "show", "--config", small_line(tmp_path))
    assert done.returncode == 2
    assert "camera.source is simulator, which has no devices and no features" in done.stderr
