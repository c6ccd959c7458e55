"""The slow faults of the optics, shown by the simulator to the whole service: each alarm is told, measured and kept."""

from __future__ import annotations

import re
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from daemon.cameras.simulated import product_of
from daemon.offline.calibration import make_flat_field
from daemon.store.results import store_path
from simulator.sheets.sheet import render
from tests.integration.conftest import CONFIG, ROWS, Service


def exported(service: Service) -> dict[str, float]:
    """The metrics of the optics that the service exports now, by what stands before the value."""
    address = service.logged("service starts")[0]["metrics"]
    with urllib.request.urlopen(address, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = (line.rpartition(" ") for line in lines if line.startswith("linesentry_optics_"))
    return {name: float(value) for name, _, value in values}


def test_a_flat_field_takes_uneven_light_out_before_anything_is_judged_or_kept(tmp_path: Path) -> None:
    width, uneven = CONFIG["camera"]["width"], 0.4
    light = 200 * (1 - uneven * np.arange(width) / (width - 1))
    for name, grey in (("white", light), ("dark", np.zeros(width))):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), np.tile(np.rint(grey).astype(np.uint8), (100, 1)))
    make_flat_field([tmp_path / "white.png"], [tmp_path / "dark.png"], tmp_path / "flat.json")
    service = Service(
        tmp_path,
        recipe={"length": {"nominal_rows": ROWS // 2}},
        simulator={"ageing": {"uneven": uneven}, "density": 0},
        camera={"flat_field": str(tmp_path / "flat.json")},
        results={"pictures": True, "overview_px": 4000},
    )
    service.start(plates=1)
    try:
        assert service.finish() == 0
    finally:
        service.end()
    (line,) = service.logged("flat field")
    assert line["role"] == "acquire-0"
    row = service.plates()[1]
    shown = cv2.imread(str(service.state / str(row.pictures) / "overview.jpg"), cv2.IMREAD_GRAYSCALE)
    sheet = render(product_of(service.recipe), CONFIG["simulator"]["seed"], 0).image
    assert shown is not None
    # Below the plate is the legend.
    share = shown[: sheet.shape[0], : sheet.shape[1]].mean(axis=0)[50:-50] / sheet.mean(axis=0)[50:-50]
    # Where the sheet covers it, the light falls by a quarter without.
    assert share.max() - share.min() < 0.05
    assert row.brightness == pytest.approx(sheet[sheet > 8].mean(), rel=0.02)


def test_dust_fading_light_and_a_lens_that_moves_are_alarms_and_stand_with_the_plates(tmp_path: Path) -> None:
    plates, after = 16, 5
    service = Service(
        tmp_path,
        recipe={"length": {"nominal_rows": ROWS // 2}, "gates": {"focus": {"least": 0.0}, "judged": 0.0}},
        simulator={"ageing": {"after": after, "light": 0.02, "uneven": 0.3, "dust_column": 800, "defocus": 0.25}},
        optics={"plates": after},
    )
    service.start()
    try:
        service.wait_for(lambda: len(service.finals()) >= plates, seconds=90)
        found = exported(service)
    finally:
        service.end()
    faults = {"light", "uneven light", "dust", "focus"}
    assert {name for name in faults if found[f'linesentry_optics_alarm{{fault="{name}"}}']} == faults
    assert found['linesentry_optics_alarm{fault="length"}'] == 0
    assert found["linesentry_optics_reference_plates"] == after
    assert found['linesentry_optics_change{fault="light"}'] > 0.1
    told = {line["fault"]: line["plate"] for line in service.logged("the optics have changed")}
    assert told.keys() == faults
    assert min(told.values()) > after
    rows = service.plates()
    assert all(fault in rows[plate].optics for fault, plate in told.items())
    assert not any(rows[plate].optics for plate in range(1, after + 1))
    assert all(rows[plate].unevenness for plate in range(1, plates + 1))
    with closing(sqlite3.connect(store_path(service.state))) as store:
        noted = store.execute("SELECT plate, text FROM events WHERE kind = 'optics'").fetchall()
    assert {plate for plate, _ in noted} == set(told.values())
    (dust,) = [text for _, text in noted if text.startswith("dust")]
    first, last = map(int, re.findall(r"camera columns (\d+) to (\d+)", dust)[0])
    # The lens blurs its edges.
    assert first in range(797, 802)
    assert last in range(804, 809)
    for line in service.logged("the optics have changed"):
        assert cv2.imread(line["picture"]) is not None
