"""How values stand in messages."""

from __future__ import annotations

import pytest

from config.errors import shown_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (619_910_685, "619.9 MB"),
        (999_949_999, "999.9 MB"),
        (999_950_000, "1.0 GB"),
        (25_769_803_776, "25.8 GB"),
        (10**16, "10,000.0 TB"),
    ],
)
def test_bytes_are_told_in_the_unit_that_people_read(count: int, text: str) -> None:
    assert shown_bytes(count) == text
