"""The figures of an evaluation: as plain values, as tables for a terminal, and as one self-contained HTML report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from daemon.lab.data.passed_over import table_of
from daemon.lab.data.polarity import SIMULATED
from daemon.lab.evaluate.detector_gallery import COLOURS, Gallery
from daemon.lab.evaluate.report import shown
from daemon.offline import pages
from models.measure.assessment import (
    PROPERTIES,
    Called,
    Scored,
    Share,
    by_property,
    clean_share,
    escape_share,
    outcome,
    precision_recall,
    split,
    summary,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = {
    "width_px": "width, px",
    "height_grey": "height, grey levels",
    "contrast_to_noise": "contrast to noise",
    "length_mm": "length, mm",
    "length_px": "length, px",
}


def figures(
    scored: Sequence[Scored],
    facts: dict[str, Any],
    at: float = 0.5,
    *,
    passed_over: Sequence[dict[str, Any]] = (),
    polarity: Mapping[str, Any] | None = None,
    compared: Mapping[str, Sequence[Scored]] | None = None,
) -> dict[str, Any]:
    """All that is said of these plates, as values that JSON knows.

    Args:
        scored: plates and pictures.
        facts: what it was made from.
        at: least score that counts as found.
        passed_over: pictures that were not judged, counted by their reason.
        polarity: how cracks differ from their ground, by set.
        compared: the same pictures by other ways to find cracks.
    """
    curve = precision_recall(scored)
    kinds, interferences = split(scored, "kind"), split(scored, "interference")
    both = {
        f"{kind}, {name}": _set(part, at)
        for kind, of_kind in kinds.items()
        for name, part in split(of_kind, "interference").items()
    }
    return {
        "facts": facts,
        "least_score": at,
        "compared": {name: _set(part, at) for name, part in {"linesentry": scored, **(compared or {})}.items()},
        "passed_over": list(passed_over),
        "polarity": dict(polarity or {}),
        "all": _set(scored, at),
        "by_kind": _worst_first({name: _set(part, at) for name, part in kinds.items()}),
        "by_interference": _worst_first({name: _set(part, at) for name, part in interferences.items()}),
        "by_kind_and_interference": _worst_first(both) if min(len(kinds), len(interferences)) > 1 else {},
        "by_property": {name: bins for name in PROPERTIES if (bins := _bins(scored, name, at))},
        "curve": {
            "scores": list(curve.scores),
            "recall": list(curve.recall),
            "precision": list(curve.precision),
            "average_precision": curve.average_precision,
        },
        "pictures": [_picture(one, at) for one in scored],
    }


def _set(scored: Sequence[Scored], at: float) -> dict[str, Any]:
    total = summary(scored, at)
    known = total.defects > 0  # where there is nothing to find, nothing can be said of finding it
    unknown = () if known else ("recall", "precision", "f1")
    return {
        "plates": total.plates,
        "defects": total.defects,
        "true": total.match.true,
        "missed": total.match.missed,
        "false": total.match.false,
        "fragments": total.fragments,
        "shared": total.shared,
        "recall": total.recall if known else None,
        "precision": total.precision if known else None,
        "f1": total.f1 if known else None,
        "fpb": total.fpb,
        "mdb": total.mdb,
        "intervals": {name: list(one) for name, one in total.intervals.items() if name not in unknown},
        "groups": len({one.group for one in scored}),
        "by_mask": {
            "recall": total.by_mask.recall if known else None,
            "precision": total.by_mask.precision if known else None,
        },
        "clusters": total.clusters,
        "clusters_found": total.clusters_found,
        "hidden": total.hidden,
        "hidden_found": total.hidden_found,
        "clean_called_ng": _called(clean_share(scored, at)),
        "cracked_called_ok": _called(escape_share(scored, at)),
        "inconclusive": sum(one.verdict == "INCONCLUSIVE" for one in scored),
        "inconclusive_causes": dict(Counter(one.cause or "-" for one in scored if one.verdict == "INCONCLUSIVE")),
    }


def _worst_first(sets: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By the lower of F1 and of the share of clean plates that were not called NG; of equals by F1."""

    def merit(one: dict[str, Any]) -> tuple[float, float]:
        clean, f1 = one["clean_called_ng"], 1.0 if one["f1"] is None else one["f1"]
        return min(f1, 1 - clean["share"] if clean["of"] else 1.0), f1

    return dict(sorted(sets.items(), key=lambda item: merit(item[1])))


def _called(called: Called) -> dict[str, Any]:
    plates = called.plates
    return {"count": plates.count, "of": plates.of, "share": plates.share, "groups": _share(called.groups)}


def _share(share: Share) -> dict[str, Any]:
    return {
        "count": share.count,
        "of": share.of,
        "share": share.share,
        "lower": share.lower,
        "upper": share.upper,
    }


def _bins(scored: Sequence[Scored], name: str, at: float) -> list[dict[str, Any]]:
    return [
        {
            "low": one.low,
            "high": one.high if math.isfinite(one.high) else None,
            "groups": one.groups,
            **_share(one.recall),
            "lower": one.interval[0],
            "upper": one.interval[1],
        }
        for one in by_property(scored, name, at)
    ]


def _picture(one: Scored, at: float) -> dict[str, Any]:
    found, judgement = outcome(one, at)
    return {
        "name": one.name,
        "group": one.group,
        "kind": one.kind,
        "interference": one.interference,
        "rows": one.rows,
        "columns": one.columns,
        "mm2": one.mm2,
        "verdict": one.verdict,
        "defects": len(one.judged),
        "true": judgement.match.true,
        "missed": [list(one.judged[index].box) for index in judgement.missed],
        "false": [{"box": list(found[index].box), "score": found[index].score} for index in judgement.false],
    }


# --- for a terminal ----------------------------------------------------------------------------------------------


def tables(result: dict[str, Any]) -> list[Table]:
    """The figures in short."""
    whole = result["all"]
    first = Table(title="detector, evaluated", title_justify="left")
    for words in ("", "all", "95 % interval"):
        first.add_column(words, justify="right" if words else "left", overflow="fold")
    for name, words, form in _ROWS:
        low_high = whole["intervals"].get(name)
        interval = f"{low_high[0]:{form}} - {low_high[1]:{form}}" if low_high else ""
        first.add_row(words, shown(whole[name], form), interval)
    first.add_row("missed, under another's box", f"{whole['missed']}, {whole['shared']}", "")
    first.add_row("false, fragments", f"{whole['false']}, {whole['fragments']}", "")
    masks = whole["by_mask"]
    first.add_row("R, P where pixels meet", f"{shown(masks['recall'])}, {shown(masks['precision'])}", "")
    if result["all"]["clusters"] < result["all"]["defects"]:
        first.add_row("clusters found", f"{whole['clusters_found']} of {whole['clusters']}", "")
    for key, words in (("clean_called_ng", "clean plates called NG"), ("cracked_called_ok", "cracked called OK")):
        plates, groups = whole[key], whole[key]["groups"]
        interval = f"{groups['lower']:.3f} - {groups['upper']:.3f}"
        together = groups["of"] < plates["of"]
        if plates["of"]:
            first.add_row(words, f"{plates['count']} of {plates['of']}", "" if together else interval)
        if together:
            first.add_row("  groups with such a plate", f"{groups['count']} of {groups['of']}", interval)
    if whole["inconclusive"]:
        causes = ", ".join(f"{count} {cause}" for cause, count in whole["inconclusive_causes"].items())
        first.add_row("INCONCLUSIVE", str(whole["inconclusive"]), causes)
    notes = [table_of(result["passed_over"])] if result["passed_over"] else []
    if any(one["because"] != SIMULATED for one in result["polarity"].values()):
        notes.insert(0, _polarity(result["polarity"]))
    if len(result["compared"]) > 1:
        notes.insert(0, _table("on the same pictures", result["compared"]))
    parts = dict[str, Any]()
    for name in ("by_kind", "by_interference", "by_kind_and_interference"):
        parts |= result[name] if len(result[name]) > 1 else {}
    if not parts:
        return [first, *notes]
    return [first, _table("by kind and interference, the worst first", parts), *notes]


def _polarity(sets: dict[str, Any]) -> Table:
    table = Table(title="polarity", title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for words in ("", "its cracks are", "who says so", "the recipe looks for"):
        table.add_column(words, overflow="fold")
    for name, one in sets.items():
        words = one["recipe"] if one["looked_for"] else f"{one['recipe']}: not for these"
        table.add_row(name, one["polarity"], one["because"], words)
    return table


def _table(title: str, parts: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for words in ("", "plates", "defects", "R", "P", "F1", "FPB", "MDB", "clean\nNG", "cracked\nOK"):
        table.add_column(words, justify="right" if words else "left", overflow="fold")
    for name, part in parts.items():
        shares = [f"{part[key]['count']}/{part[key]['of']}" for key in ("clean_called_ng", "cracked_called_ok")]
        values = (shown(part[key]) for key in ("recall", "precision", "f1"))
        rates = (f"{part[key]:.2f}" for key in ("fpb", "mdb"))
        table.add_row(name or "-", str(part["plates"]), str(part["defects"]), *values, *rates, *shares)
    return table


_ROWS = (
    ("plates", "plates or pictures", "d"),
    ("defects", "defects", "d"),
    ("recall", "recall R", ".3f"),
    ("precision", "precision P", ".3f"),
    ("f1", "F1", ".3f"),
    ("fpb", "false a plate FPB", ".2f"),
    ("mdb", "missed a plate MDB", ".2f"),
)


# --- as a page ---------------------------------------------------------------------------------------------------


def page(result: dict[str, Any], gallery: Gallery) -> str:
    """One HTML page that needs no other file."""
    return pages.page(
        "detector.html.j2",
        "daemon.lab.evaluate",
        result=result,
        whole=result["all"],
        shown=shown,
        names=NAMES,
        plots=[pages.svg(_curve(result)), pages.svg(_bars(result))] if result["all"]["defects"] else [],
        misses=gallery.exhibits("miss"),
        alarms=gallery.exhibits("false alarm"),
        colours={name: f"rgb({red},{green},{blue})" for name, (blue, green, red) in COLOURS.items()},
    )


def _curve(result: dict[str, Any]) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for those who want a page

    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    curve, whole = result["curve"], result["all"]
    axes.plot(curve["recall"], curve["precision"], drawstyle="steps-pre", label="over scores, with a lower floor")
    axes.plot(whole["recall"], whole["precision"], "o", label="as the detector is set")
    axes.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.02), ylim=(-0.01, 1.02))
    axes.set_title(f"average precision {curve['average_precision']:.3f}", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=8)
    return figure


def _bars(result: dict[str, Any]) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for those who want a page

    known = result["by_property"]
    figure = Figure(figsize=(3.1 * max(1, len(known)), 3.0), layout="constrained")
    for place, (name, bins) in enumerate(known.items()):
        axes = figure.add_subplot(1, len(known), place + 1)
        shares = [one["share"] for one in bins]
        below = [max(0.0, one["share"] - one["lower"]) for one in bins]
        above = [max(0.0, one["upper"] - one["share"]) for one in bins]
        axes.bar(range(len(bins)), shares, yerr=(below, above), capsize=2, color="#8fb3d9", error_kw={"lw": 0.8})
        labels = [f"{one['low']:g}-{one['high']:g}" if one["high"] else f"{one['low']:g}+" for one in bins]
        axes.set_xticks(range(len(bins)), labels, rotation=60, fontsize=7)
        axes.set_ylim(0, 1.05)
        axes.set_title(NAMES[name], fontsize=9)
        if place == 0:
            axes.set_ylabel("recall")
    return figure
