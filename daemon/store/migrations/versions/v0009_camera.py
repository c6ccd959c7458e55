"""The serial number of the camera that saw a plate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """From the version before."""
    op.add_column("plates", sa.Column("camera", sa.String))
