"""Numbers, shares and moments as people write them in each language."""

from __future__ import annotations

from datetime import datetime

from models.measure.assessment import Share

_GERMAN = str.maketrans(",.", ".,")


class Numbers:
    """How a language writes numbers."""

    def __init__(self, language: str) -> None:
        self._german = language == "de"

    def whole(self, value: int) -> str:
        """`12,345`."""
        return self._as(f"{value:,}")

    def short(self, value: float, digits: int = 3) -> str:
        """So many digits that count, and no exponent where people can do without."""
        text = f"{value:.{digits}g}"
        return self._as(text if "e" not in text or abs(value) < 1 else f"{value:,.0f}")

    def fixed(self, value: float, digits: int) -> str:
        """So many digits behind the point."""
        return self._as(f"{value:,.{digits}f}")

    def percent(self, share: float) -> str:
        """`3.25 %`."""
        return f"{self.short(100 * share)} %"

    def between(self, share: Share) -> str:
        """The interval of a share, in percent: `2.9 - 3.6 %`; empty where nothing was looked at."""
        return f"{self.short(100 * share.lower)} - {self.short(100 * share.upper)} %" if share.of else ""

    def _as(self, text: str) -> str:
        return text.translate(_GERMAN) if self._german else text


def moment(at: datetime) -> str:
    """By this machine's clock, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
