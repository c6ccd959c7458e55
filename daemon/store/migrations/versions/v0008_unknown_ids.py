"""Why ids are not known, and why rows are missing."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """From the version before."""
    op.execute("ALTER TABLE plates ADD COLUMN part_unknown VARCHAR")
    op.execute("ALTER TABLE plates ADD COLUMN losses JSON")
