"""Ctrl-C and SIGTERM: what is on the wire is waited for, and its reply put on record; a second signal does not wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stopped(Exception):
    """A signal ended the work."""

    def __init__(self, number: int) -> None:
        self.signal = number
        super().__init__("interrupted" if number == signal.SIGINT else "terminated")


async def stopped_by_signals(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; the first signal cancels it, which lets it finish its step. Raises Stopped."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        _listen(loop, None)  # the next one acts as it does by itself
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it tells of what is then cut off, with tracebacks
        print("stopping: what is on the wire is waited for (again: at once)", file=sys.stderr)
        task.cancel()

    _listen(loop, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if caught:
            raise Stopped(caught[0]) from None
        raise
    finally:
        _listen(loop, None)


def _listen(loop: asyncio.AbstractEventLoop, stop: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; not the main thread
            if stop:
                loop.add_signal_handler(number, stop, number)
            else:
                loop.remove_signal_handler(number)
