"""The addresses of a plate: its page, its pictures, and where its marks are sent to."""

from __future__ import annotations

from starlette.routing import Route

from daemon.web.sheet import files, marking
from daemon.web.sheet.page import sheet_page

ROUTES = [Route("/sheet/{plate}", sheet_page), *files.ROUTES, *marking.ROUTES]
