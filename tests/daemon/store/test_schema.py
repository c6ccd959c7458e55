"""The tables as people read of them."""

from __future__ import annotations

import re
from pathlib import Path

from daemon.store.schema import SCHEMA_VERSION, metadata

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "store.md"


def test_the_reference_page_has_every_table_with_every_column_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"at present {SCHEMA_VERSION}." in text
    described: dict[str, set[str]] = {}
    for section in text.split("\n## ")[1:]:
        title, body = section.split("\n", 1)
        for line in body.splitlines():
            cells = [re.findall(r"`(\w+)`", cell) for cell in line.strip("|").split("|")]
            if line.startswith("| `") and title == "The others":
                described[cells[0][0]] = set(cells[1])
            elif line.startswith("| `") and cells[0]:
                described.setdefault(title, set()).update(cells[0])
    assert described == {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}
