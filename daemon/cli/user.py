"""`linesentry user`: who may see the screen, and what was done there."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from daemon.cli.options import ConfigOption, JsonOption, StateOption, caller, configured, console, fail
from daemon.web.access.users import Role

if TYPE_CHECKING:
    from daemon.web.access.audit import Note, What
    from daemon.web.access.book import Book

user = typer.Typer(name="user", no_args_is_help=True, help="Users of the screen: add, list and remove them.")

Done = TypeVar("Done")
NameArgument = Annotated[str, typer.Argument(help="name of the user; capitals make no difference")]
StdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="read the password from stdin, its first line, instead of asking")
]


@user.command()
def add(
    name: NameArgument,
    role: Annotated[
        Role, typer.Option(help="viewer: sees all; operator: marks too; engineer: reads the users' log too")
    ],
    password_stdin: StdinOption = False,
    config: ConfigOption = None,
    state: StateOption = None,
) -> None:
    """Add a user. Its password is asked for, at least 8 characters."""
    from daemon.web.access.audit import What  # noqa: PLC0415 - commands load what they need
    from daemon.web.access.passwords import Passwords  # noqa: PLC0415
    from daemon.web.access.users import plain_name, why_no_name  # noqa: PLC0415

    plain = plain_name(name)
    if why := why_no_name(plain):
        fail(why, 2)
    book = _book(config, state)
    if _told(lambda: book.password(plain)) is not None:
        fail(f"there is a user {plain} already: `linesentry user password {plain}` changes its password", 2)
    hashed = Passwords().hash(_password(plain, from_stdin=password_stdin))
    _told(lambda: book.add(plain, role, hashed, _by(What.USER_ADDED, f"{plain}: {role}")))
    typer.echo(f"added: {plain}, {role}")


@user.command("list")
def list_(config: ConfigOption = None, state: StateOption = None, json_: JsonOption = False) -> None:
    """List the users and their roles."""
    from rich.table import Table  # noqa: PLC0415 - commands load what they need

    book = _book(config, state)
    found = _told(book.users)
    if json_:
        for one in found:
            typer.echo(json.dumps({"name": one.name, "role": one.role.value, "added_at": _time(one.made_at)}))
        return
    if not found:
        typer.echo("no users: whoever sits at this machine sees the screen, and marks; nobody else does")
        return
    table = Table("user", "role", "added")
    for one in found:
        table.add_row(one.name, one.role.value, _time(one.made_at))
    console().print(table)


@user.command()
def remove(name: NameArgument, config: ConfigOption = None, state: StateOption = None) -> None:
    """Remove a user. Its open pages end; what it marked stays."""
    from daemon.web.access.audit import What  # noqa: PLC0415 - commands load what they need

    book = _book(config, state)
    found = _known(book, name)
    _told(lambda: book.remove(found, _by(What.USER_REMOVED, found)))
    typer.echo(f"removed: {found}")
    if not _told(book.has_users):
        typer.echo("that was the last user: whoever sits at this machine sees the screen, and marks; nobody else does")


@user.command()
def password(
    name: NameArgument, password_stdin: StdinOption = False, config: ConfigOption = None, state: StateOption = None
) -> None:
    """Give a user another password. Its open pages end: it has to log in again."""
    from daemon.web.access.audit import What  # noqa: PLC0415 - commands load what they need
    from daemon.web.access.passwords import Passwords  # noqa: PLC0415

    book = _book(config, state)
    found = _known(book, name)
    hashed = Passwords().hash(_password(found, from_stdin=password_stdin))
    _told(lambda: book.change_password(found, hashed, _by(What.PASSWORD_CHANGED, found)))
    typer.echo(f"changed: the password of {found}")


@user.command()
def log(
    last: Annotated[int, typer.Option(min=1, max=1_000_000, help="so many entries, the latest first")] = 50,
    config: ConfigOption = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Show who logged in, marked, or changed a user: when, from where."""
    from rich.table import Table  # noqa: PLC0415 - commands load what they need

    book = _book(config, state)
    found = _told(lambda: book.notes(last))
    if json_:
        for one in found:
            at = None if one.at is None else _time(one.at)
            values = {"at": at, "who": one.who, "what": one.what.value, "about": one.about, "address": one.address}
            typer.echo(json.dumps(values))
        return
    table = Table("at", "who", "what", "about", "from")
    for one in found:
        table.add_row("" if one.at is None else _time(one.at), one.who, one.what.value, one.about, one.address)
    console().print(table)


def _book(config: Path | None, state: Path | None) -> Book:
    """The book of users of the state directory."""
    from daemon.store.state import StateError, state_path  # noqa: PLC0415 - commands load what they need
    from daemon.web.access.book import Book  # noqa: PLC0415

    settings, _ = configured(config, None, state)
    try:
        return Book(state_path(settings))
    except StateError as error:
        fail(str(error))


def _told(do: Callable[[], Done]) -> Done:
    """What is done; an error ends the command with one line."""
    from daemon.web.access.book import BookError, UserError  # noqa: PLC0415 - commands load what they need

    try:
        return do()
    except UserError as error:
        fail(str(error), 2)
    except BookError as error:
        fail(str(error))


def _known(book: Book, name: str) -> str:
    """The name as the book has it; ends the command where it has none."""
    found = _told(lambda: book.password(name))
    if found is None:
        fail(f"there is no user {name}: `linesentry user list` names them", 2)
    return found[0].name


def _password(name: str, *, from_stdin: bool) -> str:
    """The password that is given; ends the command with code 2 where it is none."""
    from daemon.web.access.users import why_no_password  # noqa: PLC0415 - commands load what they need

    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif not sys.stdin.isatty():
        fail("a password is asked for at a terminal: give --password-stdin to read it from stdin", 2)
    else:
        given = getpass.getpass(f"password for {name}: ")
        if getpass.getpass("once more: ") != given:
            fail("these are two passwords: nothing was changed", 2)
    if why := why_no_password(given):
        fail(why, 2)
    return given


def _by(what: What, about: str) -> Note:
    from daemon.web.access.audit import COMMAND_LINE, Note  # noqa: PLC0415 - commands load what they need

    return Note(caller(), what, about, COMMAND_LINE)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
