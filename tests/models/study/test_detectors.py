"""The general detectors: coding of boxes, what each place learns, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.study import anchor_based, anchor_free, efficientdet
from models.study.anchor_based import AnchorBased, fit_anchors
from models.study.anchor_free import AnchorFree
from models.study.backbone import WIDTH, Backbone
from models.study.boxes import overlap_of_all, overlaps
from models.study.efficientdet import IGNORED, STRIDES, BiFpn, EfficientDet
from models.study.predict import window_boxes

_ANCHORS = np.array([(5, 8), (12, 6), (8, 15), (25, 12), (14, 30), (30, 30), (70, 20), (24, 80), (90, 90)], np.float32)
_BOX = st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(3, 80), st.floats(3, 80))


def _box(sides: tuple[float, float, float, float]) -> Tensor:
    x, y, width, height = sides
    return torch.tensor([[x, y, x + width, y + height]])


@settings(max_examples=60, deadline=None)
@given(_BOX)
def test_a_box_without_anchors_survives_encoding_at_every_point_that_learns_it(
    sides: tuple[float, float, float, float],
) -> None:
    box = _box(sides)
    points, strides = anchor_free.grid(192, 192)
    learn = anchor_free.assign(points, strides, box) >= 0
    assert learn.any()
    own, scale = points[learn], strides[learn]
    wanted = box.expand(len(own), 4)
    back = anchor_free.decode(anchor_free.encode(wanted, own, scale), own, scale)
    assert torch.allclose(back, wanted, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(_BOX)
def test_a_box_with_anchors_survives_encoding_at_every_anchor_that_learns_it(
    sides: tuple[float, float, float, float],
) -> None:
    box = _box(sides)
    cells, strides, anchors = anchor_based.grid(192, 192, torch.from_numpy(_ANCHORS).reshape(3, 3, 2))
    learn = anchor_based.assign(cells, strides, anchors, box) >= 0
    assert learn.any()
    wanted = box.expand(int(learn.sum()), 4)
    raw = anchor_based.encode(wanted, cells[learn], strides[learn], anchors[learn])
    alike = (torch.maximum(wanted[:, 2:] - wanted[:, :2], anchors[learn]) <= 3.9 * anchors[learn]).all(1)
    back = anchor_based.decode(raw, cells[learn], strides[learn], anchors[learn])
    assert torch.allclose(back[alike], wanted[alike], atol=0.05)


@settings(max_examples=60, deadline=None)
@given(_BOX)
def test_a_box_survives_encoding_at_every_anchor_of_efficientdet_that_learns_it(
    sides: tuple[float, float, float, float],
) -> None:
    box = _box(sides)
    own = efficientdet.anchors(192, 192)
    learn = efficientdet.assign(own, box) == 0
    assert learn.any()
    wanted = box.expand(int(learn.sum()), 4)
    back = efficientdet.decode(efficientdet.encode(wanted, own[learn]), own[learn])
    assert torch.allclose(back, wanted, atol=1e-3)


def test_an_anchor_learns_what_it_covers_by_half_and_a_box_that_none_covers_by_half_is_learnt_by_the_nearest() -> None:
    own = torch.tensor([[0.0, 0, 10, 10], [0.0, 0, 10, 22], [0.0, 0, 10, 40], [60.0, 60, 70, 70]])
    thin = torch.tensor([[0.0, 0, 10, 10], [60.0, 60, 61, 70]])
    assert efficientdet.assign(own, thin).tolist() == [0, IGNORED, -1, 1]


def test_anchors_lie_at_the_cells_of_each_level_and_suit_lines() -> None:
    own = efficientdet.anchors(64, 96)
    assert len(own) == sum(64 // stride * (96 // stride) for stride in STRIDES) * efficientdet.ANCHORS
    sides = own[:, 2:] - own[:, :2]
    assert sides.min() == pytest.approx(4.0)
    assert (sides[:, 1] / sides[:, 0]).max() == pytest.approx(4.0)
    first = own[: efficientdet.ANCHORS]
    assert torch.allclose((first[:, :2] + first[:, 2:]) / 2, torch.tensor([2.0, 2.0]))


def test_the_overlap_of_all_is_that_of_each_with_each() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (2, 6, 2)).astype(np.float32)
    a, b = (np.concatenate((one, one + rng.uniform(1, 30, one.shape).astype(np.float32)), 1) for one in corners)
    found = overlap_of_all(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    assert np.allclose(found, [overlaps(one, b) for one in a], atol=1e-5)


def test_fusion_keeps_the_sizes_and_every_level_hears_of_every_other() -> None:
    torch.manual_seed(0)
    fusion = BiFpn(3).eval()
    maps = [torch.randn(1, WIDTH, side, side, requires_grad=True) for side in (16, 8, 4)]
    for found, own in zip(fusion(maps), maps, strict=True):
        assert found.shape == own.shape
        for one in maps:
            one.grad = None
        found.sum().backward(retain_graph=True)
        assert all(one.grad is not None and one.grad.any() for one in maps)


def test_a_weight_of_a_fusion_that_falls_below_zero_leaves_its_map_out() -> None:
    torch.manual_seed(0)
    fusion = BiFpn(2).eval()
    fine, coarse = torch.randn(1, WIDTH, 8, 8), torch.randn(1, WIDTH, 4, 4)
    with torch.no_grad():
        dict(fusion.named_parameters())["down.0.weights"][1] = -3.0
    assert torch.equal(fusion([fine, coarse])[0], fusion([fine, 5 * coarse])[0])


def test_a_point_near_two_centres_learns_the_smaller_box() -> None:
    points, strides = anchor_free.grid(64, 64)
    boxes = torch.tensor([[16.0, 16, 44, 44], [26.0, 26, 36, 36]])
    taken = anchor_free.assign(points, strides, boxes)
    middle = (points - torch.tensor([28.0, 28])).abs().sum(1).argmin()
    assert taken[middle] == 1


def test_a_picture_without_boxes_teaches_no_place() -> None:
    none = torch.empty(0, 4)
    points, strides = anchor_free.grid(64, 64)
    assert (anchor_free.assign(points, strides, none) == -1).all()
    cells, scales, anchors = anchor_based.grid(64, 64, torch.from_numpy(_ANCHORS).reshape(3, 3, 2))
    assert (anchor_based.assign(cells, scales, anchors, none) == -1).all()
    assert (efficientdet.assign(efficientdet.anchors(64, 64), none) == -1).all()


@pytest.mark.parametrize("make", [AnchorFree, lambda: AnchorBased(_ANCHORS), EfficientDet])
def test_the_loss_falls_and_is_finite_without_boxes(make: type[AnchorFree]) -> None:
    torch.manual_seed(0)
    network = make().train()
    x = torch.zeros(2, 1, 64, 64)
    x[0, 0, 20:44, 30:34] = 1
    truth = [torch.tensor([[30.0, 20, 34, 44]]), torch.empty(0, 4)]
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(30):
        loss = network.loss(x, truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    assert torch.isfinite(network.loss(x, [torch.empty(0, 4), torch.empty(0, 4)]))


def test_the_pyramid_has_a_map_for_each_stride() -> None:
    maps = Backbone((4, 16)).eval()(torch.zeros(1, 1, 64, 96))
    assert [tuple(one.shape) for one in maps] == [(1, 48, 16, 24), (1, 48, 4, 6)]


def test_anchors_are_fitted_to_the_boxes_and_ordered_by_area() -> None:
    rng = np.random.default_rng(0)
    sides = np.concatenate([rng.normal(mean, 0.3, (40, 2)) for mean in (6, 20, 60)]).astype(np.float32)
    anchors = fit_anchors(sides)
    assert anchors.shape == (9, 2)
    assert (np.diff(anchors.prod(1)) >= 0).all()
    nearest = np.abs(anchors[:, None] - np.array([6, 20, 60])[None, :, None]).max(2).min(1)
    assert nearest.max() < 3


def test_anchors_of_nothing_and_of_a_wrong_number_are_refused() -> None:
    with pytest.raises(ValueError, match="there is none"):
        fit_anchors(np.empty((0, 2), np.float32))
    with pytest.raises(ValueError, match="9 anchors"):
        AnchorBased(_ANCHORS[:3])


class _Always(nn.Module):
    """Says the same two boxes of any picture."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        boxes = torch.tensor([[-4.0, 2, 10, 40], [5.0, 5, 9, 9]])[None].expand(len(x), 2, 4)
        return torch.tensor([[2.0, -9.0]]).expand(len(x), 2), boxes.clone()


def test_boxes_of_a_window_are_px_of_the_plate_cut_to_the_window_and_the_unsure_ones_go() -> None:
    boxes, scores = window_boxes(_Always(), np.full((61, 90), 100, np.uint8))
    assert boxes.tolist() == [[0.0, 4.0, 20.0, 61.0]]
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-4)
    assert window_boxes(_Always(), np.zeros((1, 5), np.uint8))[0].shape == (0, 4)
