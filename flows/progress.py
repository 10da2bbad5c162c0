"""Live progress: one line that changes on a terminal, a line now and then elsewhere; on standard error."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from flows.tally import Tally

_LINE_EVERY_S = 10.0
_RATE_OVER_S = 30.0


class Watch:
    """Shows a line while its block runs, made anew each time; none as long as there is nothing to tell."""

    def __init__(self, line: Callable[[], str | None], *, quiet: bool = False) -> None:
        self._line, self._quiet = line, quiet
        self._console = Console(stderr=True)
        self._began = time.monotonic()
        self._live: Live | None = None
        self._ended = threading.Event()
        self._lines = threading.Thread(target=self._print_lines, name="progress", daemon=True)

    def __enter__(self) -> Watch:
        if self._quiet:
            return self
        if self._console.is_interactive:
            self._live = Live(get_renderable=self._now, console=self._console, refresh_per_second=4, transient=True)
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
        if not self._quiet and self._line():
            self._console.print(self._now(), soft_wrap=True)

    def _now(self) -> Text:
        return Text(f"{self._line() or 'loading models'}  {time.monotonic() - self._began:.0f} s")

    def _print_lines(self) -> None:
        while not self._ended.wait(_LINE_EVERY_S):
            self._console.print(self._now(), soft_wrap=True)


class _Pace:
    """How long work of known length has yet to go, by what was done since it was first looked at."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None  # resumed work has some done already

    def left(self, done: int, in_all: int) -> str:
        self._first = self._first or (done, time.monotonic())
        begun, since = self._first
        if not begun < done < in_all:
            return ""
        seconds = (time.monotonic() - since) / (done - begun) * (in_all - done)
        return f"  about {seconds:.0f} s left" if seconds < 90 else f"  about {seconds / 60:.0f} min left"


class _Rate:
    """How fast something is counted up, a second, over the last half minute."""

    def __init__(self) -> None:
        self._seen = deque[tuple[float, int]]()

    def now(self, count: int) -> str:
        at = time.monotonic()
        self._seen.append((at, count))
        while len(self._seen) > 2 and self._seen[1][0] < at - _RATE_OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return f" ({(count - before) / (at - since):.1f}/s)" if at > since and count > before else ""


def run_line(tally: Tally) -> Callable[[], str | None]:
    """Searches done, nodes and how many a second, calls, tokens, dollars against the budget, best value of all searches
    and their mean, time left: as of now.
    """
    pace, rate = _Pace(), _Rate()

    def line() -> str | None:
        if not tally.searches:
            return None
        # The search may add to it meanwhile, from the event loop's thread.
        values = list(tally.best.values())
        best = f"  best value {max(values):+.2f}" if values else ""
        best += f", mean {fmean(values):+.2f}" if len(values) > 1 else ""
        nodes = tally.nodes
        return (
            f"searches {tally.done}/{tally.searches}  nodes {nodes}{rate.now(nodes)}  calls {tally.calls}  "
            f"tokens {tally.input_tokens} in, {tally.output_tokens} out{_money(tally)}{best}"
            + pace.left(tally.done, tally.searches)
            + (f"  {tally.trouble}" if tally.trouble else "")
        )

    return line


def _money(tally: Tally) -> str:
    """What the run has cost so far, earlier sittings included, of what it may cost."""
    if tally.most is not None:
        return f"  {dollars(tally.spent)} of {dollars(tally.most)} USD"
    return f"  {dollars(tally.spent)} USD" if tally.spent else ""


def dollars(nano: int) -> str:
    """To a hundredth of a cent, or as many digits as a smaller amount takes."""
    return f"{nano / 1e9:.4f}" if nano >= 1_000_000 or not nano else f"{nano / 1e9:.2g}"


class Steps:
    """Counts long work of known length; call it with steps done, steps in all, and the loss where there is one."""

    def __init__(self, unit: str) -> None:
        self._unit, self._pace = unit, _Pace()
        self._done, self._all = 0, 0
        self._loss: float | None = None

    def __call__(self, done: int, steps: int, loss: float | None = None) -> None:
        self._pace.left(done, steps)
        self._done, self._all, self._loss = done, steps, loss

    def line(self) -> str | None:
        if not self._all:
            return None
        loss = "" if self._loss is None else f"  loss {self._loss:.3f}"
        return f"{self._unit} {self._done}/{self._all}{loss}{self._pace.left(self._done, self._all)}"
