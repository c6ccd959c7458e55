"""Boxes of a general detector in one window."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.detector.features import GREY_SCALE
from models.machine.cpu import bfloat16_is_fast
from models.study.backbone import DEEPEST
from models.study.boxes import Boxes
from models.study.classical import SCALE, halved

LEAST_SCORE = 0.03
MOST_BOXES = 150
"""A window reports at most so many, the best ones."""


@torch.inference_mode()
def window_boxes(network: nn.Module, pixels: NDArray[np.uint8]) -> tuple[Boxes, NDArray[np.float32]]:
    """Boxes (n, 4) in px of the window and their scores (n,), before any suppression.

    Args:
        network: an AnchorFree, AnchorBased or EfficientDet in evaluation mode.
        pixels: the window's valid pixels (h, w), as the detector gets them; they are seen at half resolution.
    """
    grey = halved(pixels)
    rows, columns = grey.shape
    if rows == 0 or columns == 0:
        return np.empty((0, 4), np.float32), np.empty(0, np.float32)
    room = np.zeros((-(-rows // DEEPEST) * DEEPEST, -(-columns // DEEPEST) * DEEPEST), np.float32)
    room[:rows, :columns] = (grey - grey.mean()) * np.float32(GREY_SCALE)
    image = torch.from_numpy(room)[None, None].contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16_is_fast()):
        logits, boxes = network(image)
    scores = torch.sigmoid(logits[0])
    best = torch.topk(scores, min(MOST_BOXES, len(scores))).indices
    best = best[scores[best] >= LEAST_SCORE]
    found = boxes[0, best].numpy() * np.float32(SCALE)
    found[:, 0::2] = found[:, 0::2].clip(0, pixels.shape[1])
    found[:, 1::2] = found[:, 1::2].clip(0, pixels.shape[0])
    inside = (found[:, 2] - found[:, 0] >= 1) & (found[:, 3] - found[:, 1] >= 1)
    return np.asarray(found[inside], np.float32), np.asarray(scores[best].numpy()[inside], np.float32)
