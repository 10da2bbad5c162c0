"""A worker process as queues: searches wait for the process itself, the endpoint and its quota, and the weak scorer."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import simpy

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Latency:
    """Seconds that a reply takes: log-normal, by mean and coefficient of variation (standard deviation over mean)."""

    mean: float
    variation: float = 0.5

    def draws(self, seed: int) -> Iterator[float]:
        draw, wide = Random(seed), math.log1p(self.variation**2)
        while True:
            yield draw.lognormvariate(math.log(self.mean) - wide / 2, wide**0.5) if self.mean else 0.0


@dataclass(frozen=True)
class Work:
    """What a search asks for: calls one after the other, each followed by candidates to score."""

    calls: float
    candidates: float
    """Per call."""

    def made(self, searches: int) -> list[int]:
        """Calls of each search: whole numbers with this mean."""
        return [math.floor(self.calls * (i + 1)) - math.floor(self.calls * i) for i in range(searches)]


@dataclass(frozen=True)
class Costs:
    """Seconds of the process, which does one thing at a time, for each call and each search; and seconds that a call
    and a search take beside those, in which others go on (commits that are waited for, wakings of threads).
    """

    call: float
    search: float
    call_waits: float = 0.0
    search_waits: float = 0.0


@dataclass(frozen=True)
class Scoring:
    """Seconds of a batch: so much each time, and so much for each candidate in it. One batch at a time."""

    batch: float = 0.0
    candidate: float = 0.0
    most: int = 256


@dataclass(frozen=True)
class Setting:
    """Where the work is done: searches at once, what bounds them outside. `per_minute`: requests that may be sent."""

    at_once: int
    latency: Latency
    scoring: Scoring = Scoring()
    per_minute: float | None = None


@dataclass
class _Scorer:
    """Takes what waits as one batch."""

    world: simpy.Environment
    scoring: Scoring
    waiting: list[tuple[float, simpy.Event]] = field(default_factory=list)
    busy: bool = False

    def score(self, candidates: float) -> simpy.Event:
        done = self.world.event()
        self.waiting.append((candidates, done))
        if not self.busy:
            self.busy = True
            self.world.process(self._serve())
        return done

    def _serve(self) -> Steps:
        while self.waiting:
            taken, count = list[simpy.Event](), 0.0
            while self.waiting and count < self.scoring.most:
                candidates, done = self.waiting.pop(0)
                taken.append(done)
                count += candidates
            yield self.world.timeout(self.scoring.batch + count * self.scoring.candidate)
            for done in taken:
                done.succeed()
        self.busy = False


def seconds(searches: int, work: Work, costs: Costs, setting: Setting, seed: int = 7) -> float:
    """That a process takes for so many searches, from the first to the end of the last."""
    world = simpy.Environment()
    process, slots = simpy.Resource(world), simpy.Resource(world, setting.at_once)
    scorer, latencies = _Scorer(world, setting.scoring), setting.latency.draws(seed)
    apart = 60 / setting.per_minute if setting.per_minute else 0.0
    free_at = 0.0

    def works(for_s: float) -> Steps:
        with process.request() as turn:
            yield turn
            yield world.timeout(for_s)

    def search(calls: int) -> Steps:
        nonlocal free_at
        with slots.request() as slot:
            yield slot
            yield from works(costs.search)
            yield world.timeout(costs.search_waits)
            for _ in range(calls):
                yield from works(costs.call)
                start, free_at = max(free_at, world.now), max(free_at, world.now) + apart
                yield world.timeout(start - world.now + next(latencies) + costs.call_waits)
                yield scorer.score(work.candidates)

    for calls in work.made(searches):
        world.process(search(calls))
    world.run()
    return float(world.now)
