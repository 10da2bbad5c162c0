"""What the documents say is what the code does."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import typer

from flows import cli
from flows.cli import VERBS
from flows.config import RunConfig, load_config
from flows.errors import BadConfig
from flows.methods import MethodConfig
from flows.recipe import recipes
from providers.endpoints import retirement
from store import Record
from tests import docs_commands, docs_pictures, docs_settings
from tests.docs_checks import (
    GROUP,
    check_aligntree,
    check_command,
    check_make,
    check_mention,
    check_module,
    write_recipes,
)
from tests.docs_pages import PAGES as MADE
from tests.markdown import PAGES, ROOT, Block, anchors, blocks, commands, commands_of, inline, links

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_what_is_made_from_the_code_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == MADE[path](), "make docs"


def test_every_setting_is_documented() -> None:
    assert "| None |" not in docs_settings.page()


@pytest.mark.parametrize("name", recipes())
def test_built_in_recipes_are_valid_and_say_what_they_are_for(name: str) -> None:
    assert load_config(name).name == name
    assert re.search(rf"## {re.escape(name)}\n\n\S", (ROOT / "docs/recipes.md").read_text(encoding="utf-8"))


@pages
def test_yaml_is_a_valid_recipe(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "yaml"):
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(block.text, encoding="utf-8")
        load_config(str(recipe))


MODEL = re.compile(r"\b(?:model:|doctor) (\S+/\S+)")
TOLD_TO_END = {"text-completion-openai/gpt-3.5-turbo-instruct"}
"""Its recipe tells when."""


def test_no_model_that_is_named_has_an_end_by_litellms_map() -> None:
    import litellm

    named = {
        name
        for page in (*PAGES, *(ROOT / "flows/recipes").glob("*.yaml"))
        for name in MODEL.findall(page.read_text(encoding="utf-8"))
    }
    assert {"deepseek/deepseek-v4-flash", "anthropic/claude-haiku-4-5"} | TOLD_TO_END <= named
    ends = {
        name for name in named for key in (name, name.partition("/")[2]) if retirement(litellm.model_cost.get(key, {}))
    }
    assert ends == TOLD_TO_END


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {path}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {path}#{anchor}"


def test_every_page_is_reached_from_the_readme() -> None:
    linked, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        targets = {(page.parent / path).resolve() for path, _ in links(page) if path.endswith(".md")}
        waiting += targets - linked
        linked |= targets
    assert {page.name for page in (ROOT / "docs").glob("*.md")} <= {page.name for page in linked}


@pages
def test_commands_are_what_the_command_takes(page: Path) -> None:
    write_recipes(page)
    for command in commands(page):
        try:
            check_command(command)
        except Exception as error:
            pytest.fail(f"{command}\n{error}")


@pages
def test_code_amid_the_text_names_what_there_is(page: Path) -> None:
    for code in inline(page):
        where = f"{page.name}: `{code}`"
        if code.startswith("aligntree "):
            check_mention(code)
        elif code.startswith("make "):
            check_make(code.split()[1:2])
        elif found := re.match(r"python -m (tests\.\S+)(.*)", code):
            check_module(found[1], found[2].split())
        elif re.fullmatch(r"(flows|providers|scoring|store|tests|docs)/[\w./-]+", code):
            assert (ROOT / code).exists(), where
        elif re.fullmatch(r"(strong|weak|sampling|budget|judge|self_test)\.[a-z_.]+", code):
            settings = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
            assert re.search(rf"`{re.escape(code)}[`.]", settings), where


def test_documents_have_commands_to_check() -> None:
    """The checks above see what they are meant to."""
    found = [command for page in PAGES for command in commands(page)]
    assert sum(command.program == "aligntree" for command in found) > 50
    assert {"demo", "test"} <= {word for command in found if command.program == "make" for word in command.words}


def test_every_verb_is_told_of_outside_its_help() -> None:
    others = [page for page in PAGES if page != docs_commands.PAGE]
    told = "".join(page.read_text(encoding="utf-8") for page in others)
    assert [verb for verb in GROUP.commands if not re.search(rf"aligntree {verb}\b", told)] == ["demo"]  # make demo


def test_every_method_is_told_of() -> None:
    concepts, methods = ((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("concepts.md", "methods.md"))
    for config in get_args(get_args(MethodConfig)[0]):
        name = config.model_fields["name"].default
        assert re.search(rf"^\| `{name}` \|", concepts, re.M), name
        assert re.search(rf"^## .*\b{name}\b", methods, re.M), name


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_examples_in_help_are_what_the_command_takes(verb: Callable[..., None]) -> None:
    write_recipes(ROOT / "README.md")
    for paragraph in (verb.__doc__ or "").split("\n\n"):
        for command in commands_of(Block(docs_commands.PAGE, 0, "", " ".join(paragraph.split()))):
            check_command(command)


@pytest.mark.parametrize(
    "words",
    [
        ["algin", "x"],
        ["align", "x", "--sett", "a=b"],
        ["align", "x", "--set", "sampling.heat=1"],
        ["align", "x", "--recipe", "nothing"],
        ["align", "x", "--method", "nothing"],
        ["tune"],
        ["tune", "p.jsonl", "-o", "a", "--set", "weak.nothing=1"],
        ["export", "--as", "nothing"],
    ],
    ids=" ".join,
)
def test_a_command_that_would_be_refused_is_noticed(words: list[str]) -> None:
    with pytest.raises((typer.TyperException, AssertionError, BadConfig)):
        check_aligntree(words)


@pages
def test_python_compiles_and_what_it_imports_is_there(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                for name in node.names:
                    assert hasattr(module, name.name), f"{page.name}:{block.line}: {node.module} has no {name.name}"


def test_the_python_of_the_readme_does_what_the_command_does(
    formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("flows.load_config", lambda recipe: formula_config() if recipe in recipes() else None)
    (block,) = blocks(ROOT / "README.md", "python")
    exec(compile(block.text, "README.md", "exec"), {})
    opened = Record.open("aligntree.db")
    (answer,) = (search.answer for search in opened.searches(opened.run().id))
    opened.close()
    assert answer is not None
    assert capsys.readouterr().out == f"{answer['text']} {answer['value']}\n"


@pytest.mark.parametrize("verb", [None, *docs_commands.verbs()], ids=str)
def test_the_command_prints_the_help_that_is_documented_however_wide_the_terminal_is(
    verb: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        cli.app([*([verb] if verb else []), "--help"], prog_name="aligntree")
    assert capsys.readouterr().out.strip() == docs_commands.help_of(verb).strip()


def test_the_list_of_commands_is_told_whole() -> None:
    told = docs_commands.help_of(None).partition("Commands:")[2].splitlines()
    assert len(told) > len(VERBS) and not [line for line in told if line.endswith("...")]


@pytest.mark.parametrize("name", ["README.md", "docs/concepts.md"])
def test_chunks_that_are_told_of_are_in_the_pictures(name: str) -> None:
    """Of the text around the pictures: what is quoted, but for the prompt."""
    recorded = docs_pictures.Recorded.model_validate_json(docs_pictures.RECORDED.read_text(encoding="utf-8"))
    known = {" ".join(text.split()) for _, text, *_ in recorded.nodes} | {recorded.prompt}
    section = next(part for part in (ROOT / name).read_text(encoding="utf-8").split("\n## ") if "pictures/" in part)
    prose = re.sub(r"```.*?```", "", section, flags=re.S)
    quoted = [" ".join(text.split()) for text in re.findall(r'"([^"]+)"', prose)]
    assert quoted
    assert set(quoted) <= known
