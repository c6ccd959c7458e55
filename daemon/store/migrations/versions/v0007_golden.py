"""The check standard."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """From the version before."""
    op.execute(
        "CREATE TABLE golden_standards (recipe VARCHAR PRIMARY KEY NOT NULL, at VARCHAR(32) NOT NULL, "
        "plates JSON NOT NULL, standard JSON NOT NULL)"
    )
    op.execute(
        "CREATE TABLE golden_checks (id INTEGER NOT NULL PRIMARY KEY, at VARCHAR(32) NOT NULL, recipe "
        'VARCHAR NOT NULL, plate INTEGER NOT NULL, passed BOOLEAN NOT NULL, "values" JSON NOT NULL, '
        "failures JSON NOT NULL)"
    )
    op.execute("CREATE INDEX ix_golden_checks_recipe ON golden_checks (recipe)")
