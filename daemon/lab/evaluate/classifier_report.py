"""The classifier's figures: as tables for a terminal, and as one self-contained HTML report with its plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from daemon.lab.data.passed_over import table_of
from daemon.lab.evaluate.classifier_gallery import Exhibits
from daemon.lab.evaluate.report import shown
from daemon.offline import pages
from models.classifier.assessment import PRECISION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("accuracy", "likelier", "precision", "recall", "f1", "specificity", "recall_at_precision")
_WORDS = {
    "likelier": "accuracy, likelier class",
    "recall_at_precision": f"recall where precision is {PRECISION:.2f}, at best",
}
_TO_REACH = "accuracy", "recall", "precision", "recall_at_precision"
_CRACK, _OTHER = "#c8553d", "#8fb3d9"


# --- for a terminal ----------------------------------------------------------------------------------------------


def tables(result: dict[str, Any]) -> list[Table]:
    """The figures in short."""
    whole, after = result["all"], result["calibration"]["after"]
    first = Table(title="classifier, evaluated", title_justify="left")
    for words in ("", "all", "95 % interval", "photographs", "simulated", "one view", "in the line"):
        first.add_column(words, justify="right" if words else "left", overflow="fold")
    columns = [result["photographs"], result["simulated"], result["one_view"]["all"], result["in_line"]["all"]]
    for name in ("pictures", "groups", "cracks"):
        first.add_row(name, str(whole[name]), "", *(str(one[name]) if one else "-" for one in columns))
    for name in FIGURES:
        first.add_row(
            _WORDS.get(name, name),
            shown(whole[name]),
            _span(whole["intervals"].get(name)),
            *(_of(one, name) for one in columns),
        )
    single, in_line = result["one_view"]["calibration"], result["in_line"]
    for name in ("weighted", "unweighted"):
        value, interval = shown(after[name]), _span(after[f"{name}_interval"])
        parts = [result[part]["calibration"] if result[part] else {} for part in ("photographs", "simulated")]
        first.add_row(
            f"{name} ECE", value, interval, *(shown(one.get(name)) for one in (*parts, single, in_line["calibration"]))
        )
    if aside := result["without_anecdotes"]:
        said = ", ".join(f"{_WORDS.get(name, name)} {shown(aside[name])}" for name in _TO_REACH)
        first.caption = f"all but {', '.join(result['facts']['anecdotes'])}: {said}"
        first.caption_justify = "left"
    latency = result["latency_ms"]
    first.add_row("ms an image", shown(latency["with_views"], ".1f"), "", "", "", shown(latency["one_view"], ".1f"), "")
    first.add_row("share asked in all views", "", "", "", "", "", shown(in_line["all_views"]))
    second = Table(title="by source, the worst first", title_justify="left", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for words in ("", "pictures", "groups", "cracks", "called", "right", "95 % interval"):
        second.add_column(words, justify="right" if words else "left", overflow="fold")
    sources = dict(result["by_source"])
    for name, one in result["left_out"].items():
        sources |= {f"{source} (left out: {name})": part for source, part in one["by_source"].items()}
    for name, part in sources.items():
        numbers = (str(part[key]) for key in ("pictures", "groups", "cracks", "called"))
        second.add_row(name, *numbers, shown(part["right"]), _span(part["interval"]))
    beside = [_beside(result)] if result["beside"] else []
    return [*beside, first, second, *([table_of(result["passed_over"])] if result["passed_over"] else [])]


def _beside(result: dict[str, Any]) -> Table:
    """Several weights on the same pictures."""
    table = Table(title="side by side, on the same pictures; below, the first alone", title_justify="left")
    table.add_column("")
    for words in side_by_side(result)[0][1:]:
        table.add_column(words, justify="right", overflow="fold")
    for row in side_by_side(result)[1:]:
        table.add_row(*row)
    return table


def side_by_side(result: dict[str, Any]) -> list[list[str]]:
    """Rows of cells, the first of them the headings: a column for each of the weights."""
    every = [result, *result["beside"]]
    facts = [one["facts"] for one in every]
    rows = [["", *(f"{one['network']} {one['weights_sha256'][:8]}" for one in facts)]]
    for part, of in (("all", "all"), ("photographs", "photographs"), ("without_anecdotes", "all but anecdotes")):
        parts = [one[part] for one in every]
        if all(parts):
            for name in _TO_REACH:
                cells = [f"{shown(one[name])} ({_span(one['intervals'].get(name)) or '-'})" for one in parts]
                rows.append([f"{of}: {_WORDS.get(name, name)}", *cells])
    errors = [one["calibration"]["after"] for one in every]
    rows.append(["weighted ECE", *(f"{shown(one['weighted'])} ({_span(one['weighted_interval'])})" for one in errors)])
    folds = [one["folds"] and one["folds"]["table"]["likelier"]["mean"] for one in every]
    rows.append(["accuracy, likelier class: mean of the folds", *(shown(one) for one in folds)])
    for name, words in (("with_views", "ms an image, all views"), ("one_view", "ms an image, one view")):
        rows.append([words, *(shown(one["latency_ms"][name], ".1f") for one in every)])
    rows.append(["pictures", *(str(one["all"]["pictures"]) for one in every)])
    return rows


def _of(part: dict[str, Any] | None, name: str) -> str:
    return "-" if part is None else shown(part[name])


def _span(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.3f} - {interval[1]:.3f}"


# --- as a page ---------------------------------------------------------------------------------------------------


def page(result: dict[str, Any], pictures: Exhibits) -> str:
    """One HTML page that needs no other file."""
    return pages.page(
        "classifier.html.j2",
        "daemon.lab.evaluate",
        result=result,
        beside=side_by_side(result) if result["beside"] else [],
        whole=result["all"],
        names=FIGURES,
        words=_WORDS,
        shown=shown,
        span=_span,
        plots={
            name: pages.svg(draw(result))
            for name, draw in {
                "confusion": _confusion,
                "reliability": _reliability,
                "histogram": _histogram,
                "counts": _counts,
            }.items()
        },
        folds=None if result["folds"] is None else pages.svg(_folds(result)),
        pictures=pictures,
    )


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # noqa: PLC0415 - only for those who want a page

    return Figure(figsize=(width, height), layout="constrained")


def _confusion(result: dict[str, Any]) -> Figure:
    whole = result["all"]
    cells = [[whole["right"], whole["false"]], [whole["missed"], whole["true"]]]
    figure = _figure(3.6, 3.2)
    axes = figure.subplots()
    rows = [max(1, sum(row)) for row in cells]
    axes.imshow(
        [[value / total for value in row] for row, total in zip(cells, rows, strict=True)], cmap="Blues", vmin=0, vmax=1
    )
    for y, row in enumerate(cells):
        for x, value in enumerate(row):
            axes.text(x, y, str(value), ha="center", va="center", color="white" if value > rows[y] / 2 else "black")
    axes.set_xticks([0, 1], ["without", "crack"])
    axes.set_yticks([0, 1], ["without", "crack"])
    axes.set(xlabel="called", ylabel="true")
    return figure


def _reliability(result: dict[str, Any]) -> Figure:
    figure = _figure(4.2, 3.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="grey", lw=0.8)
    most = max(one["count"] for one in result["reliability"]["after"])
    for name, style in (("before", "s:"), ("after", "o-")):
        bins = result["reliability"][name]
        error = result["calibration"][name]["weighted"]
        said, true = [one["said"] for one in bins], [one["true"] for one in bins]
        axes.plot(said, true, style, ms=3, lw=1, label=f"{name} calibration, ECE {error:.3f}")
        if name == "after":
            sizes = [10 + 120 * one["count"] / most for one in bins]
            axes.scatter(said, true, sizes, color="#8fb3d9", alpha=0.5)
    axes.set(xlabel="probability of a crack", ylabel="share that shows one", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    axes.legend(loc="upper left", fontsize=7)
    axes.grid(alpha=0.3)
    return figure


def _histogram(result: dict[str, Any]) -> Figure:
    figure = _figure(4.6, 3.2)
    axes = figure.subplots()
    found = result["histogram"]
    edges = [(index + 0.5) / len(found["crack"]) for index in range(len(found["crack"]))]
    width = 0.42 / len(edges)
    axes.bar([x - width / 2 for x in edges], found["without_crack"], width, label="without", color=_OTHER)
    axes.bar([x + width / 2 for x in edges], found["crack"], width, label="crack", color=_CRACK)
    axes.axvline(result["facts"]["threshold"], color="black", lw=0.8, ls="--", label="threshold")
    axes.set_yscale("symlog", linthresh=1)
    axes.set(xlabel="probability of a crack", ylabel="pictures", xlim=(0, 1))
    axes.legend(fontsize=7)
    return figure


def _counts(result: dict[str, Any]) -> Figure:
    figure = _figure(3.4, 3.2)
    axes = figure.subplots()
    known = result["counts"]
    for shift, name, colour in ((-0.2, "true", _OTHER), (0.2, "called", _CRACK)):
        values = [known["pictures"] - known[name], known[name]]
        bars = axes.bar([0 + shift, 1 + shift], values, 0.38, label=name, color=colour)
        axes.bar_label(bars, fontsize=7)
    axes.set_xticks([0, 1], ["without", "crack"])
    axes.set_ylabel("pictures")
    axes.legend(fontsize=7)
    return figure


def _folds(result: dict[str, Any]) -> Figure:
    figure = _figure(3.8, 3.2)
    axes = figure.subplots()
    folds = result["folds"]["folds"]
    values = [100 * one["likelier"] for one in folds]
    of = result["folds"]["of"]
    axes.bar([one["fold"] for one in folds], values, color=_OTHER)
    mean = "mean" if len(folds) == of else f"mean of {len(folds)} of {of} folds"
    axes.axhline(100 * result["folds"]["table"]["likelier"]["mean"], color="black", lw=0.8, ls="--", label=mean)
    axes.set_xticks(range(1, of + 1))
    axes.set(xlabel="fold", ylabel="accuracy of the likelier class, %", ylim=(max(0, min(values) - 5), 100))
    axes.set_xlim(0.5, of + 0.5)
    axes.legend(fontsize=7)
    return figure
