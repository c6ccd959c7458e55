"""What outputs said of a plate."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """From the version before."""
    op.execute("CREATE TABLE outputs (name VARCHAR NOT NULL PRIMARY KEY, first_plate INTEGER NOT NULL)")
    op.execute(
        "CREATE TABLE tellings (plate INTEGER NOT NULL, output VARCHAR NOT NULL, outcome VARCHAR NOT "
        "NULL, divert BOOLEAN NOT NULL, times INTEGER NOT NULL, said_at VARCHAR(32), answered_at "
        "VARCHAR(32), answer VARCHAR NOT NULL, PRIMARY KEY (plate, output), FOREIGN KEY(plate) REFERENCES "
        "plates (plate) ON DELETE CASCADE) WITHOUT ROWID"
    )
