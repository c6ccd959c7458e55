"""What the detector reports at a low floor, on cracks and beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from daemon.lab.data import classifier as classifier_data
from daemon.lab.data.alarms import ALARM_ON_CRACK, FALSE_ALARM, alarms
from models.classifier.crops import SIDE
from models.classifier.networks import CRACK
from models.training.classifier.batches import batch_of
from models.training.classifier.examples import Example
from simulator.crops.classifier import Cut

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def found() -> list[Cut]:
    return list(alarms(3, 6))


def test_half_of_the_alarms_are_on_cracks_and_the_others_show_none(found: list[Cut]) -> None:
    assert [cut.crack for cut in found].count(True) == 3
    for cut in found:
        assert cut.pixels.shape == cut.mask.shape == (SIDE, SIDE)
        assert cut.kind == (ALARM_ON_CRACK if cut.crack else FALSE_ALARM)
        assert cut.group.startswith(f"{cut.maker}/alarms-3-")
        assert cut.mask.sum() == 0 or cut.mask.sum() >= 120


def test_an_alarm_lies_in_the_middle_of_its_crop(found: list[Cut]) -> None:
    for cut in found:
        if cut.crack:
            rows, columns = np.nonzero(cut.mask)
            assert np.hypot(rows - SIDE // 2, columns - SIDE // 2).min() <= SIDE // 4


def test_none_are_asked_for_and_none_come() -> None:
    assert not list(alarms(3, 0))


@pytest.mark.long
def test_alarms_are_the_same_for_the_same_seed_and_others_for_another(found: list[Cut]) -> None:
    def pixels(cuts: list[Cut]) -> list[bytes]:
        return [cut.pixels.tobytes() for cut in cuts]

    assert pixels(list(alarms(3, 6))) == pixels(found)
    assert not set(pixels(list(alarms(4, 6)))) & set(pixels(found))


def test_no_teacher_is_asked_about_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier_data, "_ALARM_SHARE", 0.2)
    (alarm,) = (one for one in classifier_data.training_examples((), 4, 0, lambda *_: None) if one.untaught)
    assert alarm.kind in {ALARM_ON_CRACK, FALSE_ALARM}
    taught = replace(alarm, untaught=False, crack=not alarm.crack, mask=None)
    examples: list[Example] = [alarm, taught]
    batch = batch_of(examples, np.array([0.5, 0.5]), 8, (0, 1))
    assert 0 < batch.taught < 8
    own = CRACK if alarm.crack else 1 - CRACK
    assert set(batch.classes[batch.taught :].tolist()) == {own}, "those that are not taught come last"
    assert set(batch.classes[: batch.taught].tolist()) == {1 - own}
