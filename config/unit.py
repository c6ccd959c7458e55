"""What the systemd unit lets its service see, read and write, told from the unit's own lines.

Read is the unit that is installed on this machine, else the one that ships, with the drop-ins of both. Known are the
settings that close or open a part of the file system, and whom the service runs as; rights beyond owner, group and
others (access lists, SELinux) are not.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.load import shipped

NAME = "linesentry.service"
FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
"""Where systemd looks for units and drop-ins, the first wins (systemd.unit, "unit file load path")."""

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - what PrivateTmp replaces
_SYSTEM = {"strict": ("/",), "full": ("/usr", "/boot", "/efi", "/etc"), "yes": ("/usr", "/boot", "/efi")}
_OWN = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}
"""Directories that systemd makes for the service and gives to its user."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one setting does to a part of the file system."""

    prefix: str
    setting: str
    """As it stands in the unit: `ProtectHome=yes`."""
    seen: bool = True
    written: bool = False


class Unit:
    """The settings of one service."""

    def __init__(self, files: tuple[Path, ...], text: str) -> None:
        self.files = files
        self._values = dict[str, list[str]]()
        for key, value in _assignments(text):
            # An empty value takes back what was set before it.
            self._values[key] = [*self._values.get(key, []), value] if value else []
        self._rules = sorted(self._made_rules(), key=lambda rule: len(rule.prefix))

    @classmethod
    def here(cls, root: Path = Path("/")) -> Unit:
        """The unit of this machine with its drop-ins: the installed one, or the one that ships."""
        found = [path for folder in FOLDERS if (path := root / folder / NAME).is_file()]
        drop_ins = dict[str, Path]()
        for folder in reversed(FOLDERS):
            drop_ins |= {path.name: path for path in (root / folder / f"{NAME}.d").glob("*.conf")}
        files = (found[0] if found else shipped("systemd", NAME), *(drop_ins[name] for name in sorted(drop_ins)))
        return cls(files, "\n".join(path.read_text(encoding="utf-8") for path in files))

    @property
    def state(self) -> str | None:
        """The state directory that systemd makes for the service."""
        names = self._words("StateDirectory")
        return f"/var/lib/{names[0]}" if names else None

    @property
    def configuration(self) -> tuple[str, ...]:
        """The directories that its configuration is kept in."""
        return tuple(f"/etc/{name}" for name in self._words("ConfigurationDirectory"))

    def hides(self, path: Path) -> Rule | None:
        """The setting that hides the path from the service, None where it is seen."""
        return next((rule for place in _places(path) if not (rule := self._rule(place)).seen), None)

    def forbids_writing(self, path: Path) -> Rule | None:
        """The setting that makes the path read-only for the service, None where there is none."""
        return next((rule for place in _places(path) if not (rule := self._rule(place)).written), None)

    def locked(self, path: Path, *, write: bool = False) -> Path | None:
        """The file or folder on the way to the path whose permissions stop the service's user; None where none does."""
        user = self._user()
        real = Path(os.path.realpath(path))
        if user == 0 or any(_within(place, own) for place in _places(path) for own in self._own()):
            return None
        groups, rule = self._groups(), self._rule(str(real))
        bound = rule.prefix if rule.setting.startswith("Bind") else "/"
        try:
            for folder in reversed(real.parents):
                # What a bind shows is reached through its own place alone.
                if _within(str(folder), bound) and not _may(folder.stat(), user, groups, stat.S_IXOTH):
                    return folder
            found = real.stat()
        except OSError:
            return None  # not there: told elsewhere
        wanted = stat.S_IROTH | (stat.S_IXOTH if real.is_dir() else 0) | (stat.S_IWOTH if write else 0)
        return None if _may(found, user, groups, wanted) else real

    def _rule(self, place: str) -> Rule:
        """The rule that holds there: of the longest prefix, among equals the last."""
        return [rule for rule in self._rules if _within(place, rule.prefix)][-1]

    def _made_rules(self) -> Iterator[Rule]:
        system = self._last("ProtectSystem", "strict" if self._on("DynamicUser") else "no")
        yield Rule("/", "", written=True)
        for place in _SYSTEM.get("yes" if _true(system) else system, ()):
            yield Rule(place, f"ProtectSystem={system}")
        home = self._last("ProtectHome", "read-only" if self._on("DynamicUser") else "no")
        if _true(home) or home in {"tmpfs", "read-only"}:
            yield from (Rule(place, f"ProtectHome={home}", seen=home == "read-only") for place in _HOMES)
        temporary = self._last("PrivateTmp", "yes" if self._on("DynamicUser") else "no")
        if _true(temporary) or temporary == "disconnected":
            yield from (Rule(place, f"PrivateTmp={temporary}", seen=False) for place in _TEMPORARY)
        for key, seen, written in (
            ("InaccessiblePaths", False, False),
            ("TemporaryFileSystem", False, False),
            ("ReadOnlyPaths", True, False),
            ("ReadWritePaths", True, True),
            ("BindReadOnlyPaths", True, False),
            ("BindPaths", True, True),
        ):
            for place in self._paths(key):
                yield Rule(place, f"{key}={place}", seen, written)
        yield from (Rule(own, "", written=True) for own in self._own())

    def _own(self) -> list[str]:
        """What systemd makes for the service; a dynamic user's lies below `private`, with a link to it."""
        folders = [(base, name) for key, base in _OWN.items() for name in self._words(key)]
        return [f"{base}{private}/{name}" for base, name in folders for private in ("", "/private")]

    def _paths(self, key: str) -> list[str]:
        """The paths of a setting, as the service sees them; those with a specifier (%h) are passed over."""
        inner = [word.lstrip("-+").split(":") for word in self._words(key)]
        found = [parts[1] if key.startswith("Bind") and len(parts) > 1 else parts[0] for parts in inner]
        return [os.path.normpath(path) for path in found if path.startswith("/") and "%" not in path]

    def _user(self) -> int | None:
        """The service's user; None for one that is made at its start and owns nothing before."""
        name = self._last("User", "" if self._on("DynamicUser") else "root")
        if name.isdecimal():
            return int(name)
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            return None

    def _groups(self) -> set[int]:
        found = set[int]()
        name = self._last("User", "")
        for group in grp.getgrall():
            if group.gr_name in {*self._words("Group"), *self._words("SupplementaryGroups")} or name in group.gr_mem:
                found.add(group.gr_gid)
        try:
            return found | {pwd.getpwnam(name).pw_gid}
        except KeyError:
            return found

    def _last(self, key: str, default: str) -> str:
        return self._values[key][-1] if self._values.get(key) else default

    def _on(self, key: str) -> bool:
        return _true(self._last(key, "no"))

    def _words(self, key: str) -> list[str]:
        return [word for value in self._values.get(key, []) for word in shlex.split(value)]


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()  # noqa: PLW2901 - the same line
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and line[0] not in "#;":
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def _true(value: str) -> bool:
    return value.lower() in {"yes", "true", "on", "1"}


def _places(path: Path) -> tuple[str, ...]:
    """The path as it is written, and where its links lead: the service needs both."""
    return os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100 - links are followed in the second alone


def _within(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip("/") + "/")


def _may(found: os.stat_result, user: int | None, groups: set[int], wanted: int) -> bool:
    """Whether the mode grants what is wanted, given as bits of others."""
    shift = 6 if found.st_uid == user else 3 if found.st_gid in groups else 0
    return (found.st_mode >> shift) & wanted == wanted
