"""Streams that are closed or full, few files, no working directory: a line each, and no traceback."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import linesentry

LINESENTRY = Path(sys.executable).parent / "linesentry"


def by_shell(words: str, directory: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`{}` is the command."""
    script = words.replace("{}", str(LINESENTRY))
    return subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=100, check=False, cwd=directory
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("{} paths >/dev/full", 1, "linesentry: cannot write to stdout: No space left on device\n"),
        ("{} paths >&-", 1, "linesentry: cannot write to stdout: it is closed\n"),
        ("{} paths <&- 2>&- >/dev/null", 0, ""),
        ("{} paths nosuch 2>&-", 2, ""),
        ("{} paths nosuch 2>/dev/full", 1, ""),
        ("set -o pipefail; { sleep 1; {} paths; } | true", 1, ""),
    ],
)
def test_a_stream_that_cannot_be_written(words: str, code: int, said: str) -> None:
    done = by_shell(words)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_working_directory_that_is_gone(tmp_path: Path) -> None:
    done = by_shell("mkdir d && cd d && rmdir ../d && {} check", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "linesentry: the working directory is gone: change to one that exists, and try again\n"


def test_few_files_are_more_where_the_machine_allows_them() -> None:
    code = "from daemon.cli.surroundings import prepare; import resource; prepare(); "
    code += "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    done = by_shell(f"ulimit -Sn 64; {sys.executable} -c '{code}'")
    assert int(done.stdout) == (4096 if hard == resource.RLIM_INFINITY else min(4096, hard))


def test_a_file_that_cannot_be_read_is_named_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "text").touch()
    done = linesentry("simulate", tmp_path / "text" / "below", "--product", "U20B", "--plates", "1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
