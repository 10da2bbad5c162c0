"""The way to one endpoint: how many requests may be on the wire, and when none may, by what the last ones met."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from providers.errors import Blame, CallFailed

_OVERLOADED = frozenset({429, 503, 529})
_DOWN = 5
"""Failures in a row after which an endpoint counts as down."""
_LONGEST_PAUSE = 20.0


class Gate:
    """Adaptive concurrency (halved on overload, grown by one per round of successes) and a circuit breaker.

    Retry-After closes the gate for everybody. An endpoint that fails `_DOWN` times in a row is down: one request at a
    time tries it, after a pause that doubles; where it has been down for longer than `patience` seconds, whoever would
    have to wait fails at once. The first success opens it again. One gate serves one event loop.
    """

    def __init__(
        self, most: int, patience: float, clock: Callable[[], float] = time.monotonic, where: str = "strong model"
    ) -> None:
        self._most, self._patience, self._clock, self._where = most, patience, clock, where
        self.width = float(most)
        self.say: Callable[[str], None] = lambda _: None
        """Told when the endpoint is overloaded, down or well again (an empty text)."""
        self._busy = 0
        self._closed_until = 0.0
        self._halved = float("-inf")
        self._failures = 0
        self._down_since: float | None = None
        self._last = ""
        self._waiting: dict[asyncio.Future[None], None] = {}  # in order

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Hold a place on the wire. Raises CallFailed, with nothing sent, where the endpoint is down for too long."""
        await self._enter()
        began = self._clock()
        try:
            yield
        except CallFailed as failed:
            self._failed(failed, began)
            raise
        else:
            self._succeeded()
        finally:
            self._busy -= 1
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(None)

    @property
    def is_closed(self) -> bool:
        """Whoever comes now has to wait."""
        return not self._has_room or self._closed_until > self._clock()

    @property
    def _has_room(self) -> bool:
        return self._busy < int(self.width)

    async def _enter(self) -> None:
        while self.is_closed:
            until = [self._closed_until] if self._has_room else []
            if self._down_since is not None:
                until.append(self._give_up_at(self._down_since))
            changed = asyncio.get_running_loop().create_future()
            self._waiting[changed] = None
            try:
                await asyncio.wait_for(changed, min(until) - self._clock() if until else None)
            except TimeoutError:
                pass
            finally:
                del self._waiting[changed]
        self._busy += 1

    def _give_up_at(self, down_since: float) -> float:
        """When waiting is given up. Raises CallFailed when that is now."""
        now = self._clock()
        if now - down_since >= self._patience:
            raise CallFailed(
                f"the endpoint is down for {now - down_since:.0f} s: {self._last}",
                where=self._where, blame=Blame.ENDPOINT, billed=False, mend="Go on when it is up",
            )  # fmt: skip
        return down_since + self._patience

    def _succeeded(self) -> None:
        was_narrow = self.width < self._most
        self.width = min(float(self._most), self.width + 1 / self.width)
        self._answered(was_narrow=was_narrow)

    def _answered(self, *, was_narrow: bool = False) -> None:
        """It is up, whatever it says."""
        was_down = self._down_since is not None
        self._failures, self._down_since = 0, None
        if (was_down or was_narrow) and self.width == self._most:
            self.say("")
        elif was_down:
            self.say(f"endpoint answers again: {int(self.width)} requests at once")

    def _failed(self, failed: CallFailed, began: float) -> None:
        if failed.blame is not Blame.WEATHER:
            if failed.status is not None:
                self._answered()
            return
        now = self._clock()
        if failed.retry_after:
            self._closed_until = max(self._closed_until, now + failed.retry_after)
        self._last = failed.what
        if failed.status in _OVERLOADED:
            if began >= self._halved:  # what was on the wire already tells nothing new
                self._halved, self.width = now, max(1.0, self.width / 2)
                self.say(f"endpoint overloaded (HTTP {failed.status}): {int(self.width)} requests at once")
            return
        self._failures += 1
        if self._failures >= _DOWN:
            self._down_since = now if self._down_since is None else self._down_since
            self.width = 1.0
            pause = min(_LONGEST_PAUSE, 0.5 * 2 ** (self._failures - _DOWN))
            self._closed_until = max(self._closed_until, now + pause)
            self.say(f"endpoint down for {now - self._down_since:.0f} s ({failed.what})")
