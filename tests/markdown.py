"""What the tests of the documentation read out of a Markdown page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^[ \t]*```(\w*)\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')*_]*\s+")
_STARTS_A_BLOCK = re.compile(r"\s*(#|\||[-*] |\d+\. |>|$)")
_PROSE = re.compile(r"^\s*(#+|[-*]|\d+\.|>)\s+")
_SUBSTITUTED = re.compile(r"\$\(([^()]*)\)")


@dataclass(frozen=True)
class Page:
    """A Markdown file and what stands in it."""

    path: Path
    text: str

    @classmethod
    def of(cls, path: Path) -> Page:
        """Read a file."""
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def prose(self) -> str:
        """The text without fenced code."""
        return _FENCE.sub("\n", self.text)

    def sentences(self) -> Iterator[str]:
        """Every sentence: of paragraphs, of list items, and of each cell of a table by itself."""
        for block in _blocks(self.prose):
            plain = _LINK.sub(r"\1", _CODE.sub("code", block))
            yield from (sentence for sentence in _SENTENCE.split(plain) if sentence.strip())

    def links(self) -> list[str]:
        """Targets of links and pictures that name no other site."""
        return [target for _, target in _LINK.findall(self.prose) if "://" not in target]

    def anchors(self) -> set[str]:
        """What a link may name behind its #."""
        headings = re.findall(r"^#+\s+(.*)$", self.prose, re.MULTILINE)
        return {
            re.sub(r"[^\w\- ]", "", _LINK.sub(r"\1", heading)).strip().lower().replace(" ", "-") for heading in headings
        }

    def inline_code(self) -> list[str]:
        """What stands in backticks."""
        return _CODE.findall(self.prose)

    def shell(self) -> Iterator[str]:
        """Lines of fenced shell code, continued lines joined, comments left out."""
        for language, body in _FENCE.findall(self.text):
            if language in {"sh", ""}:
                yield from (line for line in body.replace("\\\n", " ").splitlines() if line.strip())

    def tables(self) -> Iterator[tuple[list[str], list[list[str]]]]:
        """Header and rows of each table."""
        rows: list[list[str]] = []
        for line in [*self.prose.splitlines(), ""]:
            if line.startswith("|"):
                rows.append(cells(line))
            elif rows:
                yield rows[0], rows[2:]
                rows = []


def cells(line: str) -> list[str]:
    """The cells of a line of a table; a bar behind a backslash or in code parts nothing."""
    hidden = _CODE.sub(lambda found: found.group().replace("|", "\0"), line.replace("\\|", "\0"))
    return [cell.strip().replace("\0", "|") for cell in hidden.strip().strip("|").split("|")]


def words(sentence: str) -> int:
    """How many words a reader would count."""
    return sum(1 for word in sentence.split() if re.search(r"\w", word))


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of each call of linesentry in a line of shell."""
    for inner in _SUBSTITUTED.findall(text):
        yield from commands(inner)
    lexer = shlex.shlex(_SUBSTITUTED.sub("SUBSTITUTED", text), posix=True, punctuation_chars="|&;>()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    command: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("|&;>()"):
            command.append(word)
        else:
            if command and command[0].rpartition("/")[2].lstrip("$") == "linesentry":
                yield command[1:]
            command = []


def _blocks(prose: str) -> Iterator[str]:
    block: list[str] = []
    for line in [*prose.splitlines(), ""]:
        if _STARTS_A_BLOCK.match(line):
            if block:
                yield " ".join(block)
            block = []
        if line.startswith("|"):
            yield from cells(line)
        elif line.strip():
            block.append(_PROSE.sub("", line).strip())
