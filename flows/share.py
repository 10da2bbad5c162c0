"""One process's share of a run: it takes search after search, each of which nobody else holds, until none is left."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from flows.tally import Tally
from providers import STOPS_THE_RUN, CallFailed
from store import ENDED, Record

Search = Callable[[str], Awaitable[str]]
"""Carry out the search with this id; returns its status."""

_LOOK_EVERY_S = 1.0
"""Who stays and finds nothing free."""
_STALE_S = 5.0
_STALE_TIMES = 20
"""What was free so long ago, and so many times as long as it took to find, is looked for anew: others may have left
what they had begun.
"""


@dataclass
class Share:
    """Searches are not dealt out beforehand: each process claims what is free, so that a slow one does fewer, and what
    a dead one had goes to the rest.

    Who is to `stay` waits, once nothing is free, for what others hold: they end it, or their leases end.
    """

    record: Record
    run_id: str
    tally: Tally
    tries: int | None
    stay: bool
    failures: list[Exception] = field(default_factory=list)
    _mine: set[str] = field(default_factory=set)
    """In hand, or failed here."""
    _refused: set[str] = field(default_factory=set)
    """Another was faster."""
    _free: deque[tuple[str, int]] = field(default_factory=deque)
    """That were free when it was last looked, with their fences."""
    _stale_at: float = 0.0
    """When to look again, though some of these are left."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _first: int = 0
    """Where in the run to look first."""

    async def carry_out(self, search: Search, at_once: int) -> list[Exception]:
        """Take searches, some at once; returns what went wrong. What the world does to one does not stop the others,
        but once a key or a model is refused none is begun any more.
        """
        if self.record.held(self.run_id):  # by others, who go through it from where they began
            self._first = random.randrange(self.tally.searches)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, self.tally.searches)):
                group.create_task(self._work(search))
        return self.failures

    async def _work(self, search: Search) -> None:
        while not self._stopped and (search_id := await self._next()) is not None:
            try:
                if await search(search_id) in ENDED:
                    self.tally.done = min(self.tally.done + 1, self.tally.searches)  # it may be counted already
                else:
                    self._refused.add(search_id)
                self._mine.discard(search_id)
            except Exception as failure:  # told by the run, whatever it is
                self.failures.append(failure)

    async def _next(self) -> str | None:
        async with self._turn:
            while not self._stopped:
                if not self._free or time.monotonic() > self._stale_at:
                    left = self._look()
                    if not self._free:
                        if not (self.stay and left):
                            return None
                        await asyncio.sleep(_LOOK_EVERY_S)
                        self._refused.clear()
                while self._free:
                    search_id, fence = self._free.popleft()
                    if self.record.search(search_id).fence == fence:  # nobody has claimed it since
                        self._mine.add(search_id)
                        return search_id
            return None

    def _look(self) -> bool:
        """For what is free; whether there is more to wait for."""
        began = time.monotonic()
        stock = self.record.stock(self.run_id, self._mine | self._refused, self.tries, self._first)
        found = time.monotonic()
        self._stale_at = found + max(_STALE_S, _STALE_TIMES * (found - began))
        self.tally.done, self._free = stock.ended, deque(stock.free)
        return stock.left or bool(self._refused)

    @property
    def _stopped(self) -> bool:
        return any(isinstance(f, CallFailed) and f.blame in STOPS_THE_RUN for f in self.failures)
