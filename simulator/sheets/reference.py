"""The reference description of the simulated line: `reference.yaml`, typed and validated."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"the first bound ({span[0]}) must not exceed the second ({span[1]})")
    return span


Span = Annotated[tuple[float, float], AfterValidator(_ordered)]
Amount = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sensor(_Part):
    """Noise of the camera in the terms of EMVA 1288, grey levels of 255."""

    gain: Amount
    dark_noise: Amount
    dsnu: Amount
    prnu: Amount


class Surface(_Part):
    """Ranges of a sheet's look; a sheet draws one value from each."""

    grey: Span
    corrugation_amplitude: Span
    corrugation_period: Span
    chevron_angle: Span
    crest_highlight: Span
    rolling_texture: Span
    grain: Span
    fingerprint_patches: tuple[int, int]
    fingerprint_strength: Span
    uneven_light: Amount
    margin: Span
    background: Span
    skew: Amount


class Cracks(_Part):
    """Ranges of the microcracks (M 115; lengths, density and clusters are this project's own)."""

    density: int = Field(ge=0)
    width: Span
    height: Span
    step: Span
    length_mm: Span
    least_elongation: float = Field(ge=1)
    decay: Span
    cluster_size: tuple[int, int]
    cluster_spread: Amount
    separation: Amount
    oblique_spread: Amount
    any_angle_share: float = Field(ge=0, le=1)


class Oil(_Part):
    """Dark blocks that hide what lies beneath."""

    area_share: float = Field(ge=0, le=0.5)
    size: Span
    grey: Span
    opacity: Span


class Noise(_Part):
    """Gaussian noise on top of the sensor's own."""

    sigma: Amount


class Light(_Part):
    """Brightness, contrast and evenness of the light."""

    brightness: Amount
    contrast: float = Field(ge=0, lt=1)
    unevenness: float = Field(ge=0, lt=1)


class Interference(_Part):
    """The disturbances of the robustness study (M 153-157) at strength 1."""

    oil: Oil
    noise: Noise
    light: Light


class Reference(_Part):
    """Everything a rendered sheet is drawn from."""

    sensor: Sensor
    surface: Surface
    cracks: Cracks
    interference: Interference
    test_seeds: dict[str, tuple[int, ...]]


@cache
def load_reference() -> Reference:
    """The shipped reference; raises pydantic.ValidationError when `reference.yaml` is not what the types say."""
    return Reference.model_validate(
        yaml.safe_load(files("simulator.sheets").joinpath("reference.yaml").read_text("utf-8"))
    )
