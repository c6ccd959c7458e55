"""The image of a plate, its checksum, and what was ever stored."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """From the version before."""
    op.execute("ALTER TABLE plates ADD COLUMN image VARCHAR")
    op.execute("ALTER TABLE plates ADD COLUMN checksum VARCHAR")
    op.execute(
        "CREATE TABLE upkeep (id INTEGER PRIMARY KEY CHECK (id = 1), begun INTEGER NOT NULL, pruned "
        "INTEGER NOT NULL, highest_pruned INTEGER NOT NULL, in_use BOOLEAN NOT NULL)"
    )
    op.execute("INSERT INTO upkeep SELECT 1, count(*), 0, coalesce(min(plate), 1) - 1, 0 FROM plates")
