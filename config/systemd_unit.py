"""What the systemd unit lets its service see, read and write, told from the unit's own lines.

Read is the unit that is installed on this machine, else the one that ships, with the drop-ins of both. Known are the
settings that close or open a part of the file system, and whom the service runs as; rights beyond owner, group and
others (access lists, SELinux) are not. What settings do together is as it was seen with systemd 252: a bind shows what
was emptied, not what was closed, and the permissions of the folders around it still hold.
"""

from __future__ import annotations

import grp
import ipaddress
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.load import shipped

NAME = "linesentry.service"
FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
"""Where systemd looks for units and drop-ins, the first wins (systemd.unit, "unit file load path")."""

Effect = Literal["closed", "emptied", "shown", "read-only", "writable"]
"""`closed` is so whatever else is set below it. What is `emptied` holds only what a bind shows there."""

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
_NETWORKS = {
    "any": ("0.0.0.0/0", "::/0"),
    "localhost": ("127.0.0.0/8", "::1/128"),
    "link-local": ("169.254.0.0/16", "fe80::/64"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
}
_PATHS: dict[str, tuple[Effect, ...]] = {
    "InaccessiblePaths": ("closed",),
    "TemporaryFileSystem": ("emptied",),
    "ReadOnlyPaths": ("read-only",),
    "ReadWritePaths": ("writable",),
    "BindReadOnlyPaths": ("shown", "read-only"),
    "BindPaths": ("shown", "writable"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What one setting does to a part of the file system."""

    prefix: str
    effect: Effect
    setting: str = ""
    """As it stands in the unit: `ProtectHome=yes`."""


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

    @property
    def credentials(self) -> set[str]:
        """Names of the files that systemd hands on to the service."""
        return {word.partition(":")[0] for word in self._words("LoadCredential")}

    @property
    def lets_in_any_network(self) -> bool:
        """Whether more addresses than this machine's own are let in."""
        if not self._words("IPAddressDeny"):
            return True
        allowed = [network for word in self._words("IPAddressAllow") for network in _networks(word)]
        return any(not network.is_loopback for network in allowed)

    def hides(self, path: Path) -> Rule | None:
        """The setting that hides the path from the service, None where it is seen."""
        for place in _places(path):
            if closed := self._rule(place, "closed"):
                return closed
            rule = self._rule(place, "emptied", "shown")
            if rule is not None and rule.effect == "emptied":
                return rule
        return None

    def forbids_writing(self, path: Path) -> Rule | None:
        """The setting that makes the path read-only for the service, None where there is none."""
        rules = (self._rule(place, "read-only", "writable") for place in _places(path))
        return next((rule for rule in rules if rule is not None and rule.effect == "read-only"), None)

    def locked(self, path: Path, *, write: bool = False) -> Path | None:
        """The file or folder on the way to the path whose permissions stop the service's user; None where none does."""
        user, groups = self._user(), self._groups()
        real = Path(os.path.realpath(path))
        if user == 0 or any(_within(place, own) for place in _places(path) for own in self._own()):
            return None
        made = _between(self._rule(str(real), "emptied"), self._rule(str(real), "shown"))
        try:
            for folder in reversed(real.parents):
                if folder not in made and not _may(folder.stat(), user, groups, stat.S_IXOTH):
                    return folder
            found = real.stat()
        except OSError:
            return None  # not there: told elsewhere
        wanted = stat.S_IROTH | (stat.S_IXOTH if real.is_dir() else 0) | (stat.S_IWOTH if write else 0)
        return None if _may(found, user, groups, wanted) else real

    def shuts_out(self, host: str) -> str | None:
        """The setting by which the service cannot reach that address; None where it can, and for a name."""
        try:
            address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        except ValueError:
            return None
        if any(address in network for word in self._words("IPAddressAllow") for network in _networks(word)):
            return None
        denied = (word for word in self._words("IPAddressDeny") if any(address in one for one in _networks(word)))
        return next((f"IPAddressDeny={word}" for word in denied), None)

    def _rule(self, place: str, *effects: Effect) -> Rule | None:
        """The rule of these effects that holds there: of the longest prefix, among equals the last."""
        found = [rule for rule in self._rules if rule.effect in effects and _within(place, rule.prefix)]
        return found[-1] if found else None

    def _made_rules(self) -> Iterator[Rule]:
        dynamic = self._on("DynamicUser")
        system = self._last("ProtectSystem", "strict" if dynamic else "no")
        for place in _SYSTEM.get("yes" if _true(system) else system, ()):
            yield Rule(place, "read-only", f"ProtectSystem={system}")
        home = self._last("ProtectHome", "read-only" if dynamic else "no")
        of_homes: dict[str, Effect] = {"tmpfs": "emptied", "read-only": "read-only"}
        if effect := "closed" if _true(home) else of_homes.get(home):
            yield from (Rule(place, effect, f"ProtectHome={home}") for place in _HOMES)
        temporary = self._last("PrivateTmp", "yes" if dynamic else "no")
        if _true(temporary) or temporary == "disconnected":
            yield from (Rule(place, "emptied", f"PrivateTmp={temporary}") for place in _TEMPORARY)
        for key, effects in _PATHS.items():
            yield from (Rule(place, one, f"{key}={place}") for place in self._paths(key) for one in effects)
        yield from (Rule(own, "writable") for own in self._own())

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


def _networks(word: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The addresses that a word of IPAddressAllow or IPAddressDeny means (systemd.resource-control)."""
    try:
        return [ipaddress.ip_network(one, strict=False) for one in _NETWORKS.get(word, (word,))]
    except ValueError:
        return []


def _true(value: str) -> bool:
    return value.lower() in {"yes", "true", "on", "1"}


def _places(path: Path) -> tuple[str, ...]:
    """The path as it is written, and where its links lead: the service needs both."""
    return os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100 - links are followed in the second alone


def _within(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip("/") + "/")


def _between(emptied: Rule | None, shown_in_it: Rule | None) -> set[Path]:
    """The folders that systemd makes on the way to what is shown in an emptied one."""
    if emptied is None or shown_in_it is None:
        return set()
    return {folder for folder in Path(shown_in_it.prefix).parents if _within(str(folder), emptied.prefix)}


def _may(found: os.stat_result, user: int | None, groups: set[int], wanted: int) -> bool:
    """Whether the mode grants what is wanted, given as bits of others."""
    shift = 6 if found.st_uid == user else 3 if found.st_gid in groups else 0
    return (found.st_mode >> shift) & wanted == wanted
