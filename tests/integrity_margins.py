"""The worst clean value and the mildest fault's of each measure of a camera's faults.

Clean are stretches of all four products, under each disturbance too, and windows of the two other families. The table
of docs/decisions/0035-integrity.md is the output of `python -m tests.integrity_margins`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from config.schema import Windows
from models.detector.integrity import ALTERNATING, BROKEN, EXCESS, LEAPS, NOISE, SCATTERED, STUCK
from models.detector.traces import alternation, bits_of, break_of, sampled, scatter, whiteness_of
from simulator.crops import other_formulas, wild
from simulator.line import garbled
from simulator.sheets.interference import Kind
from simulator.sheets.products import PRODUCTS
from simulator.sheets.sheet import render
from stages.plate import windows_of

Image = NDArray[np.uint8]
DISTURBED: tuple[tuple[Kind, ...], ...] = ((), (), ("oil",), ("noise",), ("light",), ("oil", "noise", "light"))
KINDS = ("shifted", "negative", "gain")


def words_of(lines: Image) -> Image:
    """Four words of 8 px of each line, as a window takes them."""
    places = [place * (lines.shape[1] - 8) // 7 for place in range(0, 8, 2)]
    return np.ascontiguousarray(np.stack([lines[:, at : at + 8] for at in places], axis=1))


def measures(picture: Image) -> Iterator[dict[str, float]]:
    """The measures of each window."""
    rows, columns = picture.shape
    for window in windows_of(rows, columns, Windows()):
        if min(window.width, window.height) < 128:
            continue
        part = picture[window.y : window.y + window.height, window.x : window.x + window.width]
        found = dict.fromkeys(("alternating rows", "alternating columns", "scattered", "excess", "leaps", *KINDS), 0.0)
        found |= {"whiteness": 0.0, "follows": 1.0}
        for along, lines in (("rows", part), ("columns", part.T)):
            seen = sampled(words_of(lines))
            if seen is None:
                continue
            found["whiteness"] = max(found["whiteness"], whiteness_of(seen))
            found[f"alternating {along}"] = alternation(seen)[0]
            apart, within, _ = scatter(seen)
            found["scattered"] = max(found["scattered"], apart if within <= 0.3 else 0.0)
            if along == "rows":
                bits = bits_of(seen)
                found |= {"excess": bits.excess[0], "follows": bits.follows[0], "leaps": bits.leaps}
            at = break_of(seen, lines)
            if at is not None and at.kind:
                found[at.kind] = max(found[at.kind], at.share)
        if found["whiteness"] == 0:
            found["whiteness"] = inf
        yield found


def clean(count: int) -> Iterator[tuple[str, Image]]:
    """Clean pictures: of each product `count` stretches, and of each other family ten windows."""
    for name, product in PRODUCTS.items():
        for number in range(count):
            kinds = DISTURBED[number % len(DISTURBED)]
            sheet = render(replace(product, rows=1900, end_share=0.0), 8000 + number, 0, interference=kinds)
            yield name, sheet.image
    rng = np.random.default_rng(8)
    for _ in range(10):
        yield "wild", wild.training_window(rng, 650)[0]
        yield "other formulas", other_formulas.training_window(rng, 650)[0]


FAULTS = {
    "whiteness": garbled.NOISE,
    "excess": {name: how for name, how in garbled.FAULTY_BIT.items() if "noise" in name or "turns" in name},
    "follows": {name: how for name, how in garbled.FAULTY_BIT.items() if " is 0" in name or " is 1" in name},
    "leaps": {"bit 7 is noise": garbled.FAULTY_BIT["bit 7 is noise"]},
    "alternating rows": {"every second row shifted": garbled.ROWS_MISPLACED["every second row shifted"]},
    "scattered": {"each row shifted by chance": garbled.ROWS_MISPLACED["each row shifted by chance"]},
    "shifted": {
        name: {**garbled.ROWS_MISPLACED, **garbled.COLUMNS_MISPLACED}[name]
        for name in ("rows shifted by 400", "two taps swapped")
    },
    "negative": garbled.NEGATIVE,
    "gain": garbled.GAIN_JUMPS,
}
LIMITS = {"whiteness": NOISE, "excess": EXCESS, "follows": STUCK, "leaps": LEAPS, "scattered": SCATTERED, **BROKEN} | {
    f"alternating {along}": limits[0] for along, limits in ALTERNATING.items()
}


def main() -> None:
    """Print the table; the number of stretches of each product is the first argument, 6 without one."""
    worst: dict[str, tuple[float, str]] = {}
    mildest: dict[str, dict[str, float]] = defaultdict(dict)
    falls = {"whiteness", "follows"}
    for name, picture in clean(int(sys.argv[1]) if len(sys.argv) > 1 else 6):
        for found in measures(picture):
            for key, value in found.items():
                beyond = key not in worst or (value < worst[key][0] if key in falls else value > worst[key][0])
                worst[key] = (value, name) if beyond else worst[key]
    base = render(replace(PRODUCTS["P10B"], rows=1800, columns=1300, end_share=0.0), 8100, 0).image
    for key, kinds in FAULTS.items():
        for name, how in kinds.items():
            picture = base.copy()
            how(picture, np.random.default_rng(1))
            values = [found[key] for found in measures(picture)]
            mildest[key][name] = min(values) if key in falls else max(values)
    print("| measure | worst clean value | limit | mildest fault |\n|---|---|---|---|")  # noqa: T201 - it is its output
    for key, (value, name) in worst.items():
        faults = sorted(mildest[key].items(), key=lambda one: one[1], reverse=key in falls)
        fault = f"{faults[0][1]:.3g} ({faults[0][0]})" if faults else ""
        print(f"| {key} | {value:.3g} ({name}) | {LIMITS[key]:g} | {fault} |")  # noqa: T201


if __name__ == "__main__":
    main()
