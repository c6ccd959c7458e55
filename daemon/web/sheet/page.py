"""The page itself: everything of one plate, in the order in which somebody asks for it."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from daemon.store.results import StoreError
from daemon.store.rows import PlateRow
from daemon.web.access.guard import visitor_of
from daemon.web.access.users import Role
from daemon.web.pages import page, words_of
from daemon.web.sheet.defects import MOST, mark_words, shown_defects, told_marks, whys
from daemon.web.sheet.gates import gates_of
from daemon.web.sheet.picture import Picture, picture_of
from daemon.web.sheet.stored import StoredPlate, number_of, read_plate
from daemon.web.site import site_of
from daemon.web.words import Words
from stages.mark import MarkKind

_SCRIPT_WORDS = (
    "selected",
    "of",
    "none_selected",
    "first_corner",
    "second_corner",
    "drawn",
    "no_drawing",
    "no_answer",
    "nothing_marked",
)


def sheet_page(request: Request) -> Response:
    """The page of a plate, or one that says that there is none."""
    number, site = number_of(request), site_of(request)
    if number is None:
        return page(request, "not_found.html.j2", status=404)
    try:
        plate = read_plate(site, number)
    except StoreError as error:
        return page(request, "no_sheet.html.j2", status=503, number=number, trouble=str(error))
    if plate is None:
        return page(request, "no_sheet.html.j2", status=404, number=number, trouble="")
    words, picture = words_of(request), picture_of(site, plate)
    return page(
        request,
        "sheet.html.j2",
        row=plate.row,
        plate=plate,
        picture=picture,
        defects=shown_defects(plate, words),
        most=MOST,
        gates=gates_of(plate.row, plate.recipe),
        missed=[
            (mark, mark_words(mark, words), f"{p.shape},{p.x0},{p.y0},{p.x1},{p.y1}")
            for mark in plate.row.marks
            if (p := mark.place) is not None
        ],
        facts=_facts(plate.row),
        told=_told(plate, picture, words),
        may_mark=visitor_of(request).role.may(Role.OPERATOR),
        whys={kind.name: whys(kind, words) for kind in MarkKind},
    )


def _told(plate: StoredPlate, picture: Picture, words: Words) -> str:
    """What the script of the page needs, as JSON."""
    row = plate.row
    told: dict[str, Any] = {
        "plate": row.plate,
        "rows": row.rows or 0,
        "columns": row.columns or 0,
        "picture": picture.told,
        "boxes": [[one.x, one.y, one.width, one.height, int(one.vetoed)] for one in row.defects[:MOST]],
        "marks": told_marks(row, words),
        "words": {key: words(f"sheet.{key}") for key in _SCRIPT_WORDS},
    }
    return json.dumps(told, allow_nan=False)


def _facts(row: PlateRow) -> list[tuple[str, str]]:
    """Where the verdict comes from: a word of the tables of words, and a value; what is not known is left out."""
    facts = {
        "part": row.part_id,
        "part_unknown": row.part_unknown,
        "batch": row.batch_id,
        "product": row.product,
        "seen": _time(row.seen_at),
        "decided": _time(row.decided_at),
        "latency": None if row.latency_s is None else f"{row.latency_s:.3f} s",
        "size": None if not row.rows else f"{row.columns:,} x {row.rows:,} px",
        "source": row.image,
        "camera": row.camera,
        "recipe": row.recipe,
        "recipe_hash": row.recipe_sha256,
        "configuration_hash": row.configuration_sha256,
        "weights_hash": row.weights_sha256,
        "classifier": row.classifier,
        "classifier_hash": row.classifier_sha256,
        "code_hash": row.code_sha256,
        "unevenness": None if row.unevenness is None else f"{row.unevenness:.1%}",
        "optics": "; ".join(row.optics),
        "run": row.run,
    }
    return [(key, value) for key, value in facts.items() if value]


def _time(at: Any) -> str | None:  # noqa: ANN401 - a moment, or none
    return None if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z}"
