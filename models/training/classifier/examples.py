"""What the classifier is trained and tested on: crops and photographs, each of a group, as folders hold them.

The target is a thin linear anomaly in metal; real scratches stand in for cracks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.classifier.preprocess import resized
from models.training.photographs import Photograph, grey, held_out, is_picture, labels_of, photographs

CRACK, WITHOUT = "crack", "without_crack"
"""Folders, and classes of a manifest."""
_CRACKED_KINDS = {("neu_seg", "3"), ("mt", "MT_Crack"), ("xsdd", "surface scratch")}
ANECDOTES = ("mt/MT_Crack",)
"""Sources of six samples: given by source, and what counts is given without them, too."""
_LINES = {"neu_seg": 3}
"""Value that marks the lines in the masks of a set; any but 0 in others."""


class DataError(ValueError):
    """Data that cannot be learnt from; the message says what was found and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One crop or photograph."""

    pixels: NDArray[np.uint8]
    """(224, 224) grey: a photograph as a whole, a crop as it is."""
    crack: bool
    collection: str
    """The set: `neu_seg`, `02CG`, the folder's name."""
    kind: str
    """The class within its set: `MT_Blowhole`, `fold`."""
    group: str
    """Examples of one group show the same piece of metal."""
    name: str
    mask: NDArray[np.bool_] | None = None
    """Where the crack lies (224, 224), if that is known."""
    test: bool = False
    """Kept for tests, and never trained on or chosen by."""
    simulated: bool = False
    """Not a photograph as it was taken."""
    untaught: bool = False
    """Learnt by its label alone: no teacher is asked about it, nor is it mixed with others."""

    @property
    def source(self) -> str:
        """Set and class: what figures are given by."""
        return f"{self.collection}/{self.kind}"


def read_folder(
    data: Path,
    chosen: Callable[[str], bool] = lambda _group: True,
    *,
    on_progress: Callable[[int], None] | None = None,
    on_unusable: Callable[[Photograph, str], None] | None = None,
) -> list[Example]:
    """All examples of a folder.

    Args:
        data: one with a manifest.csv (image, mask_or_label, set, group, class), or with the folders crack/ and
            without_crack/, whose pictures are a group each.
        chosen: which groups are wanted; pictures of others are not read.
        on_progress: called after each picture that was read.
        on_unusable: called with a picture that cannot be used and the reason, in place of the refusal.

    Returns:
        Examples, those of test groups marked. Photographs without a group are grouped by runs of their numbers: what
        was taken one after the other shows the same strip.

    Raises:
        DataError: a folder without either, a class that is neither a crack nor known to be none, a picture or mask
            that cannot be read, or nothing chosen.
    """
    listed = listed_in(data)
    found = []
    for one in listed:
        if not chosen(one.group):
            continue
        try:
            found.append(_read(one))
        except DataError as error:
            if on_unusable is None:
                raise
            on_unusable(one, str(error))
        if on_progress is not None:
            on_progress(1)
    if not found and on_unusable is None:
        raise DataError(f"{data} holds no picture that was asked for; it holds {len(listed)} pictures in all")
    return found


def groups_of(data: Path) -> dict[str, int]:
    """Pictures by group, none of them read.

    Raises:
        DataError: as `read_folder`.
    """
    return dict(Counter(one.group for one in listed_in(data)))


def listed_in(data: Path) -> list[Photograph]:
    """The pictures of a folder, none of them read.

    Raises:
        DataError: a folder without a manifest.csv and without both crack/ and without_crack/.
    """
    data = data.resolve()  # a group is the same however the way to it was typed
    if (data / "manifest.csv").is_file():
        try:
            return photographs(data)
        except (OSError, ValueError) as error:
            raise DataError(str(error)) from error
    found = []
    for kind in (CRACK, WITHOUT):
        folder = data / kind
        for path in sorted(folder.rglob("*")):
            if is_picture(path):
                mask = path.with_name(f"{path.stem}_mask.png")
                group = f"{data.name}/{path.relative_to(data).with_suffix('')}"
                found.append(Photograph(path, mask if mask.is_file() else None, data.name, group, kind))
    if {one.kind for one in found} != {CRACK, WITHOUT}:
        raise DataError(
            f"{data} holds neither a manifest.csv (image, mask_or_label, set, group, class) nor pictures in both "
            f"{CRACK}/ and {WITHOUT}/: name such a folder"
        )
    return found


def _cracked(one: Photograph) -> bool:
    if one.kind in {CRACK, "cracked"} or (one.collection, one.kind) in _CRACKED_KINDS:
        return True
    known = {collection for collection, _ in _CRACKED_KINDS}
    if one.kind in {WITHOUT, "clean"} or one.collection in known:
        return False
    raise DataError(
        f"{one.image}: class {one.kind!r} of set {one.collection!r} is not known: write {CRACK} or {WITHOUT} into the "
        "manifest's column class"
    )


def _read(one: Photograph) -> Example:
    crack = _cracked(one)
    mask = label = None
    try:
        image = grey(one.image)
        if crack and one.mask is not None:
            label = labels_of(one.mask)
    except ValueError as error:
        raise DataError(f"{error}; or take it out of the data") from error
    if label is not None:
        if label.shape != image.shape:
            raise DataError(f"{one.mask} is no mask of {one.image}: a mask is grey and of its picture's size")
        value = _LINES.get(one.collection)
        marked = (label == value) if value is not None else (label > 0)
        mask = np.asarray(resized(marked.astype(np.uint8) * np.uint8(255)) > 0)
    return Example(
        pixels=np.ascontiguousarray(resized(image)),
        crack=crack,
        collection=one.collection,
        kind=one.kind,
        group=one.group,
        name=f"{one.collection}/{one.image.stem}",
        mask=mask,
        test=held_out(one.group),
    )
