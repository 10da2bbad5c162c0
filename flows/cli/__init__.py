"""The command `aligntree`. Nothing heavy is imported until a verb needs it: `--help` answers at once."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from flows.cli.align import align, demo, resume
from flows.cli.audit import audit, diff, explain, fork, replay, rerank
from flows.cli.compare import compare
from flows.cli.record import export, import_, report, runs, show, upgrade
from flows.cli.schedule import deploy, serve
from flows.cli.weak import average, doctor, preferences, tune

app = typer.Typer(
    help="Align strong language models you may only call: search over their own continuations, guided by a small local "
    "weak pair, every step on record.",
    epilog="Begin with: aligntree demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["ALIGNTREE_DEBUG"] = "1"


VERBS = (
    align, resume, deploy, serve, compare, runs, show, report, export, import_, audit, replay, explain, diff, rerank,
    fork, preferences, tune, average, doctor, demo, upgrade,
)  # fmt: skip
for verb in VERBS:
    app.command(verb.__name__.rstrip("_"))(verb)


def main() -> None:
    """Run the command. Errors of the four packages are told in a line or two; exit status 2 for the user's mistakes,
    1 for the world's.
    """
    try:
        app()
    except Exception as error:
        from flows.errors import FlowError
        from providers.errors import ProviderError
        from scoring.errors import ScoringError
        from store.errors import StoreError

        ours = FlowError | ProviderError | ScoringError | StoreError
        if os.environ.get("ALIGNTREE_DEBUG") or not isinstance(error, ours | OSError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_status if isinstance(error, ours) else 1)
