"""What the shell completes: runs on record, recipes, methods, prompts. Nothing to complete is no error."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from textwrap import shorten
from typing import get_args

import typer

Completed = list[tuple[str, str]]
"""Words, each with a note."""

_PACKAGE = files("flows")


def runs(context: typer.Context, incomplete: str) -> Completed:
    """Ids of the runs on record, the newest first."""
    with suppress(Exception):  # no record, or one that cannot be read
        from flows.listing import list_runs
        from flows.records import open_record

        with open_record(context.params.get("record")) as record:
            listed = list_runs(record)
        return _begun([(one.run.id, f"{one.run.name}, {one.model}, {one.status}") for one in listed], incomplete)
    return []


def recipes(incomplete: str) -> Completed:
    """The built-in ones, each with its first line's comment, and YAML files here."""
    texts = {name: (_PACKAGE / "recipes" / name).read_text(encoding="utf-8") for name in _names("recipes", ".yaml")}
    built_in = [(_stem(name), shorten(text.partition("\n")[0].lstrip("# "), 60)) for name, text in texts.items()]
    return _begun(built_in, incomplete) + _files(incomplete, ".yaml", ".yml")


def prompts(incomplete: str) -> Completed:
    return _begun(_data(".txt"), incomplete) + _files(incomplete, ".txt", ".jsonl")


def samples(incomplete: str) -> Completed:
    return _begun(_data(".jsonl"), incomplete) + _files(incomplete, ".jsonl")


def methods(incomplete: str) -> Completed:
    from flows.methods import MethodConfig

    kinds = get_args(get_args(MethodConfig)[0])
    return _begun([(kind.model_fields["name"].default, kind.__doc__.partition("\n")[0]) for kind in kinds], incomplete)


def _begun(words: Completed, incomplete: str) -> Completed:
    return [(word, note) for word, note in words if word.startswith(incomplete)]


def _names(folder: str, suffix: str) -> list[str]:
    return sorted(entry.name for entry in (_PACKAGE / folder).iterdir() if entry.name.endswith(suffix))


def _data(suffix: str) -> Completed:
    return [(_stem(name), "built in") for name in _names("data", suffix)]


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _files(incomplete: str, *suffixes: str) -> Completed:
    """Where there are none the shell completes files by itself."""
    folder, slash, begun = incomplete.rpartition("/")
    with suppress(OSError):
        names = sorted(path.name for path in Path(f"{folder}{slash}" or ".").iterdir() if path.suffix in suffixes)
        return [(f"{folder}{slash}{name}", "file") for name in names if name.startswith(begun)]
    return []
