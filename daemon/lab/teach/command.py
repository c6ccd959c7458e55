"""The command `linesentry teach`: from sheets called good to a recipe, its weights and a report."""

from __future__ import annotations

from config.assignments import parse_overrides
from config.errors import ConfigError
from config.load import load_config, load_recipe, with_overrides
from config.schema import Recipe
from daemon.lab.orders import Teach
from daemon.lab.progress import Teller
from daemon.lab.teach.folder import Folder
from daemon.lab.teach.kept import kept_sheets
from daemon.lab.teach.recipe import taught_recipe
from daemon.lab.teach.sheets import Sheet, TeachError, sheets_of
from daemon.lab.teach.teaching import Teaching
from daemon.telemetry.printing import SafeConsole, say
from models.classifier.errors import ClassifierError
from models.detector.detector import DetectorError

_OF_TRAINING = (ValueError, RuntimeError)
"""A damaged checkpoint; a source of crops that ended."""


def teach_command(order: Teach) -> None:
    """Teach, and say in three lines what was won.

    Raises:
        SystemExit: 2 when something asked for cannot be used or the time is too short, 130 after Ctrl-C; both with a
            line on stderr, and with nothing at --out.
    """
    folder: Folder | None = None
    try:
        recipe = _base(order)
        taught_recipe(recipe, order.out, order.name)  # a name that cannot be is told before anything is done
        sheets = _sheets(order, recipe)
        folder = Folder(order.out)
        with Teller("linesentry teach", SafeConsole(stderr=True)) as teller:
            lines = Teaching(order, recipe, sheets, folder, teller).run()
    except KeyboardInterrupt:
        kept = folder is not None and folder.give_up()
        rest = f"the same command goes on from {folder.part}" if kept and folder else "nothing was written"
        say(f"linesentry teach: interrupted; {rest}")
        raise SystemExit(130) from None
    except (TeachError, ConfigError, DetectorError, ClassifierError, OSError, MemoryError, *_OF_TRAINING) as error:
        if folder is not None:
            folder.give_up()
        say(f"linesentry teach: {error or 'not enough memory'}")
        raise SystemExit(2) from error
    for line in lines:
        print(line)  # noqa: T201 - the command's answer


def _base(order: Teach) -> Recipe:
    recipe = load_recipe(order.base)
    if recipe.threshold.mode != "adaptive":
        raise TeachError(
            f"recipe {recipe.name} has threshold.mode {recipe.threshold.mode}, which knows no learnt floor: teach from "
            "one with mode adaptive"
        )
    return recipe


def _sheets(order: Teach, recipe: Recipe) -> list[Sheet]:
    if not order.from_results:
        if not order.images:
            raise TeachError("name 8 to 30 images of sheets that were called good, or --from-results")
        return sheets_of(order.images, recipe, order.bits)
    if order.images:
        raise TeachError("name images or --from-results, not both")
    config = load_config(order.config)
    if order.state is not None:
        config = with_overrides(config, parse_overrides([f"state_directory={order.state}"]))
    return sheets_of(kept_sheets(config, order.last), recipe, order.bits or config.camera.bits)
