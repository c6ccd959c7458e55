"""The command line as a user meets it: a real process for each call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SMALL = """
name: small
length: {nominal_rows: 1300}
columns: {first: 100, last: 1400}
pitch: {row_mm: 0.05204, column_mm: 0.04163}
"""
LINE = """
recipe: small.yaml
camera: {width: 2048, strip_rows: 128, gap_rows: 200}
simulator: {sheets: 1}
workers: {count: 1}
telemetry: {port: 0}
"""


def linesentry(*arguments: str | Path, seconds: float = 100) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, its output no terminal."""
    command = [sys.executable, "-m", "daemon", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def small_line(folder: Path) -> Path:
    """A configuration of a line with sheets that are quickly made, and its recipe beside it."""
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    config = folder / "line.yaml"
    config.write_text(LINE, encoding="utf-8")
    return config
