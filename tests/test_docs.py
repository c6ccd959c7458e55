"""The documentation: short sentences, and nothing named that is not there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel

from config.load import shipped
from config.paths import packaged
from config.reference_page import keys
from config.reference_page import page as page_of_keys
from config.schema import Config, Recipe
from daemon.cli.app import app
from daemon.lab.reinspect.reference_page import page as page_of_reinspection
from daemon.store.reference_page import page as page_of_columns
from daemon.telemetry.metrics import PREFIX, Metrics
from daemon.wire.reference_page import page as page_of_messages
from stages.plate import Cause
from tests.markdown import Page, cells, commands, words

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MOST_WORDS = 30
SCREENS = 120
"""Lines of the README: two screens."""
FOLDERS = ("config", "daemon", "docs", "models", "simulator", "stages", "tests")

GENERATED = DOCS / "study.md"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")} - {*DECISIONS, GENERATED})
README = Page.of(ROOT / "README.md")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


page = pytest.mark.parametrize("path", PAGES, ids=named)
any_page = pytest.mark.parametrize("path", [*PAGES, *DECISIONS, GENERATED], ids=named)


# --- sentences -------------------------------------------------------------------------------------------------


def long_sentences(text: Page) -> list[str]:
    return [f"{words(sentence)} words: {sentence}" for sentence in text.sentences() if words(sentence) > MOST_WORDS]


@page
def test_no_sentence_is_longer_than_thirty_words(path: Path) -> None:
    assert long_sentences(Page.of(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "word " * 31,
        "Short. " + "word " * 30 + "word. Short.",
        "- " + "word\n  " * 31,
        "| short | " + "word " * 31 + "|",
        "1. [" + "word " * 31 + "](there)",
        "```sh\ncode\n```\n" + "word " * 31,
        "Two clauses; " + "word, " * 29,
    ],
)
def test_a_long_sentence_is_found_wherever_it_stands(text: str) -> None:
    assert len(long_sentences(Page(ROOT, text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "word " * 30,
        "word " * 20 + "end.\n" + "word " * 20,
        "- " + "word " * 20 + "\n- " + "word " * 20,
        "| " + "word " * 20 + "| " + "word " * 20 + "|",
        "```sh\n" + "word " * 31 + "\n```",
        "Say `" + "word " * 31 + "` now.",
    ],
)
def test_code_and_cells_and_items_are_no_long_sentences(text: str) -> None:
    assert long_sentences(Page(ROOT, text)) == []


# --- links and paths -------------------------------------------------------------------------------------------


def dead_links(text: Page) -> list[str]:
    dead = []
    for link in text.links():
        place, _, anchor = link.partition("#")
        target = text.path.parent / place if place else text.path
        if not target.exists() or (anchor and anchor not in Page.of(target).anchors()):
            dead.append(link)
    return dead


@pytest.mark.parametrize("path", [*PAGES, *DECISIONS, GENERATED, ROOT / "CHANGELOG.md"], ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    assert dead_links(Page.of(path)) == []


def test_a_dead_link_and_a_dead_anchor_are_found() -> None:
    text = "[a](docs/nowhere.md) [b](README.md#nowhere) [c](README.md#figures) [d](https://elsewhere.example/x)"
    assert dead_links(Page(ROOT / "new.md", text)) == ["docs/nowhere.md", "README.md#nowhere"]


def missing_paths(text: Page) -> list[str]:
    return [code for code in text.inline_code() if is_repository_path(code) and not (ROOT / code).exists()]


def is_repository_path(code: str) -> bool:
    return (
        code.partition("/")[0] in FOLDERS and "/" in code and re.fullmatch(r"[\w./-]+", code) is not None
    ) and not re.search(r"\b[A-Z]{2,}\b(?!\.md)", code)


@any_page
def test_every_path_in_backticks_is_there(path: Path) -> None:
    if path == GENERATED:
        pytest.skip("names files of its own runs")
    assert missing_paths(Page.of(path)) == []


def test_a_path_that_is_not_there_is_found() -> None:
    text = "`daemon/nowhere.py`, `config/default.yaml`, `config/recipes/NAME.yaml`, `daemon/`"
    assert missing_paths(Page(ROOT, text)) == ["daemon/nowhere.py"]


def missing_names(text: Page) -> list[str]:
    packages = "|".join(folder for folder in FOLDERS if folder not in {"docs", "tests"})
    named_so = re.compile(rf"(?:python -m )?((?:{packages})(?:\.\w+)+)")
    asked = [found[1] for code in text.inline_code() if (found := named_so.fullmatch(code))]
    set_by_users = {name for name, _ in keys(Config)}
    return [name for name in asked if name not in set_by_users and not is_in_the_code(name)]


def is_in_the_code(name: str) -> bool:
    """Whether it is a module, or something that a module defines."""
    file = ROOT.joinpath(*name.split("."))
    if file.is_dir() or file.with_suffix(".py").exists():
        return True
    module = file.parent.with_suffix(".py")
    if not module.exists():
        module = file.parent / "__init__.py"
    # Defined there, or listed in `__all__`.
    defined = re.compile(rf'^(?:(?:class |def )?{file.name}\b|    "{file.name}",$)', re.MULTILINE)
    return module.exists() and defined.search(module.read_text("utf-8")) is not None


@any_page
def test_every_module_and_name_in_backticks_is_there(path: Path) -> None:
    assert missing_names(Page.of(path)) == []


def test_a_name_that_is_not_there_is_found() -> None:
    text = "`config.schema`, `config.schema.Recipe`, `config.schema.Nothing`, `python -m config.nothing`, `config`"
    assert missing_names(Page(ROOT, text)) == ["config.schema.Nothing", "config.nothing"]


def test_every_test_that_a_page_names_is_there() -> None:
    texts = [file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py")]
    there = {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
    asked = {code for path in PAGES for code in Page.of(path).inline_code() if re.fullmatch(r"test_\w+", code)}
    assert len(asked) > 10
    assert asked - there == set()


def test_every_page_that_the_code_names_is_there() -> None:
    files = [
        file
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".yaml", ".yml", ".service"} and file != Path(__file__)
    ]
    pages = {
        (named(file), page) for file in files for page in re.findall(r"docs/[\w/.-]+\.md", file.read_text("utf-8"))
    }
    assert len(pages) > 5
    assert [(file, page) for file, page in sorted(pages) if not (ROOT / page).exists()] == []


def test_the_index_names_every_page() -> None:
    index = Page.of(DOCS / "README.md")
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in index.links()}
    assert [
        named(path) for path in PAGES if path.is_relative_to(DOCS) and path != index.path and path not in linked
    ] == []


# --- commands --------------------------------------------------------------------------------------------------

COMMAND: Any = typer.main.get_command(app)
"""The whole command line as click's tree."""


def fault(arguments: list[str]) -> str | None:
    """What the command line says against these arguments; None where it takes them."""
    command, context = COMMAND, COMMAND.make_context("linesentry", [], resilient_parsing=True)
    rest = ["1" if word == "N" else word for word in arguments]
    while rest and hasattr(command, "get_command") and not rest[0].startswith("-"):
        name = rest.pop(0)
        command = command.get_command(context, name)
        if command is None:
            return f"no command {name}"
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
    if not rest:
        return None
    if hasattr(command, "get_command"):
        # Options of the whole program do their work as soon as they are read, so they are only looked up.
        known = {name for option in command.params for name in option.opts} | {"--help"}
        return None if rest[0] in known else f"no option {rest[0]}"
    try:
        command.make_context(context.info_name, rest, parent=context.parent)
    except typer.Exit:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it says against them is the fault
        return f"{type(error).__name__} {getattr(error, 'message', error)}"
    return None


def calls_of(text: Page) -> list[list[str]]:
    """Each call of linesentry on the page, in shell code and in backticks."""
    pieces = [*text.shell(), *(code for code in text.inline_code() if code.startswith("linesentry "))]
    return [call for piece in pieces for call in commands(piece)]


def wrong_commands(text: Page) -> list[str]:
    return [f"{shlex.join(call)}: {said}" for call in calls_of(text) if (said := fault(call)) is not None]


@page
def test_every_command_is_one_that_linesentry_takes(path: Path) -> None:
    assert wrong_commands(Page.of(path)) == []


def test_every_name_of_a_packaged_file_is_one_that_paths_knows() -> None:
    calls = [call for path in PAGES for call in calls_of(Page.of(path))]
    asked = {call[1] for call in calls if call[:1] == ["paths"] and len(call) > 1}
    assert len(asked) > 3
    assert asked - {"NAME"} - packaged().keys() == set()


def starts_too_early(text: Page) -> bool:
    """Whether shell code, pasted whole, starts the service before the line is described and checked."""
    lines = list(text.shell())
    described = next(number for number, line in enumerate(lines) if "cat > /etc/linesentry/linesentry.yaml" in line)
    first = next(number for number, line in enumerate(lines) if re.search(r"systemctl (enable|start)", line))
    checked = any(call[:1] == ["check"] for call in commands(lines[first])) and "&&" in lines[first]
    return first < described or not checked


def test_the_page_on_installing_starts_nothing_before_the_line_is_described_and_checked() -> None:
    assert not starts_too_early(Page.of(DOCS / "how-to" / "install.md"))


def test_a_page_that_starts_the_service_too_early_is_found() -> None:
    described = "cat > /etc/linesentry/linesentry.yaml <<'END'\nrecipe: mine\nEND\n"
    started = "linesentry check /etc/linesentry/linesentry.yaml && systemctl enable --now linesentry\n"
    assert not starts_too_early(Page(ROOT, f"```sh\n{described}{started}```"))
    assert starts_too_early(Page(ROOT, f"```sh\n{started}{described}```"))
    assert starts_too_early(Page(ROOT, f"```sh\n{described}systemctl start linesentry\n```"))


@pytest.mark.parametrize(
    "text",
    [
        "`linesentry fly`",
        "`linesentry --fly`",
        "`linesentry run --plats 3`",
        "`linesentry inspect a.png --device tpu`",
        "`linesentry evaluate everything`",
        "`linesentry results --limit many`",
        "```sh\ncd there && /opt/linesentry/.venv/bin/linesentry run --fast   # now\n```",
        "```sh\nlinesentry run \\\n  --fast\n```",
        '```sh\ncp "$(linesentry schema --nowhere)" there\n```',
    ],
)
def test_a_command_that_linesentry_refuses_is_found(text: str) -> None:
    assert len(wrong_commands(Page(ROOT, text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "`linesentry inspect`",
        "`linesentry --version` and `linesentry train --help`",
        "`linesentry run --plates N` and `linesentry train classifier --data DIR`",
        "```sh\nlinesentry results --json | head   # the latest\nsystemctl status linesentry --full\n```",
    ],
)
def test_a_command_that_linesentry_takes_is_no_fault(text: str) -> None:
    assert wrong_commands(Page(ROOT, text)) == []


# --- what is looked up -----------------------------------------------------------------------------------------

REFERENCE = DOCS / "reference"


def rows_below(path: Path, header: str) -> list[list[str]]:
    """The rows of all tables of a page whose first column has that header."""
    rows = [row for head, rows in Page.of(path).tables() if head[0] == header for row in rows]
    assert rows
    return rows


def test_the_page_of_the_configuration_is_what_the_schema_says() -> None:
    assert (REFERENCE / "configuration.md").read_text("utf-8") == page_of_keys(), "run: python -m config.reference_page"


def test_the_page_of_the_columns_is_what_the_code_says() -> None:
    assert (REFERENCE / "columns.md").read_text("utf-8") == page_of_columns(), (
        "run: python -m daemon.store.reference_page"
    )


def test_the_page_of_a_reinspection_is_what_the_code_says() -> None:
    text = (REFERENCE / "reinspection.md").read_text("utf-8")
    assert text == page_of_reinspection(), "run: python -m daemon.lab.reinspect.reference_page"


def test_the_page_of_the_messages_is_what_the_code_says() -> None:
    text = (REFERENCE / "messages.md").read_text("utf-8")
    assert text == page_of_messages(), "run: python -m daemon.wire.reference_page"
    rows = rows_below(REFERENCE / "messages.md", "message")
    assert len(rows) > 20
    assert [row for row in rows if not all(row)] == []


@pytest.mark.parametrize("model", [Config, Recipe])
def test_every_key_has_its_sentence_and_its_line(model: type[BaseModel]) -> None:
    described = dict(keys(model))
    sections = {name.rpartition(".")[0] for name in described}
    assert [name for name, field in described.items() if not field.description and name not in sections] == []
    written = {row[0].strip("`") for row in rows_below(REFERENCE / "configuration.md", "key")}
    assert described.keys() - sections - written == set()


def exported() -> set[str]:
    """The families of metrics that a service can export, without their prefix."""
    metrics = Metrics("0", "P10B")
    metrics.set_vram(1)
    names = {family.name + ("_total" if family.type == "counter" else "") for family in metrics.collect()}
    assert len(names) > 20
    return {name.removeprefix(PREFIX) for name in names}


def test_the_page_of_the_metrics_names_those_that_are_exported_and_no_other() -> None:
    rows = rows_below(REFERENCE / "metrics.md", "metric")
    written = {re.sub(r"\{.*", "", row[0].strip("`")) for row in rows}
    assert written - exported() == set()
    assert exported() - written == set(), "add a line to docs/reference/metrics.md"


def test_the_page_of_results_names_every_cause() -> None:
    rows = rows_below(DOCS / "how-to" / "read-results.md", "cause in the result")
    assert {cause for row in rows for cause in row[0].split(", ")} == set(Cause)


def test_the_page_of_alerts_names_those_of_the_rules_and_no_other() -> None:
    groups = yaml.safe_load(shipped("prometheus", "rules.yml").read_text("utf-8"))["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    rows = rows_below(DOCS / "how-to" / "monitor.md", "alert")
    assert {name for row in rows for name in row[0].split(", ")} == alerts


# --- README ----------------------------------------------------------------------------------------------------


def figures_without_a_command(text: Page) -> list[list[str]]:
    tables = [rows for header, rows in text.tables() if "figure" in header and "command" in header]
    assert tables
    return [
        row for rows in tables for row in rows if not any(commands(code) for code in re.findall(r"`([^`]+)`", row[-1]))
    ]


def test_every_figure_of_the_readme_names_its_command() -> None:
    assert figures_without_a_command(README) == []


def test_a_figure_without_a_command_is_found() -> None:
    text = "| what | figure | command |\n|---|---|---|\n| a | 1 | `linesentry bench` |\n| b | 2 | the same |\n"
    assert figures_without_a_command(Page(ROOT, text)) == [["b", "2", "the same"]]


def test_the_readme_fits_on_two_screens() -> None:
    assert len(README.text.splitlines()) <= SCREENS


def test_bars_in_code_part_no_cells() -> None:
    assert cells(r"| `a|b` | c \| d |") == ["`a|b`", r"c | d"]
