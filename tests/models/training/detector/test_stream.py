"""Crops from a process of their own."""

from __future__ import annotations

import multiprocessing
import signal

from models.training.detector.stream import CropStream
from simulator.crops.strung import training_window


def test_the_process_ends_also_where_it_was_started_with_sigterm_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stream = CropStream(training_window, 64, 5)
    assert len(stream.take(1, 1)) == 1
    stream.close()
    assert not multiprocessing.active_children()
