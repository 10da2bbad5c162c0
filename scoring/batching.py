"""One batch for everybody: what many searches want scored, gathered for a scorer on a thread of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Self

from scoring.base import Candidate, Drafted, Score, Scorer, Steers, drafter, steerer

_AT_ONCE = 256
"""Candidates from which on no further request joins a batch: a long one must not keep the others waiting."""


class BatchScorer:
    """Scores in the order asked. What is asked while the scorer is busy waits and is scored together next.

    Nothing is delayed to wait for more: the first request of an idle scorer begins at once. Torch never blocks the
    event loop. A request whose waiter is gone is dropped; an error reaches those alone that caused it.
    """

    def __init__(self, scorer: Scorer, thread: ThreadPoolExecutor | None = None) -> None:
        self.scorer = scorer
        self._thread = thread or _thread()
        self._waiting: deque[tuple[Sequence[Candidate], asyncio.Future[list[Score]]]] = deque()
        self._work: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, load: Callable[[], Scorer]) -> Self:
        """Of the scorer that `load` makes, on the thread that will run it.

        Torch keeps helpers for every thread that it was ever called from, and where there are more of them than cores
        they sleep after each product instead of waiting for the next: that made all scoring 1.6 times slower.
        """
        thread = _thread()
        try:
            return cls(await asyncio.get_running_loop().run_in_executor(thread, load), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """One score per candidate, in order. Raises ScoringError."""
        future: asyncio.Future[list[Score]] = asyncio.get_running_loop().create_future()
        self._waiting.append((candidates, future))
        if self._work is None:
            self._work = asyncio.create_task(self._serve())
        return await future

    async def draft(self, prompt: str, max_tokens: int) -> Drafted:
        """The weak pair's own answer. Raises ScoringError where it gives none."""
        work = partial(drafter(self.scorer).draft, prompt, max_tokens)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def steering(self) -> Steers:
        """The weak pair's, run on the scorer's own thread. Raises ScoringError where it cannot steer."""
        return _OnThread(steerer(self.scorer).steering(), self._thread)

    def close(self) -> None:
        """What waits is not scored any more."""
        if self._work is not None:
            self._work.cancel()
        for _, future in self._waiting:
            future.cancel()
        self._thread.shutdown(cancel_futures=True)

    async def _serve(self) -> None:
        try:
            while self._waiting:
                if taken := self._take():
                    await self._score(taken)
        finally:
            self._work = None

    def _take(self) -> list[tuple[Sequence[Candidate], asyncio.Future[list[Score]]]]:
        taken, count = [], 0
        while self._waiting and count < _AT_ONCE:
            candidates, future = self._waiting.popleft()
            if not future.done():
                taken.append((candidates, future))
                count += len(candidates)
        return taken

    async def _score(self, requests: Sequence[tuple[Sequence[Candidate], asyncio.Future[list[Score]]]]) -> None:
        together = [candidate for candidates, _ in requests for candidate in candidates]
        try:
            scores = await asyncio.get_running_loop().run_in_executor(self._thread, self.scorer.score, together)
        except asyncio.CancelledError:
            for _, future in requests:
                future.cancel()
            raise
        except Exception as error:
            if len(requests) > 1:
                for request in requests:
                    await self._score([request])
            else:
                for _, future in requests:
                    if not future.done():
                        future.set_exception(error)
            return
        for candidates, future in requests:
            if not future.done():
                future.set_result(scores[: len(candidates)])
            scores = scores[len(candidates) :]


class _OnThread:
    def __init__(self, steering: Steers, thread: ThreadPoolExecutor) -> None:
        self._steering, self._thread, self.vocabulary = steering, thread, steering.vocabulary

    def begin(self) -> Callable[[Any], Any]:
        after = self._steering.begin()
        return lambda ids: self._thread.submit(after, ids).result()


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="scorer")
