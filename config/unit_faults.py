"""What a configuration names and the systemd unit's service could not use: hidden, locked, or out of its reach."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from config.errors import Told
from config.load import is_recipe_path
from config.outputs import files, hosts
from config.schema import Config, Recipe, Web
from config.schema.service import DEVICES
from config.switches import plc_of_switch, token_file
from config.systemd_unit import NAME, Unit
from config.web import CREDENTIALS, reaches_this_machine_alone, web_files


def unit_faults(config: Config, recipe: Recipe, path: Path | None, unit: Unit) -> Told:
    """What the configuration names and the service could not use: hidden, locked, or read-only for it."""
    named: list[tuple[bool, str, Path]] = []
    if path is not None and configures(unit, path):
        named.append((False, "", path))
    if is_recipe_path(config.recipe):
        named.append((False, "recipe", Path(config.recipe)))
    if config.camera.source == "folder" and config.camera.folder is not None:
        named.append((False, "camera.folder", config.camera.folder))
    if config.camera.flat_field is not None:
        named.append((False, "camera.flat_field", config.camera.flat_field))
    if config.camera.source == "gentl" and config.camera.producer is not None:
        named.append((False, "camera.producer", config.camera.producer))
    if config.camera.source in DEVICES and config.camera.feature_file is not None:
        named.append((False, "camera.feature_file", config.camera.feature_file))
    if (token := token_file(config.camera)) is not None:
        named.append((False, "camera.switch.http.token_file", token))
    if recipe.classifier.mode != "off" and recipe.classifier.weights is not None:
        named.append((True, "classifier.weights", Path(recipe.classifier.weights)))
    elif recipe.classifier.mode != "off" and config.classify.weights is not None:
        named.append((False, "classify.weights", config.classify.weights))
    if recipe.weights is not None:
        named.append((True, "weights", Path(recipe.weights)))
    named += [(False, key, file) for key, file in files(config.outputs)]
    faults = [(in_recipe, key, fault) for in_recipe, key, file in named if (fault := _unseen(file, unit))]
    for key, host in _asked(config):
        if setting := unit.shuts_out(host):
            told = f"the service cannot reach {host} ({setting} in its unit): `systemctl edit {NAME}` and add"
            faults.append((False, key, f"{told}, below [Service], IPAddressAllow={host}"))
    faults += [(False, key, fault) for key, fault in _web_faults(config.web, unit)]
    return faults + [(False, key, fault) for key, folder in _folders(config) if (fault := _unwritten(folder, unit))]


def _web_faults(web: Web, unit: Unit) -> list[tuple[str, str]]:
    """Certificate files that the unit does not hand on, and browsers that it shuts out."""
    faults: list[tuple[str, str]] = []
    for key, file in web_files(web):
        if not file.is_relative_to(CREDENTIALS) and _unseen(file, unit):
            told = f"the service cannot read {file}: `systemctl edit {NAME}` and add, below [Service], LoadCredential="
            faults.append((key, f"{told}{file.name}:{file}; then name {CREDENTIALS / file.name} here"))
        if file.is_relative_to(CREDENTIALS) and file.name not in unit.credentials:
            told = f"found {str(file)!r}, which the unit hands on to nobody: `systemctl edit {NAME}` and add"
            faults.append((key, f"{told}, below [Service], LoadCredential={file.name}:FILE"))
    if not web.enabled or reaches_this_machine_alone(web.host):
        return faults
    allow = f"`systemctl edit {NAME}` and add, below [Service], IPAddressAllow="
    if web.proxy is not None and web.tls is None:
        if setting := unit.shuts_out(web.proxy):
            faults.append(("web.proxy", f"the unit lets {web.proxy} not in ({setting}): {allow}{web.proxy}"))
    elif not unit.lets_in_any_network:
        told = "the unit lets in no browser of another machine (IPAddressDeny)"
        faults.append(("web.host", f"{told}: {allow} with their network, as 192.168.1.0/24"))
    return faults


def _folders(config: Config) -> list[tuple[str, Path]]:
    """Those that the service writes to, and that the configuration names, by its key."""
    archive = config.archive.directory if config.archive.on else None
    named = {"state_directory": config.state_directory, "archive.directory": archive}
    return [(key, folder) for key, folder in named.items() if folder is not None]


def _asked(config: Config) -> list[tuple[str, str]]:
    """Hosts that the service talks to, with the key that names each."""
    asked = hosts(config.outputs)
    if config.camera.source == "aravis" and config.camera.device is not None:
        asked.append(("camera.device", config.camera.device))
    if config.store.url is not None and (server := urlsplit(config.store.url).hostname) is not None:
        asked.append(("store.url", server))
    if (plc := plc_of_switch(config.camera)) is not None:
        asked.append(plc)
    return asked


def configures(unit: Unit, path: Path) -> bool:
    """Whether the file lies where the unit keeps its configuration."""
    return any(path.absolute().is_relative_to(folder) for folder in unit.configuration)


def _unseen(path: Path, unit: Unit) -> str | None:
    """Why the service cannot read that file or folder, and what to do; None where it can."""
    path = path.absolute()
    if rule := unit.hides(path):
        told = f"the service cannot see {path} ({rule.setting} in its unit): put it elsewhere, as below /srv/linesentry"
        if rule.setting.startswith("InaccessiblePaths"):
            return told
        home = "ProtectHome=tmpfs and " if rule.setting.startswith("ProtectHome") else ""
        return f"{told}; or `systemctl edit {NAME}` and add, below [Service], {home}BindReadOnlyPaths={path}"
    stopped = unit.locked(path)
    if stopped is None and path.is_dir():
        stopped = next((locked for file in sorted(path.iterdir()) if (locked := unit.locked(file))), None)
    if stopped is None:
        return None
    return f"the service's user cannot read {path}: run chmod o+r{'x' if stopped.is_dir() else ''} {stopped}"


def _unwritten(path: Path, unit: Unit) -> str | None:
    """Why the service cannot write into that state directory, and what to do; None where it can."""
    path = path.absolute()
    instead = "" if unit.state is None else f"leave it out, and the service writes to {unit.state}; or "
    if rule := unit.hides(path):
        return f"the service cannot see {path} ({rule.setting} in its unit): {instead}choose another place"
    if rule := unit.forbids_writing(path):
        return (
            f"the service cannot write to {path} ({rule.setting} in its unit): {instead}`systemctl edit {NAME}` and "
            f"add, below [Service], User=NAME and ReadWritePaths={path}, a directory that user NAME owns"
        )
    if stopped := unit.locked(path, write=True):
        return f"the service's user cannot write to {path} because of {stopped}: {instead}give it to that user (chown)"
    return None
