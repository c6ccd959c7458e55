"""The first version, whose tables a program made at once."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From the version before."""
