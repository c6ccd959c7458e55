"""Makes the pictures of the pages of results in docs/: `python -m tests.results_pictures`, of a made-up store."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from playwright.sync_api import Browser, sync_playwright

from config.load import load_config
from daemon.store.schema import plates
from daemon.web.app import application
from daemon.web.server import WebServer
from daemon.web.site import Site
from tests.daemon.web.conftest import CHROMIUM, SWITCHES
from tests.daemon.web.stores import fill

DOCS = Path(__file__).parents[1] / "docs"
_SHEETS = 120
_SHIFTS = {"early": "06:00-14:00", "late": "14:00-22:00", "night": "22:00-06:00"}


def draw(browser: Browser) -> None:
    """Fill a store with sheets whose light falls in the end, and take a picture of each page."""
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(1)
        with fill(Path(folder), _SHEETS) as store:
            with store.transaction() as connection:
                for plate in range(1, _SHEETS + 1):
                    late = plate > _SHEETS - 10
                    seen = {
                        "brightness": 130 + rng.normal(0, 1.5) - 14 * late,
                        "focus": 0.3 + rng.normal(0, 0.01),
                        "unevenness": 0.1 + rng.normal(0, 0.004),
                        "rows": 19_214 + round(rng.normal(0, 12)),
                        "optics": ["dust"] if late else [],
                    }
                    connection.execute(sa.update(plates).where(plates.c.plate == plate).values(**seen))
            store.end_run()
        config = load_config(None).model_copy(update={"shifts": _SHIFTS})
        server = WebServer(application(Site(config, Path(folder))), "127.0.0.1", 0)
        server.start()
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en", color_scheme="dark")
            for name in ("history", "places", "drift"):
                page.goto(f"http://127.0.0.1:{server.port}/{name}")
                page.screenshot(path=DOCS / f"screen_{name}.jpg", type="jpeg", quality=80)
            page.close()
        finally:
            server.close()


def main() -> None:
    """Make them anew."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(SWITCHES))
        draw(browser)
        browser.close()


if __name__ == "__main__":
    main()
