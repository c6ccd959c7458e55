"""What is known of the light and the optics."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """From the version before."""
    op.execute("ALTER TABLE plates ADD COLUMN unevenness FLOAT")
    op.execute("ALTER TABLE plates ADD COLUMN optics JSON")
    op.execute(
        "CREATE TABLE optics (product VARCHAR PRIMARY KEY NOT NULL, at VARCHAR(32) NOT NULL, kept BLOB NOT NULL)"
    )
