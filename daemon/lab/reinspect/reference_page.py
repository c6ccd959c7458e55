"""The page that lists every column of a re-inspection: docs/reference/reinspection.md.

`python -m daemon.lab.reinspect.reference_page` writes it anew after a change of a column.
"""

from __future__ import annotations

from pathlib import Path

from daemon.lab.reinspect.columns import REINSPECT_COLUMNS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "reinspection.md"
_HEAD = """# Columns of a re-inspection

What each column of `linesentry reinspect --csv` means, made from the code by
`python -m daemon.lab.reinspect.reference_page`.

- A plate has one row, and one more for each defect that would change. In the plate's own row `change` is empty.
- `--json` has a line for each plate. Its defects that would change are the list `changes`, with the columns from
  `change` on.
- What else holds of all tables: [columns](columns.md).

"""


def page() -> str:
    """The whole page, as text that ends in a newline."""
    rows = (f"| `{column.name}` | {column.kind} | {column.meaning} |\n" for column in REINSPECT_COLUMNS)
    return _HEAD + "| column | holds | meaning |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
