"""The watch over the optics in the record process: kept in the result store, its alarms told and noted there."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from config.schema import Config, Recipe
from daemon.store.optics import keep_optics, kept_optics, note_optics, optics_kept_at
from daemon.store.optics_picture import draw_profiles, keep_picture
from daemon.store.results import Store, StoreError
from models.optics.flat_field import FlatFieldError, read
from stages.events import PlateDecided
from stages.optics import Kept, OpticalFault, OpticsState, OpticsWatch
from stages.recipes import FIRST

_KEEP_EVERY = 20
"""Plates after which what is known is stored; so many are forgotten, at most, when the process dies."""


class OpticsKeeper:
    """Asks the watch about each plate once, however often its verdict is written.

    A store that fails costs no verdict here: what could not be kept is kept later, or learnt anew.
    """

    def __init__(self, config: Config, recipe: Recipe, run: str) -> None:
        self._limits, self._recipe, self._run = config.optics, recipe, run
        self._product = product_of(config, recipe)
        self._first = recipe.columns.first if recipe.columns else 0
        self._watch: OpticsWatch | None = None
        self._last: tuple[int, OpticsState | None] | None = None
        self._untold: list[tuple[int, OpticalFault, OpticsState]] = []
        """Alarms that began or ended with a plate, until its verdict is out."""
        self._unkept = 0
        self._kept_at: datetime | None = None
        """When this watch was stored last: a store that says otherwise was told to forget it."""
        self._log = structlog.get_logger()

    def serves(self, config: Config, recipe: Recipe) -> bool:
        """Whether plates of that recipe are of the same product, length and columns."""
        same = (recipe.length, recipe.columns) == (self._recipe.length, self._recipe.columns)
        return same and product_of(config, recipe) == self._product

    def take(self, store: Store, decided: PlateDecided) -> OpticsState | None:
        """How the optics are after this plate; None where it says nothing of them."""
        plate = decided.result.plate
        if self._last is not None and self._last[0] == plate:
            return self._last[1]
        self._take_up(store)
        assert self._watch is not None
        before = self._watch.kept.faults
        state = self._watch.take(decided.result, decided.profile)
        self._last = (plate, state)
        if state is None:
            return None
        self._unkept += 1
        self._untold += [
            (plate, fault, state) for fault in OpticalFault if (fault in state.faults) != (fault in before)
        ]
        return state

    def keep(self, store: Store | None, *, now: bool = False) -> None:
        """What no verdict is to wait for: tell alarms that began or ended, and store what is known if it is time to."""
        if store is None or self._watch is None:
            return
        for plate, fault, state in self._untold:
            self._tell(store, plate, fault, state)
        self._untold.clear()
        if self._unkept < (1 if now else _KEEP_EVERY):
            return
        try:
            self._kept_at = keep_optics(store, self._product, msgspec.msgpack.encode(self._watch.kept))
        except StoreError as error:
            self._log.warning("what is known of the optics could not be kept", error=str(error))
        self._unkept = 0

    def _take_up(self, store: Store) -> None:
        """Go on from what the store keeps, at the start, and where somebody has had it forget the reference."""
        try:
            at = optics_kept_at(store, self._product)
        except StoreError as error:
            self._log.warning("what is known of the optics cannot be read", error=str(error))
            at = self._kept_at
        if self._watch is not None and at == self._kept_at:
            return
        if self._watch is not None:
            self._log.info("the reference of the optics is learnt anew")
        self._watch, self._kept_at = OpticsWatch(self._limits, self._recipe, self._from(store)), at

    def _from(self, store: Store) -> Kept | None:
        try:
            stored = kept_optics(store, self._product)
            return None if stored is None else msgspec.msgpack.decode(stored, type=Kept)
        except (StoreError, msgspec.MsgspecError) as error:
            self._log.warning("what was known of the optics cannot be read: it is learnt anew", error=str(error))
            return None

    def _tell(self, store: Store, plate: int, fault: OpticalFault, state: OpticsState) -> None:
        words = said_of(fault, state, self._first)
        if fault in state.faults:
            picture = self._draw(store.path.parent, plate, fault, words)
            self._log.warning("the optics have changed", plate=plate, fault=fault, found=words, picture=picture)
        else:
            self._log.info("the optics are well again", plate=plate, fault=fault, found=words)
        try:
            note_optics(
                store, self._run, plate, f"{fault}: {words}" if fault in state.faults else f"{fault}: well again"
            )
        except StoreError as error:
            self._log.warning("an alarm of the optics could not be noted", error=str(error))

    def _draw(self, state: Path, plate: int, fault: OpticalFault, words: str) -> str | None:
        """Keep a picture of the light over the columns; its path, None where it could not be written."""
        assert self._watch is not None
        picture = draw_profiles(*self._watch.profiles, self._first, f"{fault}, plate {plate}: {words}")
        try:
            return str(keep_picture(state, f"{plate:08d}-{fault.replace(' ', '-')}", picture))
        except OSError as error:
            self._log.warning("a picture of the optics could not be written", error=str(error))
            return None


class OpticsOfRecipes:
    """The watches over the optics, one for each product of the loaded recipes, by the numbers of those."""

    def __init__(self, config: Config, recipe: Recipe, run: str) -> None:
        self._config, self._run = config, run
        self._keepers = {FIRST: OpticsKeeper(config, recipe, run)}

    def load(self, number: int, recipe: Recipe, store: Store | None) -> None:
        """Watch over a further recipe's plates: with those of the same product, or from what is stored of it."""
        self.keep(store, now=True)
        same = (one for one in self._keepers.values() if one.serves(self._config, recipe))
        self._keepers[number] = next(same, None) or OpticsKeeper(self._config, recipe, self._run)

    def forget(self, number: int, store: Store | None) -> None:
        """All its plates are final."""
        self._keepers.pop(number).keep(store, now=True)

    def take(self, store: Store, decided: PlateDecided) -> OpticsState | None:
        """How the optics are after this plate; None where it says nothing of them."""
        # Of a recipe that is forgotten only a plate is said again whose verdict is committed.
        keeper = self._keepers.get(decided.recipe or FIRST)
        return None if keeper is None else keeper.take(store, decided)

    def keep(self, store: Store | None, *, now: bool = False) -> None:
        """As each of them does."""
        for keeper in {id(one): one for one in self._keepers.values()}.values():
            keeper.keep(store, now=now)


def product_of(config: Config, recipe: Recipe) -> str:
    """What references are kept for: a recipe under a flat field, for another one makes another picture."""
    flat = config.camera.flat_field
    if flat is None:
        return recipe.name
    try:
        return f"{recipe.name}, flat field {read(flat, config.camera.width).sha256[:16]}"
    except FlatFieldError:  # acquire refuses it
        return recipe.name


def said_of(fault: OpticalFault, state: OpticsState, first: int = 0) -> str:
    """The change in words; `first` is the camera column of a plate's first."""
    change = state.changes.get(fault)
    if change is None or (fault is OpticalFault.DUST and not state.dust):
        return "nothing is known" if change is None else "no column is darker than those around it"
    share = f"{abs(change):.1%}"
    words = {
        OpticalFault.LIGHT: f"{share} {'darker' if change > 0 else 'brighter'} than the reference",
        OpticalFault.UNEVEN: f"some columns changed by {share} against others",
        OpticalFault.FOCUS: f"{share} {'less' if change > 0 else 'more'} than the reference",
        OpticalFault.LENGTH: f"plates are {abs(change):.2%} {'longer' if change > 0 else 'shorter'} than nominal",
    }
    if fault is OpticalFault.DUST:
        worst = state.dust[0]
        return f"{share} of the light is missing in camera columns {first + worst.first} to {first + worst.last - 1}"
    return words[fault]
