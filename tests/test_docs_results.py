"""The tables of docs/results.md are what `aligntree compare --rows` makes of the rows that are committed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import pytest
from matplotlib.testing.compare import compare_images
from rich.console import Console

from flows.compare import Line, figures, read_rows
from flows.plots import draw
from flows.tables import lines_table
from tests.markdown import ROOT

PAGE = ROOT / "docs/results.md"
_COMMAND = re.compile(r"aligntree compare --rows (\S+\.csv) --against ([\w]+)")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_FIGURE = re.compile(r"\d+\.\d+|\d+(?=%)")


@dataclass(frozen=True)
class Section:
    """A part of the page that names rows: the lines that its commands print, and its tables."""

    name: str
    commands: tuple[tuple[str, str], ...]
    text: str

    @property
    def lines(self) -> list[Line]:
        return [line for command in self.commands for line in lines_of(*command)]

    @property
    def table_rows(self) -> list[list[str]]:
        """Cells, the first being what the row is called; heads are left out."""
        told = [row.strip("|").split("|") for row in re.findall(r"^\|.*\|$", self.text, re.M)]
        return [[cell.strip() for cell in row] for row in told if any(_NUMBER.search(cell) for cell in row[1:])]


@cache
def lines_of(rows: str, against: str) -> list[Line]:
    return figures(read_rows(ROOT / rows), against)


def sections() -> list[Section]:
    parts = re.split(r"^(?=# |## )", PAGE.read_text(encoding="utf-8"), flags=re.M)
    told = ((part, _COMMAND.findall(part)) for part in parts)
    return [Section(part.splitlines()[0].lstrip("# "), tuple(commands), part) for part, commands in told if commands]


def rounded(numbers: Iterable[float]) -> set[str]:
    """As tables write them."""
    return {f"{abs(number):.{digits}f}" for number in numbers for digits in (0, 2, 3)}


def numbers_of(line: Line) -> set[str]:
    intervals = [line.gold, *([line.gain] if line.gain else [])]
    bounds = [number for i in intervals for number in (i.value, i.low, i.high)]
    means = (line.value, line.tokens, line.input_tokens, line.calls, line.seconds, line.answers, line.searches)
    return rounded([*bounds, *means])


def compared(section: Section) -> set[str]:
    """What prose may tell: numbers of lines held against any method, and how two of them differ: by so much, or by so
    many in a hundred.
    """
    lines = [line for rows in {rows for rows, _ in section.commands} for line in lines_of_all(rows)]
    means = [(line.gold.value, line.value, line.tokens, line.input_tokens, line.calls) for line in lines]
    pairs = [pair for one in means for other in means for pair in zip(one, other, strict=True)]
    shares = {f"{100 * share:.0f}" for a, b in pairs if b > 0 for share in (a / b, 1 - a / b)}
    differences = {f"{abs(a - b):.{digits}f}" for a, b in pairs for digits in (1, 2, 3)}
    return {number for line in lines for number in numbers_of(line)} | shares | differences


def lines_of_all(rows: str) -> list[Line]:
    methods = {row.method for row in read_rows(ROOT / rows)}
    return [line for method in sorted(methods) for line in lines_of(rows, method)]


def test_there_are_tables_to_check() -> None:
    assert len(sections()) >= 3
    assert sum(bool(section.table_rows) for section in sections()) >= 2


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.name)
def test_each_row_of_a_table_is_a_line_that_the_command_beside_it_prints(section: Section) -> None:
    for row in section.table_rows:
        told = {number.lstrip("+-") for cell in row[1:] for number in _NUMBER.findall(cell)}
        assert any(told <= numbers_of(line) for line in section.lines), f"{section.name}: {row}"


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.name)
def test_each_figure_of_the_findings_is_of_lines_or_of_how_two_differ(section: Section) -> None:
    items = [item for item in re.split(r"\n(?=- )|\n\n", section.text) if item.startswith("- ")]
    here = [re.sub(r"`[^`]*`", " ", item) for item in items if "tests.benchmarks" not in item]  # another test's
    told = {figure for item in here for figure in _FIGURE.findall(item)}
    assert sorted(told - compared(section)) == []


@pytest.mark.parametrize("section", sections(), ids=lambda section: section.name)
def test_a_table_as_the_terminal_has_it_is_what_the_command_prints(section: Section) -> None:
    for block in re.findall(r"^```\n(┏.*?)```$", section.text, re.M | re.S):
        prints = []
        for rows, against in section.commands:
            out = StringIO()
            Console(file=out, width=120).print(lines_table(lines_of(rows, against), against))
            prints.append([line.strip() for line in out.getvalue().splitlines()])
        assert [line.strip() for line in block.splitlines()] in prints


def test_the_picture_is_what_the_command_draws(tmp_path: Path) -> None:
    rows = read_rows(ROOT / "docs/results/rows.csv")
    drawn = tmp_path / "comparison.png"
    draw(lines_of("docs/results/rows.csv", "beam"), rows, drawn)
    assert compare_images(str(PAGE.parent / "results/comparison.png"), str(drawn), tol=1) is None


def test_every_file_of_results_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [file.name for file in Path(ROOT / "docs/results").iterdir() if f"results/{file.name}" not in text] == []
