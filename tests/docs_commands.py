"""docs/commands.md: the command's `--help` pages, as it prints them."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.core import TyperGroup

from flows.cli import VERBS, app

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"

_WIDTH = 78
"""Columns of `--help` on any terminal that is wider."""

_HEAD = """# Commands

What `--help` prints. `--set` takes the keys of [settings.md](settings.md); [recipes.md](recipes.md) has the built-in
recipes. The exit status is 0; 1 where the world was at fault (an endpoint, a search without an answer, a faulty
record); 2 where the command was told something wrong; 128 and the signal's number where it was stopped.

This page is made from the code by `make docs`.
"""


def page() -> str:
    parts = [_HEAD, _block(help_of(None))]
    for name in verbs():
        parts += [f"## {name}\n", _block(help_of(name))]
    return "\n".join(parts)


def verbs() -> list[str]:
    return [verb.__name__.rstrip("_") for verb in VERBS]


def help_of(verb: str | None) -> str:
    """The help page of a verb; none: of the command itself."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    above = typer.Context(group, info_name="aligntree", terminal_width=_WIDTH)
    if verb is None:
        return group.get_help(above)
    found = group.commands[verb]
    return found.get_help(typer.Context(found, info_name=verb, parent=above, terminal_width=_WIDTH))


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"
