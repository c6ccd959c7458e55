"""The overview picture: the whole plate made small, a box around each defect, and a legend below that says it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stages.plate import Defect, PlateResult, Verdict, found_and_vetoed, worst_first

LEAST_WIDTH = 720
"""Px a picture is wide at least, so that the legend can be read beside a narrow plate."""

LEAST_BOX = 14
"""Px of a box's shorter side at least, so that it can be seen."""

TEXT = (32, 32, 32)
FAINT = (96, 96, 96)
PAPER = (250, 250, 250)
BOX = (255, 64, 32)
VETOED_BOX = (64, 160, 255)
CHIP = {Verdict.OK: (24, 128, 56), Verdict.NG: (196, 32, 32), Verdict.INCONCLUSIVE: (176, 112, 0)}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[int, int, int, int]


def draw_overview(
    image: NDArray[np.uint8],
    result: PlateResult,
    *,
    overview_px: int,
    title: str,
    notes: Sequence[str] = (),
    numbered: int = 0,
) -> Image.Image:
    """The overview of a plate, uint8 (rows, columns) with at least one pixel, as an RGB picture.

    The plate's longest side is at most `overview_px`; the legend comes below it. The `numbered` worst defects carry
    their number; those that the classifier vetoed have another colour and are counted apart.
    """
    small, scale = shrink(image, overview_px)
    height, width = small.shape
    canvas_width = max(width, LEAST_WIDTH)
    legend = _legend(result, canvas_width, title, notes)
    canvas = Image.new("RGB", (canvas_width, height + legend.height), PAPER)
    left = (canvas_width - width) // 2
    plate = Image.fromarray(small).convert("RGB")
    _draw_boxes(plate, worst_first(result.defects), scale, numbered)
    canvas.paste(plate, (left, 0))
    canvas.paste(legend, (0, height))
    return canvas


def shrink(image: NDArray[np.uint8], longest: int) -> tuple[NDArray[np.uint8], float]:
    """The image made smaller by area averaging until its longest side is at most `longest` px; and small px a px.

    The factor is whole, which is eight times as fast as any other (188 Mpx in 50 ms); what does not fill a whole small
    pixel at the right and bottom is left out. The image is read in place. A very small image is enlarged instead.
    """
    rows, columns = image.shape
    (height, width), scale = small_size(rows, columns, longest)
    if scale >= 1:
        times = int(scale)
        return np.repeat(np.repeat(image, times, axis=0), times, axis=1), scale
    factor = round(1 / scale)
    whole = image[: height * factor, : width * factor]
    small: NDArray[np.uint8] = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return small, scale


def small_size(rows: int, columns: int, longest: int) -> tuple[tuple[int, int], float]:
    """Rows and columns of a plate made small by `shrink`, and small px a px."""
    factor = -(-max(rows, columns) // longest)
    if factor <= 1:
        times = max(1, min(longest, 256) // max(rows, columns))
        return (rows * times, columns * times), float(times)
    return (max(1, rows // factor), max(1, columns // factor)), 1.0 / factor


def plate_place(rows: int, columns: int, longest: int, picture: tuple[int, int]) -> tuple[float, int] | None:
    """Where the plate lies on an overview of that width and height: px of it for one of the plate, and its left edge.

    None where the picture was not drawn of such a plate with that `longest`.
    """
    (height, width), scale = small_size(rows, columns, longest)
    if picture[0] != max(width, LEAST_WIDTH) or picture[1] <= height:
        return None
    return scale, (picture[0] - width) // 2


def _draw_boxes(plate: Image.Image, defects: Sequence[Defect], scale: float, numbered: int) -> None:
    """Boxes around the defects, worst first; numbers where they cover neither a box nor one another."""
    draw = ImageDraw.Draw(plate)
    font = ImageFont.load_default(13)
    boxes = [_box(defect, scale) for defect in defects]
    colours = [VETOED_BOX if defect.vetoed else BOX for defect in defects]
    for box, colour in reversed(list(zip(boxes, colours, strict=True))):
        draw.rectangle(box, outline=colour, width=2)
    taken = list(boxes)
    for number, (box, colour) in enumerate(zip(boxes[:numbered], colours, strict=False), start=1):
        width = int(draw.textlength(str(number), font)) + 6
        for label in _places(box, width, 17):
            inside = label[0] >= 0 and label[1] >= 0 and label[2] < plate.width and label[3] < plate.height
            if inside and not any(_overlap(label, other) for other in taken):
                draw.rectangle(label, fill=colour)
                draw.text((label[0] + 3, label[1] + 1), str(number), fill=(255, 255, 255), font=font)
                taken.append(label)
                break


def _box(defect: Defect, scale: float) -> Box:
    """The defect's box on the picture with 3 px of air, and never too small to be seen."""
    middle_x, middle_y = (defect.x + defect.width / 2) * scale, (defect.y + defect.height / 2) * scale
    half_width = max(defect.width * scale / 2 + 3, LEAST_BOX / 2)
    half_height = max(defect.height * scale / 2 + 3, LEAST_BOX / 2)
    return (
        round(middle_x - half_width),
        round(middle_y - half_height),
        round(middle_x + half_width),
        round(middle_y + half_height),
    )


def _places(box: Box, width: int, height: int) -> Iterator[Box]:
    """Where a label of that size may stand: above, below, right or left of the box, touching it."""
    x0, y0, x1, y1 = box
    for x, y in ((x0, y0 - height), (x1 - width, y0 - height), (x0, y1), (x1 - width, y1)):
        yield x, y, x + width, y + height
    for x, y in ((x1, y0), (x0 - width, y0), (x1, y1 - height), (x0 - width, y1 - height)):
        yield x, y, x + width, y + height


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend(result: PlateResult, width: int, title: str, notes: Sequence[str]) -> Image.Image:
    """The strip below the plate: verdict, title and number of defects; the reason; then what else is worth saying."""
    large, normal = ImageFont.load_default(26), ImageFont.load_default(17)
    verdict, head = result.verdict.value, f"{title}: {counted(result.defects)}"
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    chip = int(measure.textlength(verdict, large)) + 28
    coverage = "not judged" if result.coverage is None else f"{100 * result.coverage:.1f} % judged"
    facts = [
        f"{result.rows:,} rows x {result.columns:,} px",
        f"{result.windows_scored} of {result.windows} windows",
        coverage,
        *notes,
        *(f"warning: {warning}" for warning in result.warnings),
    ]
    lines = (
        [(line, TEXT) for line in _wrap(measure, [result.reason], normal, width - 32, between=" ")]
        if result.reason
        else []
    )
    lines += [(line, FAINT) for line in _wrap(measure, facts, normal, width - 32, between="   |   ")]
    heads = _wrap(measure, [head], large, width - chip - 48, between=" ")

    top = 16 + 36 * len(heads)
    strip = Image.new("RGB", (width, top + 24 * len(lines) + 14), PAPER)
    draw = ImageDraw.Draw(strip)
    draw.line((0, 0, width, 0), fill=CHIP[result.verdict], width=4)
    draw.rounded_rectangle((16, 14, 16 + chip, 48), radius=6, fill=CHIP[result.verdict])
    draw.text((30, 16), verdict, fill=(255, 255, 255), font=large)
    for index, line in enumerate(heads):
        draw.text((32 + chip, 16 + 36 * index), line, fill=TEXT, font=large)
    for index, (line, colour) in enumerate(lines):
        draw.text((16, top + 6 + 24 * index), line, fill=colour, font=normal)
    return strip


def counted(defects: Sequence[Defect]) -> str:
    """How many there are, and how many more were vetoed: "no defects, 3 vetoed"."""
    count, vetoed = found_and_vetoed(defects)
    words = f"{count or 'no'} defect{'' if count == 1 else 's'}"
    return f"{words}, {vetoed} vetoed" if vetoed else words


def _wrap(
    draw: ImageDraw.ImageDraw, parts: Sequence[str], font: Font, width: int, *, between: str, most: int = 6
) -> list[str]:
    """The parts set in lines of at most `width` px, broken between parts first, then between words, then anywhere."""
    lines: list[str] = []

    def fits(text: str) -> bool:
        return draw.textlength(text, font) <= width

    for part in parts:
        # A file name may hold bytes that are no text.
        rest = " ".join(part.encode("utf-8", "replace").decode().split())
        if lines and fits(lines[-1] + between + rest):
            lines[-1] += between + rest
            continue
        while not fits(rest):
            end = next(end for end in range(len(rest), 0, -1) if end == 1 or fits(rest[:end]))
            space = rest.rfind(" ", 0, end + 1)
            end = space if space > 0 else end
            lines.append(rest[:end])
            rest = rest[end:].lstrip()
        lines.append(rest)
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][:-1] + "…"]
