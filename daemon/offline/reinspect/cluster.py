"""Plates by the workers of a Dask cluster, on as many machines as it has."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from daemon.offline.reinspect.candidate import Candidate, CandidateError
from daemon.offline.reinspect.plate import Fault, Inspector, Job, Outcome

if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Client

_ANSWER_S, _WORKER_S = 10.0, 60.0
"""Within which a scheduler answers, and has a worker."""
_AHEAD = 256
"""Plates that the scheduler knows of at once: their outcomes lie with the workers until they are taken."""
_here = threading.local()
"""The inspector of this thread, and the digest of its candidate."""


class ClusterError(Exception):
    """The cluster cannot be used; the message says what to do."""


def by_dask(candidate: Candidate, jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    """The outcomes, as they come. What a worker that dies had in hand is given to another.

    Raises:
        ClusterError: there is no such scheduler or no worker, the workers cannot inspect, or the scheduler is gone.
        CandidateError: the workers cannot use the candidate.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ClusterError(f"--dask needs Dask: pip install 'linesentry[dask]' ({error})") from error
    # What ends the work is told in one line; Dask would add the traceback of each attempt to connect again.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=_ANSWER_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, and give its address as "
            f"tcp://HOST:8786 ({error})"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_WORKER_S)
        except TimeoutError as error:
            raise ClusterError(
                f"the scheduler at {address} has no worker: start some with `dask worker {address}`"
            ) from error
        yield from _outcomes(client, candidate, jobs, address)


def _outcomes(client: Client, candidate: Candidate, jobs: Sequence[Job], address: str) -> Iterator[Outcome]:
    from distributed import as_completed  # noqa: PLC0415 - an extra
    from distributed.scheduler import KilledWorker  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that weights are large: they travel once
        # A task and no scattered value: when the only worker that holds it dies, it is made again.
        ready = client.submit(_prove, candidate, key=f"linesentry-candidate-{candidate.digest}")
    try:
        ready.result()
    except CandidateError:
        raise
    except Exception as error:
        raise ClusterError(
            f"the workers of {address} cannot inspect: {error}; do they have linesentry[dask]?"
        ) from error
    rest = iter(jobs)
    asked: dict[Key, Job] = {}

    def ask(count: int) -> list[Any]:
        some = list(islice(rest, count))
        # Never a task of an earlier run: a file may have been missing then.
        futures = [client.submit(_inspect, ready, job, pure=False) for job in some]
        asked.update({future.key: job for future, job in zip(futures, some, strict=True)})
        return futures

    coming = as_completed(ask(_AHEAD), loop=client.loop)  # type: ignore[no-untyped-call]
    for future in coming:
        job = asked.pop(future.key)
        if future.status == "cancelled":
            raise ClusterError(f"the scheduler at {address} is gone: start it and run the same command again")
        try:
            outcome = future.result()
        except KilledWorker as error:
            words = f"the workers that inspected it died, one after the other: {error}"
            outcome = Outcome(job.plate, None, fault=Fault.FAILED, words=words)
        future.release()
        coming.update(ask(1))  # type: ignore[no-untyped-call]
        yield outcome


# --- in the worker -----------------------------------------------------------------------------------------------


def _prove(candidate: Candidate) -> Candidate:
    """The candidate, once this worker can use it."""
    _inspector(candidate)
    return candidate


def _inspect(candidate: Candidate, job: Job) -> Outcome:
    return _inspector(candidate).inspect(job)


def _inspector(candidate: Candidate) -> Inspector:
    """One a thread of the worker, loaded once."""
    digest = candidate.digest
    if getattr(_here, "digest", None) != digest:
        _here.inspector = Inspector(candidate)
        _here.digest = digest
    inspector: Inspector = _here.inspector
    return inspector
