"""The command `aligntree`. Nothing heavy is imported until a verb needs it: `--help` answers at once."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from signal import SIGINT
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
    """Run the command. Errors are told in a line; exit status 2 for the user's mistakes, 1 for the world's."""
    atexit.register(gc.freeze)  # else the interpreter looks through all that was loaded as it ends: 0.2 s
    try:
        status = app(sys.argv[1:] or ["--help"], prog_name="aligntree", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has read enough, and nothing is to complain of at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("ALIGNTREE_DEBUG"):
            raise
        from flows.cli.telling import tell_failure

        sys.exit(tell_failure(error))
    if status == 128 + SIGINT:
        print("interrupted", file=sys.stderr)
    sys.exit(status)
