"""The archive: which plates have a file of their pixels, why others have none, and what candidates say of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """From the version before."""
    op.create_table(
        "archive",
        sa.Column("plate", sa.Integer, sa.ForeignKey("plates.plate", ondelete="CASCADE"), primary_key=True),
        sa.Column("path", sa.String),
        sa.Column("bytes", sa.BigInteger),
        sa.Column("sha256", sa.String(64)),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("missing", sa.String),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "challenges",
        sa.Column("plate", sa.Integer, sa.ForeignKey("plates.plate", ondelete="CASCADE"), primary_key=True),
        sa.Column("candidate", sa.String(64), primary_key=True),
        sa.Column("recipe", sa.String, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("causes", sa.JSON, nullable=False),
        sa.Column("defects", sa.JSON, nullable=False),
        sqlite_with_rowid=False,
    )
