"""How long services had worked when a plate was seen."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """From the version before."""
    op.execute("ALTER TABLE plates ADD COLUMN uptime_s FLOAT DEFAULT 0 NOT NULL")
    op.execute("CREATE INDEX ix_plates_uptime_s ON plates (uptime_s)")
