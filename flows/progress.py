"""Live progress of a run: one line that changes on a terminal, a line now and then elsewhere; on standard error."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from flows.search import Tally

_LINE_EVERY_S = 10.0


class Watch:
    """Shows a Tally while its block runs."""

    def __init__(self, tally: Tally, *, quiet: bool = False) -> None:
        self._tally, self._quiet = tally, quiet
        self._console = Console(stderr=True)
        self._began = time.monotonic()
        self._live: Live | None = None
        self._ended = threading.Event()
        self._lines = threading.Thread(target=self._print_lines, name="progress", daemon=True)

    def __enter__(self) -> Watch:
        if self._quiet:
            return self
        if self._console.is_terminal:
            self._live = Live(get_renderable=self.line, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        else:
            self._lines.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.stop()
        if not self._quiet and self._tally.searches:
            self._console.print(self.line(), soft_wrap=True)

    def line(self) -> Text:
        """Searches done, nodes, calls, tokens, best value, time: as of now."""
        tally, seconds = self._tally, time.monotonic() - self._began
        if not tally.searches:
            return Text(f"loading models  {seconds:.0f} s")
        # The search may add to it meanwhile, from the event loop's thread.
        values = list(tally.best.values())
        best = f"  best value {max(values):+.2f}" if values else ""
        return Text(
            f"searches {tally.done}/{tally.searches}  nodes {tally.nodes}  calls {tally.calls}  "
            f"tokens {tally.input_tokens} in, {tally.output_tokens} out{best}  {seconds:.0f} s"
        )

    def _print_lines(self) -> None:
        while not self._ended.wait(_LINE_EVERY_S):
            self._console.print(self.line(), soft_wrap=True)
