"""The merge process between tile, a worker and record."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from config.load import load_recipe
from config.schema import Decision
from daemon import messages as m
from daemon.channel import Client, Server
from models.quality import Quality
from stages.plate import Cause, WindowResult
from tests.daemon.conftest import RUN, Parent

LATE = load_recipe("P10B").model_copy(update={"decision": Decision(deadline_s=5.0)})


def test_a_plate_whose_last_news_comes_after_its_deadline_is_late(
    tmp_path: Path, parent: Callable[..., Parent]
) -> None:
    """Also where every window is there by then."""
    merge = parent("merge", recipe=LATE)
    tile, worker, record = (m.Sender(RUN, role, 0, 1) for role in ("tile", "detect", "record"))
    server = Server(merge.context, record, tmp_path / "record")
    from_tile = Client(merge.context, tile, tmp_path / "merge")
    from_worker = Client(merge.context, worker, tmp_path / "results")
    now = time.monotonic()
    window = WindowResult(RUN, 1, 0, (), truncated=False, quality=Quality(), threshold=0.0, seconds=0.0)
    from_worker.send(m.WindowScored(window), now)
    acknowledged = decided = None
    while decided is None and time.monotonic() < now + 30:
        for _, body in from_tile.receive(time.monotonic()):
            if isinstance(body, m.WindowsMerged) and acknowledged is None:
                acknowledged = body
                from_tile.send(m.PlateClosed(1, 0, 100, 50, (), 0, now - 6.0), time.monotonic())
        decided = next((body for _, body in server.receive(time.monotonic()) if isinstance(body, m.Decided)), None)
        from_worker.receive(time.monotonic())
        time.sleep(0.01)
    for endpoint in (server, from_tile, from_worker):
        endpoint.close()
    assert decided is not None
    assert decided.result.windows_scored == 1
    assert Cause.LATE in decided.result.causes
