"""The report of a teaching: as three lines, as JSON, and as one HTML page with pictures."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import Any

from config.load import recipe_hash
from config.schema import Recipe
from daemon.lab.evaluate.detector_gallery import COLOURS, Gallery
from daemon.lab.teach.figures import Figures
from daemon.lab.teach.floor import Floor
from daemon.lab.teach.parts import Parts
from daemon.lab.teach.pictures import Picture
from daemon.lab.teach.places import Place
from daemon.offline import pages
from models.machine.cpu import cpu_model

_CLOSE = 0.02
"""Shares that lie so near to each other are alike."""


def won(before: Figures, after: Figures, floor: Floor) -> str:
    """What was won, in a line."""
    return (
        f"painted cracks found {_share(before.recall.share)} -> {_share(after.recall.share)} of {after.recall.of}, "
        f"right of what is found {_share(before.precision.share)} -> {_share(after.precision.share)}, good sheets "
        f"called NG {before.called_ng.count} of {before.called_ng.of} -> {after.called_ng.count} of "
        f"{after.called_ng.of} (of all at most {_share(floor.bound)}, 95 % sure)"
    )


def worth_it(before: Figures, after: Figures) -> str | None:
    """Why the taught recipe should not be used; None where it should."""
    less = before.recall.share - after.recall.share
    if less > _CLOSE:
        return f"it finds {less:.0%} fewer of the painted cracks than the base"
    if after.called_ng.share > before.called_ng.share:
        return "it calls more good sheets NG than the base"
    wrong = before.precision.share - after.precision.share
    if wrong > _CLOSE:
        return f"{wrong:.0%} more of what it finds is false than with the base"
    if less > -_CLOSE and wrong > -_CLOSE and after.called_ng.count == before.called_ng.count:
        return "it is no better than the base: keep that"
    return None


def stand_out(marks: Sequence[Place], odd: Sequence[str], of: int) -> str:
    """Marks of the die and odd sheets, in words; empty where there is none."""
    words = []
    if marks:
        first = marks[0]
        more = f", and {len(marks) - 1} more" if len(marks) > 1 else ""
        words.append(
            f"a mark at x {first.x}, y {first.y} stands on {len(first.sheets)} of {first.of} sheets: look at the die"
            + more
        )
    if odd:
        words.append(f"{len(odd)} of {of} sheets are odd, look at them: {', '.join(odd)}")
    return "; ".join(words)


def _share(share: float) -> str:
    return f"{share:.0%}"


# --- as JSON -----------------------------------------------------------------------------------------------------


def figures(before: Figures, after: Figures, floor: Floor) -> dict[str, Any]:
    """What was measured."""
    kept = ("value", "silent", "sheets", "bound", "found", "cracks")
    return {"before": before.told(), "after": after.told(), "floor": {name: getattr(floor, name) for name in kept}}


def sheets(parts: Parts, floor: Floor, after: Figures, standing: Sequence[Place]) -> dict[str, Any]:
    """The sheets, what each served, and the places that most of them share."""
    odd = {one.looked.sheet.name: one for one in parts.odd}
    late = {name for name, _ in floor.odd}
    rows = []
    for index, (one, offset) in enumerate(zip(parts.looked, parts.where, strict=True)):
        name = one.sheet.name
        used = "learnt from" if index in parts.learnt else "held apart" if index in parts.held else "left out"
        if name in odd:
            used += f": {odd[name].why}"
        if name in late:
            used += ", but not for the floor: what stands on it looks like a crack"
        rows.append(
            {
                "name": name,
                "used": used,
                "alarms_before": len(one.alarms),
                "alarms_after": len(after.alarms[name]) if name in after.alarms else None,
                "offset": [round(offset.dx), round(offset.dy)] if offset.known else None,
            }
        )
    quiet = [place for place in parts.marks if place not in standing]
    words = "They were learnt as what the product looks like: so many places are no faults of a die."
    if quiet:
        words = "They were not learnt from, and are silent after teaching all the same: they are relief, no marks."
    return {
        "sheets": rows,
        "marks": [_place(place) for place in standing],
        "relief": [_place(place) for place in quiet or parts.relief],
        "relief_words": words,
    }


def _place(place: Place) -> dict[str, Any]:
    x, y, width, height = place.box
    return {"x": x, "y": y, "width": width, "height": height, "sheets": len(place.sheets), "of": place.of}


def classifier(base: Recipe, taught: Recipe, after: Figures) -> str:
    """What was done for the classifier, and why."""
    mode = base.classifier.mode
    if mode == "off":
        return "The recipe asks no classifier, so nothing was done for it."
    words = (
        f"It was not trained: that takes an hour, and thousands of crops of many metals. Its answers in mode {mode} "
        f"were measured: its veto alone hides {after.veto_lost} of {after.recall.of} painted cracks."
    )
    if taught.classifier != base.classifier:
        words += (
            " It took painted cracks away that the detector finds, so the taught recipe limits it: "
            "classifier.veto_most_score is 0, and it only finds fainter cracks."
        )
    return words


def facts(base: Recipe, taught: Recipe, training: dict[str, Any]) -> dict[str, Any]:
    """What it was made from."""
    schedule = training["schedule"]
    return {
        "command": training["command"],
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "base": f"{base.name}, {recipe_hash(base)}",
        "started_from": {one["name"]: one["sha256"] for one in training["started_from"]},
        "training": {name: schedule[name] for name in ("minutes", "steps", "crops", "loss", "rate")},
        "classifier": taught.classifier.mode,
        "machine": cpu_model() or os.uname().machine,
        "code_sha256": training["code_sha256"],
    }


# --- as a page ---------------------------------------------------------------------------------------------------


def page(result: dict[str, Any], pictures: dict[str, list[Picture]], before: Gallery, after: Gallery) -> str:
    """One HTML page that needs no other file."""
    return pages.page(
        "teach.html.j2",
        "daemon.lab.teach",
        "daemon.lab.evaluate",
        result=result,
        pictures=pictures,
        missed=after.exhibits("miss"),
        false=after.exhibits("false alarm"),
        false_before=before.exhibits("false alarm"),
        colours={name: f"rgb({red},{green},{blue})" for name, (blue, green, red) in COLOURS.items()},
    )
