"""The classifier's answers."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """From the version before."""
    op.execute("ALTER TABLE plates ADD COLUMN classifier_sha256 VARCHAR")
    op.execute("ALTER TABLE defects ADD COLUMN probability FLOAT")
    op.execute("ALTER TABLE defects ADD COLUMN unanswered INTEGER DEFAULT 0 NOT NULL")
    op.execute("ALTER TABLE defects ADD COLUMN vetoed BOOLEAN DEFAULT 0 NOT NULL")
