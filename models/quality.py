"""What a window says of the picture itself: brightness, contrast, saturation, focus and the share that can be judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """Sums over the pixels that a window owns, so that those of several windows add up (no window counts one twice).

    A pixel is judged when it is unmasked, neither clipped nor blacked out, and lies where the picture is in focus.
    """

    unmasked: int = 0
    """Valid pixels outside the recipe's masks."""
    judged: int = 0
    clipped: int = 0
    """Unmasked pixels at full scale."""
    total: float = 0.0
    """Sum of the grey levels of the pixels that are neither clipped nor blacked out."""
    squares: float = 0.0
    """Sum of their squares."""
    lit: int = 0
    """Number of those pixels."""
    fine: float = 0.0
    """Energy of second differences over 1 px, rounding noise removed, summed over a sample of pixels."""
    coarse: float = 0.0
    """The same over 4 px."""
