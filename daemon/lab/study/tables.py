"""The study as a page: one table an experiment from the kept figures, and a picture of the distributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from daemon.lab.study.experiments import EXPERIMENTS, Experiment, Row
from daemon.lab.study.findings import figures_of, judged, of_distributions, of_fractions, records_of
from daemon.lab.study.measure import Record
from daemon.lab.study.summary import ten_lines

Records = Mapping[str, Record]
"""By key: scale/experiment/variant/seed."""
_SCALES = {
    "small": "sheets of 3,300 rows, about a sixth of a whole one; the committed test seeds of 02CG and EA10B",
    "full": "whole sheets; the committed test seeds of 02CG and EA10B",
}
_INTRODUCTION = (
    "Made by `linesentry study`, which runs what is missing and keeps each figure in the JSON file beside this page; "
    "`linesentry study --render` writes the page. Every figure is of simulated sheets "
    "(simulator/sheets/reference.yaml) of 02CG and EA10B, products that no network was trained on; the levels below "
    "were chosen on sheets of P10B and U20B."
)
_FLATTERING = (
    "Some settings of the shipped detector were weighed on sheets of 02CG and EA10B, though, so its figures here are "
    "somewhat flattering: the first floor and how far a restless window raises it (`spread`), on stretches of their "
    "sheets (the model card; the floor has been learnt on P10B and U20B since, `spread` stands); the shape of a "
    "region, how far it grows and what tells a restless window (docs/decisions/0011), likewise; which trainings were "
    "kept (0012), on the committed test seeds themselves; what the press repeats (0021), on their clean sheets. The "
    "160 px that are seen around a swath of windows were chosen on sheets of other makers (0041). Networks that are "
    "trained here share all of these but the floor and the training."
)
_HOW_TO_READ = (
    "R, P and F1 with 95 % intervals by resampling sheets; FPB and MDB are false and missed ones a sheet. A pair "
    "matches when its boxes intersect, one to one; a second box on one crack counts false and is named a fragment. "
    "What the paper says counts as found here, or as otherwise, where a share differs by more than 0.02 and the 95 % "
    "interval of the difference, by resampling the sheets of both together, leaves out 0; and as about the same where "
    "that interval lies within 0.02. It tells of other sheets, not of another training: most are of one seed. "
    "`level` is what was chosen on sheets of P10B and U20B, where there was a choice. `trained` is processor time, one "
    "thread. M numbers are lines of the paper's text."
)
_FIGURE_15 = (
    "All windows of the sheets by what they show. The paper describes two peaks, background and foreground, and a "
    "sharp peak where a plate's edge shows repeated background. Shares and thresholds are means over windows."
)
_FIGURE_16 = (
    "The top share of each window's values, with the published opening: on all windows of the sheets, joined across "
    "seams, and on the windows that hold a crack alone, as the paper shows one picture of 13 defects."
)
_COLUMNS = "variant|seed|R|P|F1|FPB|MDB|TP / FP / FN|of FP fragments|level|trained|steps|images|done"
_PUBLISHED_FRACTIONS = {"0.001": "2 / 0 / 11", "0.003": "11 / 3 / 2", "0.005": "11 / 4 / 2", "0.01": "13 / 12 / 0"}
"""TP / FP / FN on one picture with 13 defects (M 167; of the last one the text swaps FP and FN)."""


def write(records: Records, file: Path) -> list[Path]:
    """Write the page and the picture beside the JSON file; their paths."""
    file.parent.mkdir(parents=True, exist_ok=True)
    page, picture = file.with_suffix(".md"), file.with_name(f"{file.stem}_distributions.svg")
    scales = [scale for scale in _SCALES if any(key.startswith(f"{scale}/") for key in records)] or ["small"]
    drawn = next((found for scale in scales if (found := records.get(f"{scale}/figures/distributions/0"))), None)
    if drawn is not None:
        from daemon.lab.study.picture import draw  # noqa: PLC0415 - brings matplotlib

        draw(drawn, picture)
    page.write_text(_page(records, scales, picture.name if drawn is not None else None))
    return [page, picture] if drawn is not None else [page]


def _page(records: Records, scales: Sequence[str], picture: str | None) -> str:
    by_scale = {
        scale: {key.removeprefix(f"{scale}/"): record for key, record in records.items() if key.startswith(f"{scale}/")}
        for scale in scales
    }
    lines = [
        "# The paper's experiments, on simulated sheets",
        "",
        *ten_lines(by_scale),
        "",
        _INTRODUCTION,
        "",
        _FLATTERING,
        "",
        _HOW_TO_READ,
        "",
    ]
    for scale, own in by_scale.items():
        lines += [f"## Scale {scale}: {_SCALES[scale]}", ""]
        for experiment in EXPERIMENTS:
            lines += _table(experiment, own)
        lines += _distributions(own.get("figures/distributions/0"), picture)
        lines += _fractions(own.get("figures/fractions/0"))
    return "\n".join(lines).rstrip() + "\n"


# --- one experiment --------------------------------------------------------------------------------------------------


def _table(experiment: Experiment, records: Records) -> list[str]:
    published = any(row.published for row in experiment.rows)
    columns = _COLUMNS.split("|") + (["published"] if published else [])
    lines = [f"### {experiment.title}", "", experiment.text, "", *_head(columns)]
    used: list[Record] = []
    for row in experiment.rows:
        found = records_of(records, row.cell)
        used += found
        rows = [_figures(row, record) for record in found] or [[row.label, "", "not run", *[""] * 11]]
        lines += [_line([*cells, row.published] if published else cells) for cells in rows]
    lines += ["", *_made(used), *_uneven(used)]
    measured = figures_of(records)
    lines += [judged(finding, measured).line() for finding in experiment.findings]
    return [*lines, ""]


def _head(columns: Sequence[str]) -> list[str]:
    return [_line(columns), _line(["---"] * len(columns))]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figures(row: Row, record: Record) -> list[str]:
    trained = record.get("training_seconds")
    return [
        row.label,
        str(record["seed"]) if trained is not None else "",
        *(_share(record, name) for name in ("recall", "precision", "f1")),
        f"{record['fpb']:.2f}",
        f"{record['mdb']:.2f}",
        f"{record['true']} / {record['false']} / {record['missed']}",
        str(record["fragments"]),
        ", ".join(f"{part:g}" for part in record["level"]),
        "" if trained is None else f"{trained / 60:.1f} min",
        "" if trained is None else f"{record['steps']:,}",
        f"{record['images']} ({record['mpx']:,.0f} Mpx, {record['cracks']} cracks)",
        record["date"].removesuffix(" UTC"),
    ]


def _share(record: Record, name: str) -> str:
    interval = record["intervals"].get(name)
    return f"{record[name]:.3f}" + (f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else "")


def _made(used: Sequence[Record]) -> list[str]:
    """Where the figures come from."""
    if not used:
        return []
    weights = sorted({record["weights_sha256"] for record in used if record.get("weights_sha256")})
    crops = sorted({f"{record['crops']} of {record['crop_px']} px" for record in used if record.get("crops")})
    parts = [
        f"Scale {used[0]['scale']}",
        "; ".join(sorted({f"`{record['command']}`" for record in used})),
        "; ".join(sorted({record["machine"] for record in used})),
    ]
    if weights:
        parts.append("weights " + ", ".join(f"sha256 {one[:16]}" for one in weights))
    if classifiers := sorted({record["classifier_sha256"] for record in used if record.get("classifier_sha256")}):
        parts.append("classifier " + ", ".join(f"sha256 {one[:16]}" for one in classifiers))
    if crops:
        parts.append("training crops: " + ", ".join(crops))
    return [". ".join(parts) + ".", ""]


def _uneven(used: Sequence[Record]) -> list[str]:
    """A word of warning where figures of one table should not be compared."""
    lines = []
    times = {record["minutes"] for record in used if "minutes" in record}
    if len(times) > 1:
        lines += ["**The trained ones did not have equal time: their figures must not be compared.**", ""]
    if len({record["weights_sha256"] for record in used if record.get("weights_sha256")}) > 1:
        lines += ["**Figures of different weights stand together: run the study again.**", ""]
    return lines


# --- the figures -----------------------------------------------------------------------------------------------------


def _distributions(record: Record | None, picture: str | None) -> list[str]:
    lines = [
        "### Figure 15: distribution of feature values",
        "",
        _FIGURE_15,
        "",
        *_head(["windows", "number", "mu + 3 sigma", "top 0.3 % from", "beyond the learnt floor", "upper component"]),
    ]
    if record is None:
        return [*lines, _line(["not run", *[""] * 5]), ""]
    for name, kind in record["kinds"].items():
        lines.append(
            _line(
                [
                    name,
                    str(kind["windows"]),
                    f"{kind['mu_3sigma']:.2f}",
                    f"{kind['top_fraction']:.2f}",
                    f"{100 * kind['beyond_floor']:.3f} %",
                    f"{100 * kind['upper_share']:.1f} % of the pixels",
                ]
            )
        )
    lines += ["", *_made([record])]
    lines += [one.line() for one in of_distributions(record)]
    if picture is not None:
        lines += ["", f"![Distribution of feature values]({picture})"]
    return [*lines, ""]


def _fractions(record: Record | None) -> list[str]:
    columns = [
        "top share",
        "sheets: TP / FP / FN",
        "R",
        "P",
        "windows with a crack: TP / FP / FN",
        "R",
        "P",
        "published",
    ]
    lines = [
        "### Figure 16: sensitivity to the threshold",
        "",
        _FIGURE_16,
        "",
        *_head(columns),
    ]
    for fraction, published in _PUBLISHED_FRACTIONS.items():
        label = f"{100 * float(fraction):g} %"
        if record is None:
            lines.append(_line([label, "not run", *[""] * 5, published]))
            continue
        cells = [label]
        for kind in ("sheets", "cracked_windows"):
            one = record[kind][fraction]
            cells += [
                f"{one['true']} / {one['false']} / {one['missed']}",
                f"{one['recall']:.3f}",
                f"{one['precision']:.3f}",
            ]
        lines.append(_line([*cells, published]))
    if record is None:
        return [*lines, ""]
    lines += ["", *_made([record])]
    lines += [
        *(one.line() for one in of_fractions(record)),
        "- On whole sheets every share is wrong in most windows, for most hold no crack: see P on the left.",
    ]
    return [*lines, ""]
