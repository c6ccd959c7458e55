"""A checksum of each mark, as plates have one: what people say is learnt from, and proved when it is read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """From the version before; marks that are there have none."""
    op.add_column("marks", sa.Column("checksum", sa.String))
