"""The documents as tests read them: fenced blocks, the commands in them, inline code, links and headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "scoring/adapters/sentiment/README.md"]
"""What a user or a new contributor reads."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_SHELL = {"", "sh", "bash", "console"}
_OPERATORS = set("();<>|&")


@dataclass(frozen=True)
class Block:
    """Fenced code."""

    page: Path
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a block: its program, without the folder it is in, and what it is told."""

    where: str
    program: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {self.program} {shlex.join(self.words)}"


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in _FENCE.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def commands(page: Path) -> list[Command]:
    """Those of the shell blocks of a page, in order. Where lines begin with `$ `, the others are what was printed."""
    return [command for block in blocks(page, *_SHELL) for command in commands_of(block)]


def commands_of(block: Block) -> list[Command]:
    joined = block.text.replace("\\\n", " ").splitlines()
    prompted = [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]
    where = f"{block.page.name}:{block.line}"
    return [command for line in prompted or joined for command in _of_line(line, where)]


def _of_line(line: str, where: str) -> Iterator[Command]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    try:
        words = list(lexer)
    except ValueError:  # no command: a line of a here-document
        return
    simple: list[list[str]] = [[]]
    for word in words:
        if set(word) <= _OPERATORS:
            simple.append([])
        else:
            simple[-1].append(word)
    for one in simple:
        while one and re.fullmatch(r"\w+=.*", one[0]):  # variables
            del one[0]
        if one:
            yield Command(where, one[0].rpartition("/")[2], tuple(one[1:]))


def inline(page: Path) -> list[str]:
    """Code amid the text."""
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> list[tuple[str, str]]:
    """Path and anchor of each link into the repository; pictures as well."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"\]\(([^)\s]*)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    return [(path, anchor) for path, _, anchor in (told.partition("#") for told in found) if ":" not in path]


def anchors(page: Path) -> set[str]:
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
