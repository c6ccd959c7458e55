"""The figures of a bench as people read them."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from daemon.lab.bench import bench_table


def test_the_table_shows_sizes_and_parts_in_words() -> None:
    result = {
        "recipe": "small",
        "cpu": "Some CPU",
        "cpu_flags": ["avx2", "amx_bf16"],
        "line_mpx_per_s": 3.8,
        "memory_beyond_ring_bytes": 448_655_360,
        "memory_by_role_bytes": {"acquire": 39_223_296, "record": 52_891_648},
        "short_plate_verdicts": {"NG": 5},
    }
    out = StringIO()
    Console(file=out, width=200).print(bench_table(result))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    assert ["cpu_flags", "avx2, amx_bf16"] in rows
    assert ["line_mpx_per_s", "3.8"] in rows
    assert ["memory_beyond_ring", "448.7 MB"] in rows
    assert ["memory_by_role", "acquire 39.2 MB, record 52.9 MB"] in rows
    assert ["short_plate_verdicts", "NG 5"] in rows
