"""Calls are prepared in turn.

LiteLLM prepares a call in several steps, which take milliseconds of CPU time. Calls that come together, as one commit
lets several go, would take each step together, and be sent together at the end: in turn, the first is sent at once.
One step is on another thread: with two under way neither thread waits for the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from contextvars import ContextVar

import httpx

AT_ONCE = 2

_held: ContextVar[ExitStack] = ContextVar("held")


@asynccontextmanager
async def turn(turns: asyncio.Semaphore) -> AsyncIterator[None]:
    """Wait for one's turn; it ends as this task's request is sent, or with the block."""
    with ExitStack() as held:
        await turns.acquire()
        held.callback(turns.release)
        token = _held.set(held)
        try:
            yield
        finally:
            _held.reset(token)


async def sent(_: httpx.Request) -> None:
    """The client's hook for requests."""
    if (held := _held.get(None)) is not None:
        held.close()
