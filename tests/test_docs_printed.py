"""Figures of benchmarks in the documents are those that the command beside them printed: docs/results/printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs_checks import check_module
from tests.markdown import PAGES, ROOT

PRINTED = ROOT / "docs/results/printed"
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FENCED = re.compile(r"^```.*?^```$", re.M | re.S)
_COMMAND = re.compile(r"`(python -m tests\.benchmarks\.(\w+)[^`]*)`")


@dataclass(frozen=True)
class Told:
    """Of a page: a paragraph or an item of a list, with the table or block after it, or a table's row."""

    page: str
    text: str

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each whole, and the benchmark's name."""
        return _COMMAND.findall(self.text)

    @property
    def figures(self) -> list[str]:
        prose = re.sub(r"`[^`\n]+`|\]\([^)]*\)", " ", self.text)
        return [number.rstrip(",") for number in _NUMBER.findall(prose)]


def told(page: Path) -> Iterator[Told]:
    whole = _FENCED.sub(lambda block: re.sub(r"\n\s*\n", "\n", block[0]), page.read_text(encoding="utf-8"))
    paragraphs = re.split(r"\n\s*\n|\n(?=- )", whole)
    for text, after in zip(paragraphs, [*paragraphs[1:], ""], strict=True):
        if text.startswith("|"):
            yield from (Told(page.name, row) for row in text.splitlines())
        else:
            yield Told(page.name, f"{text}\n{after}" if after.startswith(("|", "```")) else text)


TOLD = [part for page in PAGES for part in told(page) if part.commands]


def kept(name: str) -> str:
    """The command and what it printed."""
    return (PRINTED / f"{name}.txt").read_text(encoding="utf-8")


def is_printed(figure: str, text: str) -> bool:
    """As it is or rounded."""
    digits = len(figure.partition(".")[2])
    numbers = (float(number.replace(",", "")) for number in _NUMBER.findall(text))
    return any(f"{number:.{digits}f}" == figure.replace(",", "") for number in numbers)


@pytest.mark.parametrize("path", sorted(PRINTED.iterdir()), ids=lambda path: path.stem)
def test_what_is_kept_was_printed_by_a_command_that_the_documents_name(path: Path) -> None:
    command = kept(path.stem).splitlines()[0].removeprefix("$ ")
    check_module(command.split()[2], command.split()[3:])
    assert (command, path.stem) in [named for part in TOLD for named in part.commands]


@pytest.mark.parametrize("part", TOLD, ids=lambda part: f"{part.page}: {' '.join(name for _, name in part.commands)}")
def test_each_figure_is_printed_by_the_command_beside_it(part: Told) -> None:
    printed = "".join(kept(name) for _, name in part.commands)
    assert [figure for figure in part.figures if not is_printed(figure, printed)] == []


def findings() -> Iterator[Told]:
    """Items of lists which name no command, in sections that do; but for those of rows, which another test reads."""
    for page in PAGES:
        for section in re.split(r"^(?=##? )", page.read_text(encoding="utf-8"), flags=re.M):
            named = " ".join(f"`{command}`" for command, _ in _COMMAND.findall(section))
            if named and "aligntree compare --rows" not in section:
                items = re.split(r"\n(?=- )|\n\n", section)
                items = [item for item in items if item.startswith("- ") and not _COMMAND.search(item)]
                yield from (Told(page.name, f"{item} {named}") for item in items)


def test_decimals_of_what_is_found_are_printed_by_a_command_of_the_section() -> None:
    wrong = [
        (part.page, figure)
        for part in findings()
        for figure in part.figures
        if "." in figure and not is_printed(figure, "".join(kept(name) for _, name in part.commands))
    ]
    assert wrong == []
