"""What holds for every test: one thread for numeric code, no time limit of hypothesis, no silent skip in CI.

And signals go where they went before, for a command that ends its process leaves them ignored.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterator

# Before anything imports a numeric library: their thread pools are sized when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

# How long an example takes says nothing of the code on a machine that does other things too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],  # noqa: ARG001 - the hook's signature
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test marked `debian` that is skipped fails where CI is set: the set-up there installs its package."""
    report = yield
    if report.skipped and os.environ.get("CI") and item.get_closest_marker("debian") is not None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where CI is set: {report.longrepr}"
    return report


_SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
