"""A teacher's answers, and how far a student is from them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.classifier import card
from models.classifier.networks import Network, make
from models.training.classifier.card import write_weights
from models.training.classifier.distillation import Pupil, Teacher, mixed
from models.training.classifier.progressive import TAUGHT_SIDES

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    return write_weights(
        tmp_path_factory.mktemp("teacher"), make("mobilenet_v2").state_dict(), "mobilenet_v2", {"groups": "0011aabb"}
    )


def answered(network: Network, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    heard: list[Tensor] = []
    handle = network.get_submodule(network.MIDDLE).register_forward_hook(lambda *said: heard.append(said[2]))
    last = network.features(crops)
    handle.remove()
    return network.head(last), heard[0], last


def test_a_teacher_answers_as_its_weights_do(weights: Path) -> None:
    crops = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        expected = answered(card.read(weights)[0].eval(), crops)
    for own, found in zip(expected, Teacher(weights).answer(crops), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, own, rtol=0.1, atol=0.1)


def test_the_loss_is_none_for_the_teachers_own_answers_and_falls_as_a_student_learns_them(weights: Path) -> None:
    torch.manual_seed(1)
    teacher, student = Teacher(weights), make("resnet18")
    pupil = Pupil(teacher, student)
    crops = torch.randn(6, 3, 64, 64)
    said, _, _ = teacher.answer(crops)
    _, middle, last = answered(student, crops)
    assert pupil.loss(crops, said, middle, last).answers.item() == pytest.approx(0, abs=1e-6)
    optimiser = torch.optim.Adam([*student.parameters(), *pupil.parameters()], lr=1e-3)
    answers, maps = [], []
    for _ in range(10):
        found = pupil.loss(crops, *answered(student.train(), crops))
        optimiser.zero_grad()
        (found.answers + found.maps).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        answers.append(found.answers.item())
        maps.append(found.maps.item())
    assert answers[-1] < 0.5 * answers[0]
    assert maps[-1] < 0.8 * maps[0]


@pytest.mark.parametrize("side", sorted({side for _, side in TAUGHT_SIDES}))
def test_maps_of_every_two_networks_are_of_one_size_at_every_side_that_is_taught(side: int) -> None:
    crops = torch.zeros(1, 3, side, side)
    with torch.no_grad():
        sizes = {
            tuple(tuple(maps.shape[2:]) for maps in answered(make(name).eval(), crops)[1:])
            for name in ("efficientnet_lite0", "mobilenet_v2", "resnet18")
        }
    assert len(sizes) == 1, sizes


def test_crops_are_mixed_by_their_key_alone_and_nothing_is_known_of_where_their_cracks_lie() -> None:
    crops = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 3, 32, 32)
    places = torch.zeros(8, 1, 4, 4)
    found, where, count = mixed(crops, places, (3, 17), 8)
    assert count == 4
    torch.testing.assert_close(found[4:], crops[4:])
    assert where[:4].isnan().all()
    assert not where[4:].isnan().any()
    for index in range(count):
        value, *rest = sorted(set(found[index].flatten().tolist()))
        assert not rest, "the whole crop lies over the other one"
        assert min(index, (index - 1) % 8) <= value <= max(index, (index - 1) % 8)
    torch.testing.assert_close(mixed(crops, places, (3, 17), 8)[0], found)
    assert not torch.equal(mixed(crops, places, (3, 18), 8)[0], found)


def test_crops_that_a_teacher_is_not_asked_about_are_mixed_with_none() -> None:
    crops = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 3, 32, 32)
    found, where, count = mixed(crops, torch.zeros(8, 1, 4, 4), (3, 17), 3)
    assert count == 3
    torch.testing.assert_close(found[3:], crops[3:])
    assert not where[3:].isnan().any()
    assert found[:3].max() <= 2, "none of the later ones lies over them"
