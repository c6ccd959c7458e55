"""What a browser is told of the line, as plain values for JSON.

Whose verdict is shown: that of the sheet which left the camera last. While that one is still judged, the answer is to
wait: the verdict of the sheet before it must not be taken for its own.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from config.schema import Config
from daemon.store.recent import RecentPlate
from daemon.web.line.health import health
from daemon.web.line.verdicts import Recent
from daemon.wire.messages import LinePlate, LineState

Told = dict[str, object]


def line_told(
    state: LineState, recent: Recent, config: Config, picture: Callable[[int], int | None], now: datetime
) -> Told:
    """All that the page of the present shows. `picture` says how many plate rows the picture of a plate shows."""
    newest = max(state.plates, key=lambda one: one.plate, default=None)
    on_line = newest if newest is not None and not newest.closed else None
    waiting = [one.plate for one in state.plates if one is not on_line]
    return {
        "recipe": state.recipe,
        "simulated": state.simulated,
        "seen": state.seen,
        "counts": {name: state.verdicts.get(name, 0) for name in ("OK", "NG", "INCONCLUSIVE")},
        "on_line": None if newest is None else _sheet(newest, picture),
        "under_camera": on_line is not None,
        "verdict": verdict_told(state, recent, waiting, now, picture),
        "health": health(state, config),
    }


def verdict_told(
    state: LineState, recent: Recent, waiting: Sequence[int], now: datetime, picture: Callable[[int], int | None]
) -> Told:
    """The verdict of the sheet that left the camera last, or why there is none: `kind` says which."""
    count = len(waiting)
    first = recent.plates[0] if recent.plates and not recent.error else None
    # A plate of an earlier run is the past: nobody has it in hand.
    shown = first if first is not None and first.run == state.run else None
    if count and (shown is None or max(waiting) > shown.plate):
        return {"kind": "wait", "plate": max(waiting), "waiting": count}
    if recent.error:
        return {"kind": "unread", "error": recent.error, "waiting": count}
    if state.last is not None and (shown is None or state.last > shown.plate):
        return {"kind": "reading", "plate": state.last, "waiting": count}
    if shown is None:
        return {"kind": "none", "waiting": count}
    age_s = None if shown.decided_at is None else max(0, round((now - shown.decided_at).total_seconds()))
    return {
        **row_told(shown),
        "kind": str(shown.verdict),
        "age_s": age_s,
        "waiting": count,
        "rows": shown.rows,
        "columns": shown.columns,
        "boxes": recent.boxes,
        "picture": picture(shown.plate),
    }


def row_told(row: RecentPlate) -> Told:
    """A plate with a verdict as a row of the table."""
    return {
        "plate": row.plate,
        "verdict": str(row.verdict),
        "causes": [str(cause) for cause in row.causes],
        "reason": row.reason,
        "name": row.part_id or row.image,
        "recipe": row.recipe,
        "defects": row.defects,
        "at": None if row.decided_at is None else row.decided_at.astimezone(UTC).isoformat(),
    }


def _sheet(plate: LinePlate, picture: Callable[[int], int | None]) -> Told:
    progress = plate.progress
    return {
        "plate": plate.plate,
        "name": plate.part_id or plate.image,
        "recipe": plate.recipe,
        "rows": plate.rows,
        "columns": plate.columns,
        "nominal_rows": plate.nominal_rows or plate.rows,
        "closed": plate.closed,
        "stride": plate.stride,
        "across": plate.across,
        "windows": 0 if progress is None else progress.windows,
        "regions": 0 if progress is None else progress.regions,
        "judged": "" if progress is None else base64.b64encode(progress.judged).decode(),
        "boxes": () if progress is None else progress.boxes,
        "picture": picture(plate.plate),
    }
