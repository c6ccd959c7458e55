"""How fast a total grows."""

from __future__ import annotations

from collections import deque


class Rate:
    """Growth of a total over the last seconds.

    Args:
        over_s: how far back it looks, s.
    """

    def __init__(self, over_s: float) -> None:
        self._over_s = over_s
        self._points: deque[tuple[float, float]] = deque()

    def add(self, now: float, total: float) -> None:
        """The total at a time, s; a total below the one before (an estimate that was too high) stands still."""
        if self._points:
            total = max(total, self._points[-1][1])
        self._points.append((now, total))
        # One point stays that is older: the span is never shorter than asked for once it was that long.
        while len(self._points) > 2 and self._points[1][0] <= now - self._over_s:
            self._points.popleft()

    @property
    def per_s(self) -> float:
        """Growth a second; 0 before there are two points."""
        if len(self._points) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._points[0], self._points[-1]
        return (last - first) / max(last_at - first_at, 1e-9)
