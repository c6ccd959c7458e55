"""The sheets and folders that an order of the lab names, checked before anything is computed."""

from __future__ import annotations

from daemon.lab.data.folders import folder
from daemon.lab.data.pictures import Source, SourceError, simulated
from daemon.lab.orders import EvaluateDetector
from simulator.sheets.products import PRODUCTS


def sources_of(order: EvaluateDetector) -> list[Source]:
    """What to evaluate on.

    Raises:
        SourceError: nothing was named, or something that cannot be used.
    """
    made = []
    for name in [part.strip() for one in order.simulate for part in one.split(",") if part.strip()]:
        if name not in PRODUCTS:
            raise SourceError(f"product {name!r} is unknown; there are {', '.join(PRODUCTS)}")
        made.append(
            simulated(
                PRODUCTS[name],
                order.plates,
                seed=order.seed,
                density=order.density,
                interference=order.interference,
                strength=order.strength,
            )
        )
    made += [
        folder(path, enlarge=order.enlarge, contrast=order.contrast, all_groups=order.all_groups) for path in order.data
    ]
    if not made:
        raise SourceError("nothing to evaluate on was named: give --data FOLDER, --simulate PRODUCT, or both")
    return made
