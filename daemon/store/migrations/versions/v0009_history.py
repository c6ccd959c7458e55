"""The serial number of the camera that saw a plate, what people say of plates, and indices for years of plates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """From the version before."""
    op.add_column("plates", sa.Column("camera", sa.String))
    op.create_table(
        "marks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("plate", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("defect", sa.Integer),
        sa.Column("shape", sa.String),
        sa.Column("x0", sa.Integer),
        sa.Column("y0", sa.Integer),
        sa.Column("x1", sa.Integer),
        sa.Column("y1", sa.Integer),
        sa.Column("who", sa.String, nullable=False),
        sa.Column("why", sa.String),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_marks_plate", "marks", ["plate"])
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("plates_verdict", "plates", ["verdict", "seen_at", "causes"])
    else:
        op.create_index("plates_verdict_seen", "plates", ["verdict", "seen_at"])
    op.create_index("plates_recipe", "plates", ["recipe", "seen_at", "verdict"])
    op.create_index("plates_product", "plates", ["product", "seen_at", "verdict"])
    op.create_index("plates_batch", "plates", ["batch_id", "seen_at", "verdict"])
    op.create_index("plates_part", "plates", ["part_id"])
    op.create_index("defects_place", "defects", ["peak_x", "peak_y"])
