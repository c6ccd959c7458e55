"""Everything a classifier learns from or is measured on: photographs, simulated crops, cracks painted on metal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from daemon.lab.data.alarms import alarms
from daemon.lab.data.hard_negatives import HARD_NEGATIVE, PER_STRETCH, hard_negatives
from daemon.lab.data.passed_over import UNUSABLE, PassedOver
from daemon.lab.progress import OnProgress
from daemon.telemetry.printing import say
from models.training.classifier.batches import PARTS, Renewal
from models.training.classifier.examples import DataError, Example, groups_of, listed_in, read_folder
from models.training.learnt_groups import LEARNT, UNKNOWN, LearntGroups
from models.training.photographs import Photograph, unnamed
from simulator.crops.classifier import TEST_PRODUCTS, Cut, test_crops, training_crops
from simulator.crops.cut import TRAINING_PRODUCTS, paint_on_metal, scratch_on_metal
from simulator.crops.grain import off_grain
from simulator.crops.wild import disturbance_of
from simulator.sheets.products import PRODUCTS

PAINTED = "painted"
"""Class of photographs without a crack on which one was painted."""
_PAINTED_SHARE = 0.15
"""Of the simulated crops, so many more are painted on photographs;"""
_SCRATCHED_SHARE = 0.5
"""of which so many with a scratch, thin and often long, in place of cracks."""
_HARD_NEGATIVE_SHARE = 0.1
"""So many more are what the detector takes for a crack on sheets without one."""
_ALARM_SHARE = 0.4
"""So many more are what the detector reports on every family's pictures, half of them on cracks. Drawn by the roots of
their sources' sizes, as all are, they are a quarter of what is learnt from."""
_PER_TEST_SHEET = 3
"""Few, so that those of a test are of many sheets: crops of one sheet are alike, and count as one group."""
_FIRST_HARD_NEGATIVE = 7_000_000
"""Seed of their sheets, to train on and, from a million further, to test on."""
_RENEWED_SEEDS = 100_000
"""Parts of renewed examples of one seed; their sheets and windows are none that any training begins with."""
_LEAST_PIXELS, _LEAST_HEIGHT, _LEAST_TO_GROUND = 120, 14.0, 4.0
"""Of a painted crack: so many px that are so much brighter than the metal was, grey levels and spreads of the metal."""
_TRIES = 20
"""To paint each, on average: two are enough on most metal, and on metal as rough as it is bright none succeeds."""


def say_what_is_not_learnt(folders: Sequence[Path], examples: Sequence[Example]) -> None:
    """On stderr: pictures in the folders that are no examples, and those that are kept for tests."""
    for data in folders:
        if strays := unnamed(data, listed_in(data)):
            say(
                f"linesentry train: {len(strays)} pictures in {data} are passed over, {strays[0].name} the first: give "
                "them a row in manifest.csv, or a place in crack/ or without_crack/"
            )
    photographs = [one for one in examples if not one.simulated]
    if tests := sum(one.test for one in photographs):
        say(f"linesentry train: {tests} of {len(photographs)} photographs are of groups that are kept for tests")


@dataclass(frozen=True, slots=True)
class Judged:
    """Which groups weights are judged on; several on the same."""

    learnt: tuple[LearntGroups, ...] = (UNKNOWN,)
    """Of each of the weights."""
    left_out: tuple[str, ...] = ()
    """Sets that they were not trained on, by their card."""
    all_groups: bool = False

    def holds(self, group: str) -> bool:
        """Whether pictures of it are judged."""
        return self.passed_over(group) is None

    def passed_over(self, group: str) -> str | None:
        """Why they are not; None: they are."""
        if self.all_groups:
            return None
        if any(one.holds(group) for one in self.learnt):
            return LEARNT
        collection = group.split("/", 1)[0]
        if collection in (*self.left_out, *TEST_PRODUCTS):
            return None
        return next((why for one in self.learnt if (why := one.passed_over(group)) is not None), None)


def training_examples(folders: Sequence[Path], simulated: int, seed: int, report: OnProgress) -> list[Example]:
    """Photographs of folders (test groups among them, marked), simulated crops of the training products and families.

    Crops in a folder that were cut of a test product's sheets are for tests, whatever their group's hash.

    Raises:
        DataError: a folder that cannot be used, or nothing to learn from.
    """
    examples = _photographs(folders, lambda _group: True, report)
    clean = [one for one in examples if not one.crack and not one.test]
    made = [
        _example(cut, number, test=False)
        for number, cut in _reported(training_crops(seed, simulated), simulated, report)
    ]
    made += _hard_negatives(TRAINING_PRODUCTS, _FIRST_HARD_NEGATIVE + 1000 * seed, simulated, report, test=False)
    made += _alarms(seed, simulated, report)
    painted = _painted(clean, round(_PAINTED_SHARE * simulated) if clean else 0, seed)
    if not (found := [*examples, *made, *painted]):
        raise DataError("there is nothing to learn from: give --data FOLDER, --simulated N, or both")
    return found


def renewal_of(simulated: int, seed: int, training: Sequence[Example]) -> Renewal:
    """New simulated examples without end: crops of new sheets and windows, and cracks painted on clean photographs.

    Args:
        simulated: crops of `training_examples`.
        seed: of the training.
        training: what is learnt from; cracks are painted on its photographs without any. What the detector takes for a
            crack stays: it is dear to find.
    """
    grounds = [one for one in training if not one.crack and not one.simulated]

    def renewed(part: int) -> list[Example]:
        own = _RENEWED_SEEDS * (seed + 1) + part
        cuts = training_crops(own, simulated // PARTS)
        made = [_example(cut, number, test=False) for number, cut in enumerate(cuts)]
        made += _alarms(own, simulated // PARTS)
        return made + _painted(grounds, round(_PAINTED_SHARE * simulated / PARTS) if grounds else 0, own)

    return Renewal(lambda one: one.simulated and one.kind != HARD_NEGATIVE, renewed)


def test_examples(
    folders: Sequence[Path], simulated: int, report: OnProgress, judged: Judged
) -> tuple[list[Example], PassedOver]:
    """Photographs that the weights have not learnt from, and crops of the test products; and what is passed over.

    Raises:
        DataError: a folder that cannot be used, or nothing to measure on.
    """
    passed = PassedOver()
    made = [_example(cut, number, test=True) for number, cut in _reported(test_crops(simulated), simulated, report)]
    made += _hard_negatives(TEST_PRODUCTS, _FIRST_HARD_NEGATIVE + 1_000_000, simulated, report, test=True)
    found = _photographs(folders, judged.holds, report, passed)
    for data in folders:
        listed = listed_in(data)
        for one in listed:
            if reason := judged.passed_over(one.group):
                passed.add(str(data), reason, str(one.image))
        for path in unnamed(data, listed):
            passed.add(str(data), "named by nothing: give it a row in manifest.csv, or a place in a folder", str(path))
    for crop in made:
        if reason := judged.passed_over(crop.group):
            passed.add("simulated crops", reason, crop.name)
    found += [one for one in made if judged.holds(one.group)]
    if found:
        return found, passed
    if passed:
        raise DataError(f"there is nothing to measure on but what is passed over: {passed.words()}")
    raise DataError("there is nothing to measure on: give --data FOLDER, --simulated N, or both")


def calibration_examples(examples: Sequence[Example]) -> tuple[Example, ...]:
    """Photographs as they were taken, and crops of sheets: what a temperature and a threshold are chosen by.

    The families of windows, and cracks painted on photographs, are there to learn from: their share and their hardness
    are the generator's. All of them where the rest is not of both classes.
    """
    met = tuple(one for one in examples if not one.simulated or one.collection in PRODUCTS)
    return met if len({one.crack for one in met}) == 2 else tuple(examples)


def _photographs(
    folders: Sequence[Path], chosen: Callable[[str], bool], report: OnProgress, passed: PassedOver | None = None
) -> list[Example]:
    """Those of the groups that are chosen; what cannot be used is refused, or counted where that is asked for."""
    total = sum(count for data in folders for group, count in groups_of(data).items() if chosen(group))
    done = 0

    def read(count: int) -> None:
        nonlocal done
        done += count
        report("reading photographs", done, total)

    found = []
    for data in folders:

        def unusable(one: Photograph, reason: str, data: Path = data) -> None:
            del one
            assert passed is not None
            passed.add(str(data), UNUSABLE, reason)

        found += read_folder(data, chosen, on_progress=read, on_unusable=None if passed is None else unusable)
    return [
        replace(one, test=one.test or one.collection in TEST_PRODUCTS, simulated=one.collection in PRODUCTS)
        for one in found
    ]


def _reported(cuts: Iterator[Cut], total: int, report: OnProgress) -> Iterator[tuple[int, Cut]]:
    for number, cut in enumerate(cuts):
        report("cutting crops of simulated sheets", number + 1, total)
        yield number, cut


def _hard_negatives(
    products: Sequence[str], first_seed: int, simulated: int, report: OnProgress, *, test: bool
) -> list[Example]:
    count = round(_HARD_NEGATIVE_SHARE * simulated)
    found = []
    each = _PER_TEST_SHEET if test else PER_STRETCH
    for number, cut in enumerate(hard_negatives(products, first_seed, count, each)):
        report("looking for what the detector takes for a crack", number + 1, count)
        found.append(_example(cut, number, test=test))
    return found


def _alarms(seed: int, simulated: int, report: OnProgress = lambda *_: None) -> list[Example]:
    count = round(_ALARM_SHARE * simulated)
    found = []
    for number, cut in enumerate(alarms(seed, count)):
        report("looking for alarms of the detector", number + 1, count)
        # Of many of them a teacher knows as little as the detector does.
        found.append(replace(_example(cut, number, test=False), untaught=True))
    return found


def _example(cut: Cut, number: int, *, test: bool) -> Example:
    return Example(
        pixels=cut.pixels,
        crack=cut.crack,
        collection=cut.maker,
        kind=cut.kind,
        group=cut.group,
        name=f"{cut.group} {cut.kind} {number}",
        mask=cut.mask if cut.crack else None,
        test=test,
        simulated=True,
    )


def _painted(clean: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Cracks and scratches, bright and dark, painted on photographs without any: the metal must not tell the class.

    Fewer than `count`, and a line on stderr that says so, where the metal is too rough for them.
    """
    found: list[Example] = []
    rng = np.random.default_rng([seed, 7])
    for _ in range(_TRIES * count):
        if len(found) == count:
            break
        ground = clean[int(rng.integers(len(clean)))]
        dark = bool(rng.random() < 0.5)
        picture = (255 - ground.pixels if dark else ground.pixels).astype(np.float32)
        before = picture.copy()
        if rng.random() < _SCRATCHED_SHARE:
            mask = scratch_on_metal(rng, picture)
        else:
            mask, _ = paint_on_metal(rng, picture, rng.uniform(0, 2))
        spread = disturbance_of(before, np.zeros_like(before))
        # A line with the grain is what plain metal is full of.
        plain = off_grain(before, mask) & (
            np.minimum(picture, 255) - before > np.maximum(_LEAST_HEIGHT, _LEAST_TO_GROUND * spread)
        )
        if plain.sum() < _LEAST_PIXELS:
            continue
        pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        name = f"{ground.name} painted {len(found)}"
        found.append(
            replace(
                ground,
                pixels=255 - pixels if dark else pixels,
                crack=True,
                kind=PAINTED,
                name=name,
                mask=mask,
                simulated=True,
            )
        )
    if len(found) < count:
        words = f"cracks were painted on {len(found)} photographs instead of {count}: the metal is too rough for more"
        say(f"linesentry: {words}")
    return found
