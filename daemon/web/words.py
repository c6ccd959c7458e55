"""The words of the pages in each language: one table each, `words/en.yaml` and its like."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

LANGUAGES = {"en": "English", "de": "Deutsch", "zh": "中文"}


@cache
def table(language: str) -> Mapping[str, str]:
    """All words of a language, by `section.key`."""
    content = yaml.safe_load(files("daemon.web").joinpath("words", f"{language}.yaml").read_text("utf-8"))
    return {f"{section}.{key}": words for section, keys in content.items() for key, words in keys.items()}


class Words:
    """The words of one language: `words("now.title", n=3)`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._table = table(language)

    def __call__(self, key: str, **values: object) -> str:
        """The words of that key, with values in the places of their names. Raises KeyError for an unknown key."""
        words = self._table[key]
        return words.format(**values) if values else words

    def sections(self, *names: str) -> dict[str, str]:
        """All words of these sections, for a script."""
        return {key: words for key, words in self._table.items() if key.partition(".")[0] in names}

    def get(self, key: str, otherwise: str) -> str:
        """The words of a key that may be missing."""
        return self._table.get(key, otherwise)


def chosen(asked: str | None, accepted: str | None) -> str:
    """The language of a visitor: the one that was asked for, else the first that its browser accepts, else English."""
    for one in (asked or "", *(part.split(";")[0].strip() for part in (accepted or "").split(","))):
        if (language := one.lower().split("-")[0]) in LANGUAGES:
            return language
    return "en"
