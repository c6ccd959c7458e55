"""Makes the picture of the page of one sheet in docs/: `python -m tests.sheet_picture`, from a real archive."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from playwright.sync_api import Page, sync_playwright

from daemon.store.archive_files import archive_path
from daemon.store.evidence import write_evidence
from daemon.store.pictures import plate_directory
from daemon.store.results import Store, store_path
from daemon.store.rows import result_of
from daemon.web.app import application
from daemon.web.server import WebServer
from daemon.web.site import Site
from models.images import open_image
from tests import archived

DOCS = Path(__file__).parents[1] / "docs"
SIDE = 2600
_SETTLED_MS = 2500


def sheets(folder: Path) -> archived.ArchivedPlates:
    """Plates large enough to be zoomed, with their pictures."""
    recipe = archived.RECIPE.replace(str(archived.SIDE), str(SIDE))
    with mock.patch.multiple(archived, SIDE=SIDE, RECIPE=recipe):
        made = archived.archived_plates(folder, ("S-1041", "S-1042", "S-1043"))
    with Store.open(store_path(made.state)) as store:
        for row in made.rows:
            with open_image(archive_path(made.state / "archive", archived.RUN, row.plate)) as image:
                pixels = np.ascontiguousarray(image.rows(0, image.height))
            directory = plate_directory(made.state, archived.RUN, row.plate)
            write_evidence(pixels, result_of(row), directory)
            store.set_pictures(row.plate, directory)
        store.end_run()
    return made


def sheet(page: Page, address: str) -> None:
    """A plate with a defect close by."""
    page.goto(f"{address}/sheet/1?lang=en")
    page.wait_for_selector("#viewer[data-open]")
    page.keyboard.press("n")
    page.wait_for_timeout(_SETTLED_MS)
    page.screenshot(path=DOCS / "screen_sheet.jpg", type="jpeg", quality=80)


def main() -> None:
    """Make it anew."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        made = sheets(Path(folder))
        server = WebServer(application(Site(made.settings, made.state)), "127.0.0.1", 0)
        server.start()
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="dark")
        sheet(page, f"http://127.0.0.1:{server.port}")
        browser.close()
        server.close()


if __name__ == "__main__":
    main()
