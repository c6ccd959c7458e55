"""A camera's features by their GenICam SFNC names: set in their order, read back, and what is wrong said in words."""

from __future__ import annotations

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.camera import CameraSetupError

Value = bool | int | float | str
_NAME = re.compile(r"(\w+)(?:\[(\w+)\])?")
_NEAREST = 3
"""Names that are told in place of one that is not there."""
_ROUNDING = 1e-3
"""A number that is read back may differ by this share: cameras count in clock ticks."""


class FeatureError(Exception):
    """A feature cannot be read or written; the message says what the camera said."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What a camera says of one of its features."""

    name: str
    kind: str
    """integer, float, boolean, enumeration, string or command."""
    value: str | None
    """As it is now; None where it cannot be read."""
    writable: bool
    choices: tuple[str, ...] = ()
    """Entries of an enumeration."""
    limits: tuple[float, float] | None = None
    """Least and greatest value of a number."""
    unit: str = ""

    @property
    def allowed(self) -> str:
        """The values that may be written, in words."""
        if self.choices:
            return ", ".join(self.choices)
        if self.limits:
            return f"{self.limits[0]:g} to {self.limits[1]:g} {self.unit}".rstrip()
        return {"boolean": "true, false", "command": "true"}.get(self.kind, "")


@dataclass(frozen=True, slots=True)
class Setting:
    """A feature that was set, and what the camera made of it."""

    name: str
    asked: str
    found: str
    """Read back from the camera."""
    rounded: bool = False
    """The camera took a value near to the one that was asked for."""


class Features(ABC):
    """The features of a device that is open."""

    @abstractmethod
    def names(self) -> list[str]:
        """Names of all features that it has."""

    @abstractmethod
    def feature(self, name: str) -> Feature:
        """One of them. Raises FeatureError."""

    @abstractmethod
    def read(self, name: str) -> str:
        """Its value as text, from the device and not from a cache. Raises FeatureError."""

    @abstractmethod
    def write(self, name: str, text: str) -> None:
        """Set its value; a command is executed. Raises FeatureError."""

    @abstractmethod
    def selectors(self, name: str) -> tuple[str, ...]:
        """Names of the features whose value says which of several this one is: LineSelector of LineStatus."""


def set_features(device: Features, asked: Mapping[str, Value]) -> list[Setting]:
    """Set features in their order, and read each back.

    A name may carry the entry of its selector: `TriggerMode[LineStart]` sets TriggerSelector to LineStart first. What
    is refused is tried once more after the others: the greatest OffsetX depends on Width.

    Raises:
        CameraSetupError: the camera lacks a feature or does not take a value; all that is wrong is told.
    """
    if missing := lacking(device, asked):
        raise CameraSetupError(f"camera.features: {'; '.join(missing)}")
    done: dict[str, Setting] = {}
    refused = dict.fromkeys(asked, "")
    for _ in range(2):
        left, refused = refused, {}
        for name in left:
            try:
                done[name] = _set(device, name, asked[name])
            except FeatureError as error:
                refused[name] = str(error)
    if refused:
        raise CameraSetupError(f"camera.features: {'; '.join(refused.values())}")
    return [done[name] for name in asked]


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """The names most like that one, the nearest first."""
    by_lower = {one.lower(): one for one in names}
    found = difflib.get_close_matches(name.lower(), by_lower, _NEAREST, 0.5)
    return [by_lower[one] for one in found]


def lacking(device: Features, names: Iterable[str]) -> list[str]:
    """Words on each feature that the device lacks, with the nearest it has. Entries of selectors are left out."""
    has = device.names()
    told = []
    for name in dict.fromkeys(name.partition("[")[0] for name in names):
        if name in has:
            continue
        near = nearest(name, has)
        told.append(f"the camera has no feature {name}" + (f"; the nearest it has: {', '.join(near)}" if near else ""))
    return told


def _set(device: Features, full: str, value: Value) -> Setting:
    matched = _NAME.fullmatch(full)
    if matched is None:
        raise FeatureError(f"{full} is no name of a feature: write Name, or Name[Entry of its selector]")
    name, entry = matched.groups()
    if entry is None:
        return _set_one(device, full, name, value)
    selector = _selector(device, name, entry)
    before = device.read(selector)
    device.write(selector, entry)
    try:
        return _set_one(device, full, name, value)
    finally:
        # Others depend on it too: PixelFormat on ComponentSelector.
        device.write(selector, before)


def _set_one(device: Features, full: str, name: str, value: Value) -> Setting:
    feature = device.feature(name)
    text = as_text(feature, value)
    if not feature.writable:
        raise FeatureError(f"{full} cannot be set to {text} as the camera is now (it is {feature.value}): leave it out")
    if feature.choices and text not in feature.choices:
        near = nearest(text, feature.choices) or list(feature.choices)
        raise FeatureError(f"{full} cannot be {text}; the nearest it can: {', '.join(near)}")
    try:
        device.write(name, text)
        if feature.kind == "command":
            return Setting(full, text, "executed")
        found = device.read(name)
    except FeatureError as error:
        allowed = device.feature(name).allowed
        raise FeatureError(f"{full} cannot be {text}; allowed: {allowed} ({error})") from error
    rounded = _checked(full, feature, text, found)
    return Setting(full, text, found, rounded)


def _selector(device: Features, name: str, entry: str) -> str:
    """The selector of that feature that has the entry."""
    selectors = device.selectors(name)
    for one in selectors:
        if entry in device.feature(one).choices:
            return one
    choices = [f"{one}: {device.feature(one).allowed}" for one in selectors]
    has = f"it has {'; '.join(choices)}" if choices else "it has no selector"
    raise FeatureError(f"{name}[{entry}]: no selector of {name} has the entry {entry}; {has}")


def as_text(feature: Feature, value: Value) -> str:
    """The value as GenApi reads it. A bare On or Off is text in our files, and true and false serve for them too."""
    if isinstance(value, bool):
        word = "On" if value else "Off"
        return word if word in feature.choices else str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def _checked(full: str, feature: Feature, text: str, found: str) -> bool:
    """Whether the camera rounded what it was given. Raises FeatureError where it took something else."""
    if feature.kind not in ("integer", "float"):
        same = is_true(text) == is_true(found) if feature.kind == "boolean" else text == found
        if not same:
            raise FeatureError(f"{full} was set to {text}, and the camera says {found}: it did not take it")
        return False
    asked, has = number(text), number(found)
    if feature.kind == "integer" and asked != has:
        raise FeatureError(f"{full} was set to {text}, and the camera says {found}: take that, or another value")
    return abs(asked - has) > _ROUNDING * max(abs(asked), 1e-9)


def is_true(text: str) -> bool:
    """Whether the text of a boolean feature says true."""
    return text.strip().lower() in ("1", "true", "yes", "on")


def number(text: str) -> float:
    """The number that a feature's text says; whole numbers may be hexadecimal."""
    return float(int(text, 16)) if text.lower().startswith("0x") else float(text)


def plain(error: Exception) -> str:
    """What a binding said in one line, without the place in its source at which it did."""
    return re.split(r" : \w+Exception thrown", " ".join(str(error).split()))[0].rstrip(". ")
