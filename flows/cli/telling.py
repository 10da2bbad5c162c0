"""How errors and warnings are told: a line on standard error, coloured only on a terminal (and not under NO_COLOR)."""

from __future__ import annotations

import re

_COLOURS = {"error": "red", "warning": "yellow"}


def tell(kind: str, what: object) -> None:
    """`kind`: error or warning."""
    from rich.console import Console
    from rich.text import Text

    line = re.sub(r"\s*[\r\n]\s*", " ", str(what).strip())
    Console(stderr=True).print(Text.assemble((f"{kind}: ", _COLOURS[kind]), line), soft_wrap=True)


def tell_failure(error: BaseException) -> int:
    """A verb's failure in a line. Returns the exit status: 2 for the user's mistakes, else 1."""
    from flows.errors import FlowError
    from providers.errors import ProviderError
    from scoring.errors import ScoringError
    from store.errors import StoreError

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, FlowError | ProviderError | ScoringError | StoreError):
        tell("error", error)
        return error.exit_status
    if hasattr(error, "format_message"):  # of the command line itself
        context = getattr(error, "ctx", None)
        what = error.format_message().replace("Value error, ", "").rstrip(".")
        tell("error", f"{what}. {context.command_path if context else 'aligntree'} --help tells more")
        return 2
    if isinstance(error, OSError):
        tell("error", error)
        return 1
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    tell("error", f"{what}. This should not happen; aligntree --debug VERB ... shows where it did")
    return 1
