"""The page of the service: what runs, what it runs with, and what it warned of."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from config.load import shipped
from config.schema import Config
from daemon.web.live import OLD_S
from daemon.web.pages import page
from daemon.web.site import Site, site_of
from daemon.wire.messages import LineState, ServiceState

_SECRET = re.compile("password|secret|token|credential", re.IGNORECASE)
_USER_AND_QUERY = re.compile(r"(?<=://)[^/@\s]+@|\?\S*")
"""What of an address may be secret."""
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on the disk of the state directory, bytes."""

    free: int
    total: int


def service_page(request: Request) -> Response:
    """The page."""
    site = site_of(request)
    _, line = site.live.get()
    age_s = site.live.age_s()
    return page(
        request,
        "service.html.j2",
        old=age_s is None or age_s > OLD_S,
        line=line,
        service=site.live.service(),
        memory=_memory(line),
        disk=_disk(site.state),
        state=str(site.state),
        configuration=shown_configuration(site.config),
        metrics=_metrics(site, site.live.service()),
        gigabytes=lambda size: f"{size / _GB:.1f}",
    )


def dashboard(_request: Request) -> Response:
    """The dashboard for Grafana that ships, as a file."""
    path = shipped("grafana", "linesentry.json")
    return FileResponse(path, media_type="application/json", filename=path.name)


def shown_configuration(config: Config) -> str:
    """The configuration as YAML; what may be secret in it is left out."""
    return yaml.safe_dump(_shown(config.model_dump(mode="json")), sort_keys=False, allow_unicode=True, width=100)


def _shown(value: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {key: _shown(one, str(key)) for key, one in value.items()}
        case list():
            return [_shown(one, name) for one in value]
        case str() if _SECRET.search(name) and not name.endswith("_file"):
            return "(not shown)"
        case str():
            return _USER_AND_QUERY.sub("", value) if "://" in value else value
        case _:
            return value


def _memory(line: LineState | None) -> int:
    return 0 if line is None else sum(role.memory_bytes for role in line.roles.values())


def _disk(directory: Path) -> Disk | None:
    try:
        found = shutil.disk_usage(directory)
    except OSError:
        return None
    return Disk(found.free, found.total)


def _metrics(site: Site, service: ServiceState | None) -> str | None:
    if service is None:
        return None
    host = site.config.telemetry.host
    return f"http://{f'[{host}]' if ':' in host else host}:{service.metrics_port}/metrics"


ROUTES = [Route("/service", service_page), Route("/service/dashboard.json", dashboard)]
