"""The sheets and folders that an order of the lab names, checked before anything is computed."""

from __future__ import annotations

from daemon.lab.data.folders import Choice, folder
from daemon.lab.data.pictures import Source, SourceError, simulated
from daemon.lab.data.strangers import is_family, strangers
from daemon.lab.orders import EvaluateDetector
from models.training.learnt_groups import UNKNOWN, LearntGroups
from simulator.sheets.order import FAMILIES
from simulator.sheets.products import PRODUCTS


def sources_of(order: EvaluateDetector, learnt: LearntGroups = UNKNOWN) -> list[Source]:
    """What to evaluate on, with weights that learnt from those groups.

    Raises:
        SourceError: nothing was named, or something that cannot be used.
    """
    made = list[Source]()
    for name in [part.strip() for one in order.simulate for part in one.split(",") if part.strip()]:
        if is_family(name):
            if tuple(order.interference) != ("none",):
                raise SourceError(f"--interference is for products: {name} has oil and light of its own")
            made += strangers(name, order.plates, seed=order.seed, cracks=order.density)
            continue
        if name not in PRODUCTS:
            raise SourceError(
                f"product {name!r} is unknown; there are {', '.join(PRODUCTS)}, and the families {', '.join(FAMILIES)}"
            )
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
    choice = Choice(
        order.enlarge,
        order.contrast,
        order.all_groups,
        LearntGroups(None) if learnt is None else learnt,
        order.polarity,
    )
    made += [folder(path, choice) for path in order.data]
    if not made:
        raise SourceError("nothing to evaluate on was named: give --data FOLDER, --simulate PRODUCT, or both")
    return made
