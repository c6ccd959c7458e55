"""A source of crops in a process of its own, so that drawing them never holds up the network."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from multiprocessing.queues import Queue

import cv2
import numpy as np

from models.training.detector.crops import CropSource, LabelledCrop


class CropStream:
    """Crops of a source that draws them in a process of its own, a few ahead."""

    def __init__(self, source: CropSource, size: int, seed: int, ahead: int = 64) -> None:
        context = multiprocessing.get_context("spawn")
        self._queue: Queue[LabelledCrop] = context.Queue(ahead)
        self._process = context.Process(target=_produce, args=(source, size, seed, self._queue), daemon=True)
        self._process.start()
        # A crop takes milliseconds to pass the pipe, so a thread fetches it while the network learns.
        self._here: queue.Queue[LabelledCrop] = queue.Queue(ahead)
        self._open = True
        self._thread = threading.Thread(target=self._fetch, name="crops", daemon=True)
        self._thread.start()

    def _fetch(self) -> None:
        while self._open:
            try:
                crop = self._queue.get(timeout=0.5)
            except queue.Empty:
                continue
            while self._open:
                try:
                    self._here.put(crop, timeout=0.5)
                    break
                except queue.Full:
                    continue

    def take(self, least: int, most: int) -> list[LabelledCrop]:
        """At least `least` crops, waiting for them, and up to `most` of those that are there.

        Raises:
            RuntimeError: the source's process ended.
        """
        crops: list[LabelledCrop] = []
        while len(crops) < most:
            try:
                crops.append(self._here.get(timeout=1.0) if len(crops) < least else self._here.get_nowait())
            except queue.Empty:
                if len(crops) >= least:
                    break
                if not self._process.is_alive():
                    raise RuntimeError(f"the source of samples ended with {self._process.exitcode}") from None
        return crops

    def close(self) -> None:
        """End the process."""
        self._open = False
        self._thread.join()
        self._process.kill()  # it has nothing to save, and may have been started with SIGTERM ignored
        self._process.join()


def _produce(source: CropSource, size: int, seed: int, crops: Queue[LabelledCrop]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    parent = multiprocessing.parent_process()
    while True:
        crop = source(rng, size)
        while True:
            try:
                crops.put(crop, timeout=2.0)
                break
            except queue.Full:
                if parent is not None and not parent.is_alive():
                    crops.cancel_join_thread()  # nobody is left to read it
                    return
