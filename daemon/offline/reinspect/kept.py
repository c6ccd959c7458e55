"""The results of a candidate in a folder, one file a plate: a run that was killed goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from daemon.offline.reinspect.candidate import Candidate
from daemon.offline.reinspect.plate import Job, Outcome
from models.machine.files import whole

_DIGITS = 16
"""Of a hash in a name."""


class Kept:
    """What a candidate said of plates, by plate and checksum of its file; faults are not kept, for they may pass.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, out: Path, candidate: Candidate) -> None:
        self.folder = out / f"{candidate.recipe.name}-{candidate.digest[:_DIGITS]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole(self.folder / "candidate.json") as part:
            part.write_text(json.dumps({"digest": candidate.digest, **candidate.facts}, indent=1) + "\n", "utf-8")

    @property
    def page(self) -> Path:
        """Where its page lies."""
        return self.folder.with_name(f"{self.folder.name}.html")

    def get(self, job: Job) -> Outcome | None:
        """What is kept of a plate; None where nothing is, or nothing that can be read."""
        try:
            return msgspec.msgpack.decode(self._path(job).read_bytes(), type=Outcome)
        except (OSError, msgspec.MsgspecError):
            return None

    def put(self, job: Job, outcome: Outcome) -> None:
        """Keep it, whole or not at all. Raises OSError."""
        if outcome.fault is None:
            with whole(self._path(job)) as part:
                part.write_bytes(msgspec.msgpack.encode(outcome))

    def _path(self, job: Job) -> Path:
        return self.folder / f"{job.plate:06d}-{job.sha256[:_DIGITS]}.msgpack"
