"""`linesentry schema`."""

from __future__ import annotations

import json

from tests.command import linesentry


def test_the_schemas_are_json() -> None:
    assert "camera" in json.loads(linesentry("schema").stdout)["properties"]
    assert "windows" in json.loads(linesentry("schema", "--recipe").stdout)["properties"]
