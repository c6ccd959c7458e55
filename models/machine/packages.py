"""Packages that not every installation has: which extra of linesentry brings them."""

from __future__ import annotations

import importlib.util
import sys


def missing(package: str, extra: str) -> str | None:
    """That the package is needed, and the command that installs it; None where it is installed."""
    if importlib.util.find_spec(package) is not None:
        return None
    return f"needs the package {package}: run {sys.executable} -m pip install 'linesentry[{extra}]'"
