"""The journal of plates: which the switch saw and what their verdicts were, in a file of its own beside the store.

It outlives the supervisor where the store cannot be written, and knows of verdicts that a damaged store has lost. It
needs no lock and no other process: one `write` a plate, which a killed process cannot take back, and then `fsync` in a
thread.

An entry is one line: CRC-32 of the JSON in 8 hex digits, its length in bytes, the JSON itself. What does not fit that
is passed over and counted; a last line that is not whole is what a power cut leaves.

| the journal is | from | until |
|---|---|---|
| kept | it was written anew: own plates, and the highest number before them | a write fails, or the file is gone |
| failing | that failure; entries go on in memory | it can be written anew, tried once a second |
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from daemon.store.rows import RunFacts
from stages.plate import Verdict
from stages.plc import Part

_MOST_ENTRIES = 8192
"""With so many lines it is written anew, without plates that are final for long."""
_FINAL_KEPT = 1024
"""Latest plates with a verdict that stay: far more than the store could lose with its write-ahead log."""
_MOST_BYTES = 64_000_000
_RETRY_S = 1.0


class Run(msgspec.Struct, frozen=True, tag="run"):
    """The plates that follow are of this run."""

    facts: RunFacts
    last: int
    """Highest number that was given before it."""


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """The switch saw a plate begin."""

    plate: int
    at: datetime
    image: str | None = None
    """Name of the image file that a replay shows."""
    part: Part | None = None
    """What a PLC said of the sheet; None where none was asked."""
    camera: str | None = None
    """Serial number of the camera that saw it; None where the camera knows none, and of a replay."""


class Final(msgspec.Struct, frozen=True, tag="final"):
    """The plate's verdict is committed, and was told."""

    plate: int
    verdict: Verdict


_ENTRY = msgspec.json.Decoder(Run | Seen | Final)


@dataclass(frozen=True, slots=True)
class KeptPlate:
    """A plate as the journal knows it."""

    plate: int
    facts: RunFacts
    seen_at: datetime
    verdict: Verdict | None
    """None while none was told."""
    image: str | None = None
    """Name of the image file that a replay showed."""
    part: Part | None = None
    """What a PLC said of the sheet; None where none was asked."""
    camera: str | None = None
    """Serial number of the camera that saw it; None where the camera knows none, and of a replay."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a journal knows."""

    plates: tuple[KeptPlate, ...] = ()
    """By number."""
    before: int = 0
    """Highest number that was given before the journal was written anew; 0 where none was."""
    damaged: int = 0
    """Lines that cannot be read."""
    torn: bool = False
    """The last line is not whole."""

    @property
    def last(self) -> int:
        """Highest number that was given; 0 before the first."""
        return max([self.before, *(one.plate for one in self.plates)])


NOTHING = Kept()

_UNKNOWN = RunFacts(run="0" * 32, recipe="unknown", simulated=False)
"""Of plates whose run's line is damaged."""


class JournalError(Exception):
    """The journal cannot be read; the message says why and what to do."""


def journal_path(state_directory: Path) -> Path:
    """Where the journal of a state directory lies."""
    return state_directory / "plates.journal"


def read_journal(path: Path) -> Kept:
    """What the journal knows; nothing where there is none yet.

    Raises:
        JournalError: it is there and cannot be read, or is far too large for one.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        raise JournalError(
            f"cannot read the journal of plates {path}: {error.strerror}; check its owner and permissions"
        ) from error
    if len(data) > _MOST_BYTES:
        raise JournalError(f"{path} is larger than any journal of plates: move it away")
    return _kept(data)


class Journal:
    """The journal of one run, written by the supervisor alone. What cannot be written is kept until it can.

    Args:
        path: of the file; what is there is replaced.
        facts: of the run.
        last: highest number that was given before.
        clock: monotonic, s.
    """

    def __init__(self, path: Path, facts: RunFacts, last: int, clock: Callable[[], float]) -> None:
        self.failure: str | None = None
        """Why entries are not on disk; None while they are."""
        self._path, self._facts, self._last, self._clock = path, facts, last, clock
        self._facts_written = facts
        """Those of the last line of a run: what plates after it are of."""
        self._plates: dict[int, KeptPlate] = {}
        self._file = -1
        self._identity = (0, 0)
        self._lines = 0
        self._looked_at = clock()
        self._lock = threading.Lock()
        """Held while the file is synced or exchanged."""
        self._unsynced = threading.Event()
        self._sync_failure: OSError | None = None
        self._closed = False
        self._write_anew()
        self._thread = threading.Thread(target=self._sync, name="journal", daemon=True)
        self._thread.start()

    @property
    def kept(self) -> Kept:
        """What it knows of this run's plates, written or not."""
        return Kept(tuple(self._plates[plate] for plate in sorted(self._plates)), self._last)

    def facts_of(self, plate: int) -> RunFacts | None:
        """What a plate is said to be judged by; None for one that is not known."""
        known = self._plates.get(plate)
        return None if known is None else known.facts

    def seen(
        self,
        plate: int,
        at: datetime,
        image: str | None = None,
        facts: RunFacts | None = None,
        part: Part | None = None,
        camera: str | None = None,
    ) -> None:
        """The switch saw a plate begin; `facts` are its own, where they are not those of the run's beginning."""
        before = self._plates.get(plate)
        first = at if before is None else before.seen_at
        known = KeptPlate(plate, facts or self._facts, first, None, image, part, camera)
        self._plates[plate] = known
        if known.facts != self._facts_written:
            self._facts_written = known.facts
            self._append(Run(known.facts, self._last))
        self._append(Seen(plate, known.seen_at, image, part, camera))

    def final(self, plate: int, verdict: Verdict) -> None:
        """The plate's verdict is committed."""
        known = self._plates.get(plate)
        if known is not None and known.verdict is None:
            self._plates[plate] = replace(known, verdict=verdict)
            self._append(Final(plate, verdict))

    def tick(self) -> None:
        """See to what is due: another try after a failure, a file that was taken away, one that has grown long."""
        if self._sync_failure is not None:
            self._fails(self._sync_failure)
        now = self._clock()
        if now - self._looked_at < _RETRY_S:
            return
        self._looked_at = now
        if self._file < 0 or self._lines > _MOST_ENTRIES or not self._is_there():
            self._write_anew()

    def close(self) -> None:
        """Write down to the disk what is not yet there, and close the file."""
        if self._file < 0:
            self._write_anew()
        self._closed = True
        self._unsynced.set()
        self._thread.join()
        self._let_go()

    # --- inside ---

    def _append(self, entry: Run | Seen | Final) -> None:
        if self._file < 0:
            return  # it is written with all others, once that can be done
        line = _line(entry)
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(28, "No space left on device")  # noqa: TRY301 - what the next write would say
        except OSError as error:
            self._fails(error)
            return
        self._lines += 1
        self._unsynced.set()

    def _write_anew(self) -> None:
        """Exchange the file for one with the plates that are open or were final of late."""
        final = [plate for plate, known in self._plates.items() if known.verdict is not None]
        for plate in sorted(final)[:-_FINAL_KEPT]:
            del self._plates[plate]
            self._last = max(self._last, plate)
        lines = list(self._lines_of_all())
        temporary = self._path.with_name(self._path.name + ".new")
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                _write_all(file, b"".join(lines))
                os.fsync(file)
                temporary.rename(self._path)
                _sync_directory(self._path.parent)
                status = os.fstat(file)
            except OSError:
                os.close(file)
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            self._fails(error)
            return
        self._let_go()
        with self._lock:
            self._file, self._identity = file, (status.st_dev, status.st_ino)
        self._lines, self.failure, self._sync_failure = len(lines), None, None

    def _lines_of_all(self) -> Iterator[bytes]:
        self._facts_written = self._facts
        yield _line(Run(self._facts, self._last))
        for plate in sorted(self._plates):
            known = self._plates[plate]
            if known.facts != self._facts_written:
                self._facts_written = known.facts
                yield _line(Run(known.facts, self._last))
            yield _line(Seen(plate, known.seen_at, known.image, known.part, known.camera))
            if known.verdict is not None:
                yield _line(Final(plate, known.verdict))

    def _is_there(self) -> bool:
        try:
            status = self._path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def _fails(self, error: OSError) -> None:
        self.failure = f"{self._path}: {error.strerror or error}"
        self._sync_failure = None
        self._looked_at = self._clock()
        self._let_go()

    def _let_go(self) -> None:
        with self._lock:
            file, self._file = self._file, -1
        if file >= 0:
            with suppress(OSError):  # it was synced before, or its failure is told already
                os.close(file)

    def _sync(self) -> None:
        """In a thread of its own: a disk that is slow must not keep the supervisor from its processes."""
        while not self._closed:
            self._unsynced.wait()
            self._unsynced.clear()
            with self._lock:
                try:
                    if self._file >= 0:
                        os.fsync(self._file)
                except OSError as error:
                    self._sync_failure = error


def _kept(data: bytes) -> Kept:
    """What those bytes say."""
    *lines, rest = data.split(b"\n")
    facts = _UNKNOWN
    plates: dict[int, KeptPlate] = {}
    before = damaged = 0
    for line in lines:
        match _entry(line):
            case Run() as run:
                facts, before = run.facts, max(before, run.last)
            case Seen(plate, at, image, part, camera):
                known = plates.get(plate)
                # Said again where its recipe was not known at first; the first sight counts.
                first = KeptPlate(plate, facts, at, None, image, part, camera)
                plates[plate] = first if known is None else replace(known, facts=facts)
            case Final(plate, verdict) if plate in plates:
                known = plates[plate]
                plates[plate] = replace(known, verdict=known.verdict or verdict)
            case _:
                damaged += 1
    return Kept(tuple(plates[plate] for plate in sorted(plates)), before, damaged, bool(rest))


def _line(entry: Run | Seen | Final) -> bytes:
    body = msgspec.json.encode(entry)
    return b"%08x %d %s\n" % (zlib.crc32(body), len(body), body)


def _entry(line: bytes) -> Run | Seen | Final | None:
    """The entry of a line; None for one that is not as it was written."""
    checksum, _, rest = line.partition(b" ")
    length, _, body = rest.partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(body) or int(length) != len(body):
            return None
        entry = _ENTRY.decode(body)
    except ValueError:
        return None
    number = entry.last + 1 if isinstance(entry, Run) else entry.plate
    return entry if 0 < number < 1 << 62 else None


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
