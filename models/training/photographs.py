"""Photographs of real metal, and which of them are held out for tests."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from models.images import ImageError, open_image

Polarity = Literal["bright", "dark", "both"]
_CRACKED, _CLEAN = "cracked", "clean"
"""Classes of pictures with masks beside them, and"""
_CRACK, _WITHOUT = "crack", "without_crack"
"""of any set of a manifest."""
_KINDS = {
    "neu_seg": {"1", "2", "3"},
    "mt": {"MT_Blowhole", "MT_Break", "MT_Crack", "MT_Fray", "MT_Free", "MT_Uneven"},
    "xsdd": {
        "finishing roll printing",
        "iron sheet ash",
        "oxide scale of plate system",
        "oxide scale of temperature system",
        "red iron",
        "slag inclusion",
        "surface scratch",
    },
}
"""The classes of the public sets: whatever stands for a crack among them, another name would say that there is none."""
PUBLIC_CRACKS: dict[tuple[str, str], Polarity] = {
    ("neu_seg", "3"): "bright",
    ("mt", "MT_Crack"): "dark",
    ("xsdd", "surface scratch"): "dark",
}
"""Classes of the public sets that show cracks or scratches, and how these differ from their ground."""
_LINES = {"neu_seg": 3}
"""Value that marks the lines in the masks of a set; any but 0 in others."""
_COLUMNS = "image", "mask_or_label", "set", "group", "class"
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
HELD_OUT_SHARE = 0.3
_RUN, _GAP = 10, 500
"""Most photographs of a group of a set that names none, and the gap in their numbers that ends one: the exposures of a
tile are up to 360 apart, tiles 1,500.
"""


def held_out(group: str) -> bool:
    """Whether a group of photographs is kept for testing: by its hash alone, before anything is trained."""
    digest = hashlib.sha256(f"linesentry {group}".encode()).digest()
    return int.from_bytes(digest[:4], "little") / 2**32 < HELD_OUT_SHARE


def group_key(group: str) -> str:
    """How a model card names a group: the first 8 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(group.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph of real metal and what is known of its cracks."""

    image: Path
    mask: Path | None
    collection: str
    group: str
    kind: str
    told: Polarity | None = None
    """How its cracks differ from their ground, where the manifest says so."""

    @property
    def cracked(self) -> bool:
        """Shows cracks, or scratches, the nearest real thing to one, by its class."""
        return self.kind in (_CRACKED, _CRACK) or (self.collection, self.kind) in PUBLIC_CRACKS

    @property
    def polarity(self) -> Polarity | None:
        """How its cracks differ from their ground, as far as that is told or known."""
        return self.told or PUBLIC_CRACKS.get((self.collection, self.kind))

    @property
    def marked(self) -> bool:
        """Its mask says where its cracks are."""
        return self.cracked and self.mask is not None

    @property
    def scratched(self) -> bool:
        """They can be learnt from: the dark ones of the public sets are few, and kept for tests."""
        return self.marked and PUBLIC_CRACKS.get((self.collection, self.kind)) != "dark"

    @property
    def unusable(self) -> str | None:
        """Why it cannot be judged: what is seen on it is not known."""
        if self.marked or self.clean:
            return None
        if self.cracked:
            return "cracked, but no mask says where: name a .png in the column mask_or_label"
        return (
            f"class {self.kind} of set {self.collection} is neither a crack nor known to be free of any: write "
            f"{_CRACK} or {_WITHOUT}"
        )

    @property
    def clean(self) -> bool:
        """Surely holds no bright line: what is known to hold scratches of some kind is left out."""
        return (
            (self.collection == "mt" and self.kind == "MT_Free")
            or (self.collection == "xsdd" and self.kind not in ("surface scratch", "finishing roll printing"))
            or self.kind in (_CLEAN, _WITHOUT)
        )


def manifest_of(data: Path) -> Path | None:
    """The manifest.csv that a folder's photographs stand in: there, or up to two folders above."""
    data = data.resolve()
    return next((one for root in (data, *data.parents[:2]) if (one := root / "manifest.csv").is_file()), None)


def photographs(data: Path) -> list[Photograph]:
    """Those of a folder.

    What was taken one after the other shows the same strip: photographs of a manifest that names no group for them are
    grouped by set, class and runs of their numbers (docs/decisions/0017-groups-of-unnamed-sets.md).

    Args:
        data: a folder with a manifest.csv (image, mask_or_label, set, group, class, and polarity where one knows it), a
            folder below one, or pictures NAME.png (.jpg, .bmp, .tif) with NAME_mask.png beside them, not 0 where a
            crack is; each is a group then.

    Raises:
        ValueError: there is neither, a mask cannot be read, or a row of the manifest is short or names a class that its
            set, a public one, does not have.
    """
    data = data.resolve()
    if (manifest := manifest_of(data)) is not None:
        return [one for one in _listed(manifest) if one.image.is_relative_to(data)]
    found = []
    for mask in sorted(data.rglob("*_mask.png")):
        name = mask.name.removesuffix("_mask.png")
        image = next((path for path in mask.parent.glob(f"{name}.*") if path.suffix.lower() in _PICTURES), None)
        if image is None:
            raise ValueError(f"{mask}: no picture {name}.png beside it")
        marks = labels_of(mask)
        group = f"{data.name}/{image.relative_to(data).with_suffix('')}"
        found.append(Photograph(image, mask, data.name, group, _CRACKED if marks.any() else _CLEAN))
    if not found:
        raise ValueError(
            f"{data} holds neither a manifest.csv (image, mask_or_label, set, group, class) nor pictures with "
            "NAME_mask.png beside them"
        )
    return found


def is_picture(path: Path) -> bool:
    """Whether a file is by its name a picture, and no mask of one."""
    return path.suffix.lower() in _PICTURES and not path.stem.endswith("_mask")


def unnamed(data: Path, listed: Iterable[Photograph]) -> list[Path]:
    """Pictures below a folder that none of those listed is, or has for its mask."""
    named = {path for one in listed for path in (one.image, one.mask)}
    return [path for path in sorted(data.resolve().rglob("*")) if is_picture(path) and path not in named]


def _listed(manifest: Path) -> list[Photograph]:
    root = manifest.parent
    try:
        with manifest.open(newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeError, csv.Error) as error:
        raise ValueError(
            f"{manifest} cannot be read ({error}): write it as UTF-8, its cells with commas between"
        ) from error
    missing = set(_COLUMNS) - set(rows[0][1] if rows else ())
    if missing:
        raise ValueError(f"{manifest} lacks the columns {', '.join(sorted(missing))}, or has no rows")
    found = []
    for line, row in rows:
        if short := [name for name in _COLUMNS if row[name] is None]:
            raise ValueError(
                f"{manifest}, line {line}: the row ends before {', '.join(short)}: give all five, if empty"
            )
        kinds = _KINDS.get(row["set"])
        if kinds is not None and row["class"] not in kinds | {_CRACKED, _CLEAN, _CRACK, _WITHOUT}:
            raise ValueError(
                f"{manifest}, line {line}: set {row['set']} has no class {row['class']!r}: write one of "
                f"{', '.join(sorted(kinds))}, or {_CRACK} or {_WITHOUT}"
            )
        label = root / row["mask_or_label"] if row["mask_or_label"].endswith(".png") else None
        polarity = row.get("polarity") or None
        told = next((one for one in get_args(Polarity) if one == polarity), None)
        if polarity != told:
            raise ValueError(f"{manifest}, line {line}: polarity is {polarity!r}: write bright, dark, both or nothing")
        group = f"{row['set']}/{row['group']}"
        found.append(Photograph(root / row["image"], label, row["set"], group, row["class"], told))
    return _grouped(found)


def _grouped(listed: list[Photograph]) -> list[Photograph]:
    """The same, where those without a group have one: by set, class and a run of their numbers."""
    alone: dict[tuple[str, str], list[Photograph]] = {}
    named = []
    for one in listed:
        if one.group == f"{one.collection}/":
            alone.setdefault((one.collection, one.kind), []).append(one)
        else:
            named.append(one)
    for (collection, kind), photos in alone.items():
        first = last = count = 0
        for one in sorted(photos, key=_number):
            number = _number(one)[0]
            if count in {0, _RUN} or number - last > _GAP:
                first, count = number, 0
            last, count = number, count + 1
            named.append(replace(one, group=f"{collection}/{kind}-{first}"))
    return named


def _number(one: Photograph) -> tuple[int, str]:
    digits = re.findall(r"\d+", one.image.stem)
    return (int(digits[-1]) if digits else 0), str(one.image)


def read(photograph: Photograph) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Its grey values, the pixels of its cracks or scratches, and those of other marks (not judged).

    Raises:
        ValueError: picture or mask cannot be read, or the mask has not the picture's size.
    """
    image = grey(photograph.image)
    crack = np.zeros(image.shape, np.bool_)
    other = np.zeros(image.shape, np.bool_)
    if photograph.marked and photograph.mask is not None:
        label = labels_of(photograph.mask)
        if label.shape != image.shape:
            raise ValueError(
                f"{photograph.mask} is {label.shape}, {photograph.image} is {image.shape}: a mask is grey and of its "
                "image's size"
            )
        value = None if photograph.kind in (_CRACKED, _CRACK) else _LINES.get(photograph.collection)
        crack = label > 0 if value is None else label == value
        other = (label != 0) & ~crack
    return image, crack, other


def grey(path: Path) -> NDArray[np.uint8]:
    """A picture as the program sees it anywhere else: grey values (h, w), as they are stored.

    Raises:
        ValueError: naming the file, which cannot be read or is damaged.
    """
    try:
        with open_image(path) as image:
            grey = image.rows(0, image.height)
            doubt = image.depth_doubt
    except ImageError as error:
        raise ValueError(f"{path}: {error}") from error
    if doubt:
        raise ValueError(f"{path}: {doubt}; or convert it to 8 bit")
    return grey


def labels_of(mask: Path) -> NDArray[Any]:
    """The values of a mask, never scaled: (h, w) where it is grey.

    Raises:
        ValueError: naming the file, which cannot be read.
    """
    try:
        found = cv2.imdecode(np.frombuffer(mask.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, ValueError, cv2.error) as error:
        raise ValueError(f"{mask}: no mask that can be read ({error})") from error
    if found is None:
        raise ValueError(f"{mask}: no mask that can be read: write it again")
    return np.asarray(found)
