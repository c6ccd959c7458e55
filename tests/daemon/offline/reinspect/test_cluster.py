"""Plates by the workers of a real Dask scheduler: the same to the bit, and one that dies costs nothing but time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from daemon.offline.reinspect import cluster as cluster_module
from daemon.offline.reinspect.candidate import Candidate, CandidateError
from daemon.offline.reinspect.cluster import ClusterError, by_dask
from daemon.offline.reinspect.plate import Inspector, Job
from tests.archived import encoded, expected, repeated
from tests.dask_cluster import DaskCluster, dask_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.mark.long
@pytest.mark.timeout(400)
def test_two_workers_do_what_one_process_does_and_one_that_dies_costs_nothing(
    cluster: DaskCluster, candidate: Candidate, inspector: Inspector, jobs: list[Job]
) -> None:
    # By the archive's address alone; and more plates than it has, so that both workers are at work.
    many = repeated([replace(job, file=f"file://{job.file}") for job in jobs], 4)
    first, _ = cluster.add_worker(), cluster.add_worker()
    coming = by_dask(candidate, many, cluster.address)
    outcomes = [next(coming)]
    first.kill()
    assert encoded([*outcomes, *coming]) == expected(inspector, jobs, 4)
    assert first.wait() != 0
    # One worker alone, anew.
    assert encoded(list(by_dask(candidate, many[:3], cluster.address))) == expected(inspector, jobs, 1)
    # Another version of the program could say something else.
    with pytest.raises(CandidateError, match="another version of linesentry or torch"):
        list(by_dask(replace(candidate, code_sha256="0" * 64), many[:1], cluster.address))
    # Without its scheduler nothing more comes, and nothing is passed as done.
    coming = by_dask(candidate, repeated(jobs, 100), cluster.address)
    next(coming)
    cluster.kill_scheduler()
    with pytest.raises(ClusterError, match="is gone: start it and run the same command again"):
        list(coming)


def test_where_no_scheduler_answers_it_is_told(
    candidate: Candidate, jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "_ANSWER_S", 0.5)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(by_dask(candidate, jobs, "tcp://127.0.0.1:9"))
    with pytest.raises(ClusterError, match="no Dask scheduler answers at nowhere"):
        list(by_dask(candidate, jobs, "nowhere://x"))
