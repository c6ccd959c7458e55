"""A file of features as GenApi saves them, and so the viewers of many makers (Basler's .pfs).

A line has a name, a tab and a value. Between the two may stand for which entries of its selectors it is:
`LineMode, tab, {LineSelector=Line1}, tab, Input`. Lines that begin with # say who made the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from daemon.cameras.features import FeatureError, Features, lacking
from stages.camera import CameraSetupError

_MOST_BYTES = 1 << 20

_SELECTOR = re.compile(r"\{(\w+)=(\w+)\}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the file."""

    name: str
    value: str
    selectors: tuple[tuple[str, str], ...] = ()
    """Selectors and their entries, which are set before."""

    @property
    def full(self) -> str:
        """Name with the entries of its selectors."""
        entries = ", ".join(entry for _, entry in self.selectors)
        return f"{self.name}[{entries}]" if entries else self.name


def read_feature_file(path: Path) -> list[Entry]:
    """Its features in their order. Raises CameraSetupError: it cannot be read, or is no such file."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise CameraSetupError(f"camera.feature_file: {path}: {reason}") from error
    if len(content) > _MOST_BYTES:
        raise CameraSetupError(f"camera.feature_file: {path} is larger than 1 MiB: this is no file of features")
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) not in (2, 3) or not parts[0].isidentifier():
            why = "is no feature: a name, a tab and a value stand in a line"
            raise CameraSetupError(f"camera.feature_file: {path}:{number}: {why}")
        entries.append(Entry(parts[0], parts[-1].strip(), tuple(_SELECTOR.findall(parts[1] if parts[2:] else ""))))
    return entries


def load_features(device: Features, entries: list[Entry]) -> dict[str, tuple[str, str]]:
    """Set all of them; what changed, as before and after, by name and selector's entry.

    What is refused is tried again when the others are set.

    Raises:
        CameraSetupError: the camera lacks a feature, or refuses a value; all that is wrong is told.
    """
    names = [name for entry in entries for name in (entry.name, *(selector for selector, _ in entry.selectors))]
    if missing := lacking(device, names):
        raise CameraSetupError(f"camera.feature_file: {'; '.join(missing)}")
    changed: dict[str, tuple[str, str]] = {}
    refused: dict[str, str] = {}
    for _ in range(2):
        refused = {}
        for entry in entries:
            try:
                _set(device, entry, changed)
            except FeatureError as error:
                refused[entry.full] = f"{entry.full} cannot be {entry.value} ({error})"
        if not refused:
            break
    if refused:
        raise CameraSetupError(f"camera.feature_file: {'; '.join(refused.values())}")
    return {full: pair for full, pair in changed.items() if pair[0] != pair[1]}


def _set(device: Features, entry: Entry, changed: dict[str, tuple[str, str]]) -> None:
    for selector, choice in entry.selectors:
        device.write(selector, choice)
    feature = device.feature(entry.name)
    device.write(entry.name, entry.value)
    if feature.kind != "command":
        before = changed[entry.full][0] if entry.full in changed else feature.value or ""
        changed[entry.full] = (before, device.read(entry.name))
