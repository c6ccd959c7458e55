"""The words of each language."""

from __future__ import annotations

import string

import pytest

from daemon.web.words import LANGUAGES, Words, chosen, table


def names(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_every_language_has_the_same_words_with_the_same_values_in_them(language: str) -> None:
    english, other = table("en"), table(language)
    assert other.keys() == english.keys()
    assert {key: names(words) for key, words in other.items()} == {key: names(words) for key, words in english.items()}
    assert all(words.strip() for words in other.values())


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        (None, None, "en"),
        (None, "de-CH,de;q=0.9,en;q=0.8", "de"),
        (None, "fr, zh-CN;q=0.5", "zh"),
        ("zh", "de", "zh"),
        ("../../etc", "de", "de"),
        ("", ";;;,,", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_what_the_browser_accepts(
    asked: str | None, accepted: str | None, language: str
) -> None:
    assert chosen(asked, accepted) == language


def test_an_unknown_word_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        Words("en")("now.nothing_like_this")
