"""The distributions of feature values as a picture (the paper's figure 15)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from daemon.lab.study.measure import Record


def draw(record: Record, path: Path) -> None:
    """Draw one panel a kind of window, as SVG; the same figures give the same bytes."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to load, and only for pictures
    from matplotlib.figure import Figure  # noqa: PLC0415

    edges = np.array(record["edges"])
    kinds = record["kinds"]
    with mpl.rc_context({"svg.hashsalt": "linesentry", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 2.0 * max(1, len(kinds))), layout="constrained")
        panels = figure.subplots(max(1, len(kinds)), 1, sharex=True, squeeze=False)[:, 0]
        for panel, (name, kind) in zip(panels, kinds.items(), strict=False):
            share = np.array(kind["counts"]) / max(1, sum(kind["counts"]))
            panel.stairs(share, edges, fill=True, color="0.6")
            panel.set_yscale("log")
            panel.set_ylim(1e-6, 1)
            panel.axvline(record["floor"], color="C3", label="learnt floor")
            panel.axvline(kind["mu_3sigma"], color="C0", linestyle="--", label="mu + 3 sigma")
            panel.axvline(kind["top_fraction"], color="C1", linestyle=":", label="top 0.3 %")
            panel.set_title(f"{kind['windows']} windows {name}", fontsize="small", loc="left")
            panel.set_ylabel("share of pixels", fontsize="small")
        panels[0].legend(fontsize="small", loc="upper right")
        panels[-1].set_xlabel("feature value")
        figure.savefig(path, format="svg", metadata={"Date": None})
