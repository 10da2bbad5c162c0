"""What verbs share: their common options, and how they print."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from flows.cli import completing

Recipe = Annotated[
    str,
    typer.Option(
        "--recipe", "-r", help="A built-in recipe's name (sentiment) or a YAML file.", autocompletion=completing.recipes
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="KEY=VALUE", help="One setting over the recipe's, such as sampling.max_tokens=64."
    ),
]
Approximate = Annotated[
    bool,
    typer.Option(
        "--allow-approximate",
        help="Take emulated continuations of a chat model that can only be asked to go on.",
    ),
]
RecordOption = Annotated[
    str | None,
    typer.Option("--record", help="Database URL or SQLite path. Default: $ALIGNTREE_RECORD, else ./aligntree.db."),
]
Prefect = Annotated[
    bool | None,
    typer.Option(
        "--prefect/--no-prefect",
        help="Run as a Prefect flow. Default: where a Prefect server is configured.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="A run's id, or an unambiguous beginning or end of it. Default: the newest.",
        autocompletion=completing.runs,
    ),
]


def approximation(allowed: bool) -> list[str]:
    """The setting that --allow-approximate stands for."""
    return ["strong.allow_approximate=true"] if allowed else []


def quiet_libraries(*, logs: bool = False) -> None:
    """No noise of our libraries on the terminal, unless the user set otherwise.

    `logs` of flow runs are shown there or not; Prefect's server has them anyway.
    """
    for name, value in {
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO" if logs else "ERROR",
        "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
        "HF_HUB_OFFLINE": "1",
        "TQDM_DISABLE": "1",  # the progress shown is ours
        "TRANSFORMERS_VERBOSITY": "error",
    }.items():
        os.environ.setdefault(name, value)


def print_json(value: Any) -> None:
    """One document, valid whatever is in it: a number that is none becomes null, half a character an escape."""
    import json
    import re

    told = json.dumps(_finite(value), ensure_ascii=False, indent=1, allow_nan=False)
    print(re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half.group()):x}", told))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def print_table(renderable: Any) -> None:
    from rich.console import Console

    console = Console()
    # What is not for a terminal is not squeezed into 80 columns.
    (console if console.is_terminal else Console(width=120)).print(renderable)
