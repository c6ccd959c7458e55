"""KEY=VALUE on the command line: each value is read as its key wants it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.assignments import parse_overrides
from config.errors import ConfigError
from config.load import with_overrides
from config.schema import Config


def configured(*words: str) -> Config:
    return with_overrides(Config(), parse_overrides(words))


@pytest.mark.parametrize(
    "text",
    [
        *("4711", "007", "0x1F", "1e3", "-5", "3.50", "1_000", "99999999999999999999999"),
        *("yes", "no", "on", "true", "False", "~", "NULL", "None", ".inf", "2026-11-30", "12:30"),
        *("a=b", "a: b", "#5", "a #5", "[x]", "{a: b}", "- a", "&a", "*a", "!x", "%x", "@x", "`x`"),
        *("Charge Ü-7", "批次", "O'Brien", 'a "b" c', '"', "'", "\"a'", " 7 ", "\t", "a\\nb"),
    ],
)
def test_a_text_is_taken_as_typed(text: str) -> None:
    assert configured(f"batch_id={text}").batch_id == text


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60))
def test_any_text_comes_back(text: str) -> None:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    if text != "null" and not quoted:
        assert configured(f"batch_id={text}").batch_id == text


@pytest.mark.parametrize(
    ("words", "text"), [("'4711'", "4711"), ('"null"', "null"), ('""', ""), (r'"a\tb"', "a\tb"), ("'it''s'", "it's")]
)
def test_quotes_around_the_whole_are_taken_off_as_in_a_file(words: str, text: str) -> None:
    assert configured(f"batch_id={words}").batch_id == text


@pytest.mark.parametrize("text", ["", "null"])
def test_what_may_be_unset_is(text: str) -> None:
    base = {"batch_id": "A", "camera.folder": "x", "camera.line_rate_hz": 5.0, "workers.count": 3}
    config = with_overrides(with_overrides(Config(), base), parse_overrides([f"{key}={text}" for key in base]))
    assert (config.batch_id, config.camera.folder, config.camera.line_rate_hz, config.workers.count) == (None,) * 4


def test_paths_and_choices_are_text() -> None:
    config = configured("state_directory=2026", "overload=skip", "camera.device=0815", "recipe=02CG")
    assert (config.state_directory, config.overload, config.camera.device) == (Path("2026"), "skip", "0815")
    assert config.recipe == "02CG"


def test_numbers_and_switches_are_read_as_in_a_file() -> None:
    config = configured("slots= 4 ", "camera.line_rate_hz=2e4", "results.pictures=false", "telemetry.port=0")
    assert (config.slots, config.camera.line_rate_hz, config.results.pictures) == (4, 20000.0, False)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("classify.views=[identity]", ("identity",)),
        ("classify.views=['identity', \"flip_vertical\"]", ("identity", "flip_vertical")),
        ("simulator.interference=[]", ()),
        ("simulator.interference=[oil,  light]", ("oil", "light")),
    ],
)
def test_a_list_is_given_in_brackets(words: str, value: tuple[str, ...]) -> None:
    config = configured(words)
    assert value in (config.classify.views, config.simulator.interference)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("slots", "allowed: key=value"),
        ("=4", "allowed: key=value"),
        ("slots=", "slots: found None, allowed: a whole number"),
        ("slots=007", "slots: found '007', allowed: a whole number"),
        ("slots='4'", "slots: found '4', allowed: a whole number"),
        ("slots=four", "slots: found 'four'"),
        ("slots=99999999999999999999999", "does not fit into 64 bits"),
        ("results.pictures=yes", "allowed: true or false"),
        ("results.pictures=True", "allowed: true or false"),
        ("classify.views=identity", r"allowed: a list, as in \[a, b\]"),
        ("classify.views=[identity", "classify.views: found '.identity': is not YAML"),
        ("classify.views=[4]", r"classify.views\[0\]"),
        ("camera=x", "camera: is a section: give one of its keys a value"),
        ("camera={width: 5}", "camera: is a section"),
        ("camera.widht=5", "did you mean width"),
        ("overload=maybe", "allowed: 'wait' or 'skip'"),
        ('batch_id="a', None),
        ('batch_id="a\\0b"', "no NUL character"),
        ("batch_id=\udc80", "which is not UTF-8 text"),
        ("telemetry.host=", "telemetry.host"),
    ],
)
def test_what_a_key_cannot_hold_is_told_with_what_it_can(words: str, told: str | None) -> None:
    if told is None:
        assert configured(words).batch_id == '"a'
        return
    with pytest.raises(ConfigError, match=f"^command line: .*{told}|{told}"):
        configured(words)


def test_of_a_key_given_twice_the_last_one_counts() -> None:
    assert configured("slots=4", "slots=5").slots == 5


@given(words=st.lists(st.text(max_size=30), max_size=4))
def test_any_words_apply_or_are_refused(words: list[str]) -> None:
    keys: list[Any] = ["slots=", "batch_id=", "classify.views=", "camera.folder=", ""]
    for key in keys:
        with suppress(ConfigError):
            configured(*(f"{key}{word}" for word in words))
