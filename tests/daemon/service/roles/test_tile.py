"""The tile process, started anew while plates of several recipes lie in the plate memory."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from config.load import load_recipe
from daemon.service.roles.tile import TileProcess
from daemon.wire.messages import NumberedRecipe
from daemon.wire.plate_memory import PlateMemory
from stages.events import Place
from tests.daemon.conftest import SHAPE, plan_of


def test_a_tile_stage_that_starts_anew_takes_up_plates_of_all_recipes_that_are_in_use(tmp_path: Path) -> None:
    recipe = load_recipe("02CG")
    others = (NumberedRecipe(2, recipe.model_dump(mode="json"), {}),)
    lifeline, end = os.pipe()
    os.close(end)  # the supervisor is gone: the process ends as soon as it has started
    with closing(PlateMemory.create(SHAPE)) as memory:
        memory.open(Place(0, 1, SHAPE.columns, 2), 7)
        memory.set_rows(0, 60)
        plan = plan_of(tmp_path, "tile", lifeline, plates_fd=memory.fd)
        made: Any = TileProcess(msgspec.structs.replace(plan, incarnation=2, recipes=others))
        made.run()
        assert made._ledger.open_plates == (7,)
    os.close(lifeline)
