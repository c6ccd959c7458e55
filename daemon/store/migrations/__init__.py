"""Alembic's migrations of the result store: one file for each version since the first, in `versions`."""
