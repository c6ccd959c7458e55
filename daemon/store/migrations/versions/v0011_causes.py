"""In PostgreSQL, what causes plates had is read from an index, and no more from the rows: these are wide."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """From the version before; a file had such an index from version 9 on."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("plates_verdict_seen", "plates")
        op.create_index(
            "plates_verdict_causes", "plates", ["verdict", "seen_at"], postgresql_include=["plate", "causes"]
        )
