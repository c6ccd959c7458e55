"""The folder of a teaching: half made it lies beside where it will be, and goes there whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from daemon.lab.teach.sheets import TeachError
from daemon.store.pictures import free_bytes
from models.machine.memory import available_bytes

_DISK = 100_000_000
"""Bytes: weights, checkpoint, and a page with pictures."""
_CHECKPOINT, _OF = "teaching.ckpt", "teaching.json"


class Folder:
    """Where a teaching writes, and what of it was begun before.

    Raises:
        TeachError: the folder is there already, or has no room.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.part = out.with_name(f"{out.name}.part")
        self.checkpoint = self.part / _CHECKPOINT
        if out.exists():
            raise TeachError(f"{out} is there already: name another --out, or remove it")
        try:
            free = free_bytes(out.absolute().parent)
            if free < _DISK:
                raise TeachError(f"{free / 1e6:.0f} MB are free beside {out}; {_DISK / 1e6:.0f} MB are needed")
            self._made = not self.part.exists()
            self.part.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TeachError(f"{self.part} cannot be made: {error.strerror or error}") from error

    def begun(self, of: dict[str, Any], minutes: float) -> tuple[float, bool]:
        """Minutes of the training, and whether one of the same sheets is gone on with.

        Raises:
            TeachError: what was begun there is another teaching.
        """
        note = self.part / _OF
        if not self.checkpoint.is_file():
            note.write_text(json.dumps({"of": of, "minutes": minutes}) + "\n", "utf-8")
            return minutes, False
        try:
            known = json.loads(note.read_text("utf-8"))
            if known["of"] == of:
                return float(known["minutes"]), True
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise TeachError(f"{self.part} holds a teaching of other sheets or settings: remove it, or name another --out")

    def finish(self) -> None:
        """What is there is whole: it goes where it was asked for."""
        self.checkpoint.unlink(missing_ok=True)
        (self.part / _OF).unlink(missing_ok=True)
        self.part.rename(self.out)

    def give_up(self) -> bool:
        """Leave only what a later call can go on with; whether there is such."""
        if self.checkpoint.is_file():
            for path in self.part.iterdir():
                if path.name not in (_CHECKPOINT, _OF):
                    path.unlink()
            return True
        if self._made:
            shutil.rmtree(self.part, ignore_errors=True)
        return False


def require_memory(pixels: int) -> None:
    """Refuse sheets of so many px together where they would not fit.

    Raises:
        TeachError: they do not.
    """
    # Pieces of the sheets, and one whole sheet with its painted copy.
    needed, there = pixels + 1_500_000_000, available_bytes()
    if needed > there:
        raise TeachError(
            f"{needed / 1e9:.1f} GB of memory are needed, {there / 1e9:.1f} GB are left: end other programs"
        )
