"""What the detector raises."""

from __future__ import annotations


class DetectorError(Exception):
    """The detector cannot be made, or does not give the answers that it must."""
