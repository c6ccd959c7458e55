"""What every answer of the screen has in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from daemon.web import headers
from tests.daemon.web.conftest import Screen

VENDOR = Path(headers.__file__).parent / "static" / "vendor"


@pytest.mark.parametrize("path", ["/", "/no/such/page", "/static/style.css", "/static/../app.py", "/events%00"])
def test_every_answer_forbids_what_comes_from_elsewhere(screen: Callable[..., Screen], path: str) -> None:
    answer = httpx.get(screen().address + path)
    assert answer.status_code in (200, 404)
    assert {name: answer.headers[name] for name in headers.HEADERS} == headers.HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/static/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "/static//etc/passwd"])
def test_no_file_outside_of_the_static_ones_is_served(screen: Callable[..., Screen], path: str) -> None:
    assert httpx.get(screen().address + path).status_code == 404


def test_each_package_of_others_is_as_its_maker_has_it_and_is_listed_with_version_and_licence() -> None:
    listed = {
        VENDOR / cell[3]: cell[4]
        for line in (VENDOR / "README.md").read_text("utf-8").splitlines()
        if line.startswith("|")
        and len(cell := [one.strip() for one in line.strip("|").split("|")]) == 5
        and len(cell[4]) == 64
    }
    scripts = [path for path in VENDOR.rglob("*") if path.suffix in (".js", ".css")]
    assert scripts
    assert sorted(listed) == sorted(scripts)
    for path, sha256 in listed.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        assert (path.parent / "LICENSE.txt").exists()
