"""The words of each language."""

from __future__ import annotations

import string

import pytest

from daemon.web.words import LANGUAGES, Words, chosen, table
from daemon.wire.messages import Area
from stages.optics import OpticalFault
from stages.plate import Cause
from stages.plc import Trouble


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_cause_has_a_name_and_one_sentence_that_says_what_to_do(language: str) -> None:
    words = table(language)
    end = "。" if language == "zh" else "."
    for cause in Cause:
        assert words[f"cause.{cause}"]
        sentence = words[f"todo.{cause}"]
        assert sentence.endswith(end)
        assert sentence.count(end) == 1
    assert {key for key in words if key.startswith("todo.")} == {f"todo.{cause}" for cause in Cause}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_area_of_the_line_each_trouble_and_each_fault_of_the_optics_has_words(language: str) -> None:
    words = table(language)
    keys = [f"now.{area}" for area in Area]
    keys += [f"trouble.{trouble.replace(' ', '_')}" for trouble in Trouble]
    keys += [f"now.optics_{fault.replace(' ', '_')}" for fault in OpticalFault]
    assert [key for key in keys if key not in words] == []


def test_an_unknown_word_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        Words("en")("now.nothing_like_this")
