"""The page that lists every column of plates and defects: docs/reference/columns.md.

`python -m daemon.store.reference_page` writes it anew after a change of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daemon.store.columns import DEFECT_COLUMNS, PLATE_COLUMNS, Column
from daemon.store.view import NESTED

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "columns.md"
_HEAD = """# Columns

What each column of a plate and of a defect means, made from the code by `python -m daemon.store.reference_page`.

- The columns are the same in CSV, Parquet and JSON. Their names and meanings stay; new ones come last.
- A time is UTC: ISO text in CSV and JSON, a timestamp in Parquet.
- A list of texts is joined by `; ` in CSV.
- What is not known is empty in CSV, and null in Parquet and JSON.
- In CSV a text that begins with `=`, `+`, `-` or `@` has an apostrophe before it, so that no spreadsheet calculates it.
- Places are px in plate coordinates: across from the left edge, and along the travel from the leading edge.

"""
_PLATES = """## Plates

A row for each plate: [`linesentry results`](../how-to/read-results.md#for-programs-and-spreadsheets).

"""
_NESTED = """
In JSON a plate also has:

| key | meaning |
|---|---|
"""
_DEFECTS = """
## Defects

A row for each defect, and for each crack that somebody marked as missed.

"""


def page() -> str:
    """The whole page, as text that ends in a newline."""
    nested = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in NESTED.items())
    return _HEAD + _PLATES + _table(PLATE_COLUMNS) + _NESTED + nested + _DEFECTS + _table(DEFECT_COLUMNS)


def _table(columns: Sequence[Column[Any]]) -> str:
    rows = (f"| `{column.name}` | {column.kind} | {column.meaning} |\n" for column in columns)
    return "| column | holds | meaning |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
