"""The memory that a service takes, before it takes any."""

from __future__ import annotations

from typing import Any

import pytest

from config.load import load_recipe, with_overrides
from config.schema import Config, Recipe, Windows
from daemon.service.needs import service_needs
from models.machine.memory import shortage

RECIPE = load_recipe("P10B")


def needed(overrides: dict[str, Any], recipe: Recipe = RECIPE, workers: int = 2, plates: int | None = None) -> int:
    return sum(need.size for need in service_needs(with_overrides(Config(), overrides), [recipe], workers, plates))


@pytest.mark.parametrize(
    ("overrides", "more"),
    [
        ({"slots": 4}, 21135 * 9777),
        ({"camera.buffers": 9}, 512 * 16384),
        ({"camera.strip_rows": 1024}, 9 * 512 * 16384),
        ({"simulator.sheets": 4}, 19214 * 9777),
    ],
)
def test_what_is_reserved_is_counted_to_the_pages_of_a_header(overrides: dict[str, Any], more: int) -> None:
    # A slot also has a header of a little over a page.
    assert needed(overrides) - needed({}) == pytest.approx(more, abs=2 * 4096)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"slots": 10**6}, "slots"),
        ({"camera.buffers": 2 * 10**6}, "camera.buffers"),
        ({"camera.strip_rows": 10**8}, "camera.strip_rows"),
        ({"camera.width": 10**6, "camera.strip_rows": 10**5}, "camera.strip_rows"),
        ({"simulator.sheets": 10**5}, "simulator.sheets"),
    ],
)
def test_each_key_that_asks_for_too_much_is_named(overrides: dict[str, Any], key: str) -> None:
    needs = service_needs(with_overrides(Config(), overrides), [RECIPE], 2)
    why = shortage(needs, 10**11)
    assert why is not None
    assert key in why.partition(": lower ")[2]


def test_many_workers_and_large_windows_count() -> None:
    large = RECIPE.model_copy(update={"windows": Windows(size=16_000, stride=10_000)})
    assert needed({}, large, 64) > 64 * 16_000**2
    assert needed({}, workers=3) - needed({}) > 100_000_000


def test_a_server_of_opc_ua_counts_for_more_than_another_output() -> None:
    opcua, plc = {"outputs.opcua": [{"name": "gate"}]}, {"outputs.modbus": [{"name": "gate", "host": "plc"}]}
    assert needed(opcua) - needed({}) > 100_000_000 > needed(plc) - needed({}) > 30_000_000


def test_a_folder_or_a_few_plates_need_fewer_sheets_rendered() -> None:
    assert needed({}) - needed({"camera.source": "folder", "camera.folder": "x"}) > 3 * 19214 * 9777
    assert needed({}, plates=1) == needed({"simulator.sheets": 1})


def test_the_shipped_configuration_fits_a_small_machine() -> None:
    """By measurement it takes 1.6 GB with two workers; sheets, their rendering and the archive's copy come on top."""
    assert 1.6e9 < needed({}) < 3.5e9
