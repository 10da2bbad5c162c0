"""Sending within limits: per minute over all workers of a record, adaptive concurrency, and a circuit that opens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows import RunConfig, align
from flows.errors import RunInterrupted
from flows.tally import Tally
from providers import Blame, CallFailed
from providers.gate import Gate
from store import Record
from tests.formula_api import PROBED, Fault, FormulaAPI

BEST = {"name": "best_of_n", "n": 8}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def failed(status: int | None, retry_after: float | None = None) -> CallFailed:
    return CallFailed("no", where="here", blame=Blame.WEATHER, billed=False, status=status, retry_after=retry_after)


async def meet(gate: Gate, failure: CallFailed | None = None) -> None:
    """One request through the gate, and what it met."""
    try:
        async with gate.passing():
            if failure:
                raise failure
    except CallFailed as error:
        if error is not failure:
            raise


async def test_concurrency_is_halved_on_overload_and_grows_slowly() -> None:
    clock, told = Clock(), list[str]()
    gate = Gate(16, 60, clock)
    gate.say = told.append
    for status, width in ((429, 8), (529, 4), (503, 2), (429, 1), (429, 1)):
        clock.now += 1
        await meet(gate, failed(status))
        assert gate.width == width
    for _ in range(3):
        await meet(gate)
    assert int(gate.width) == 2
    successes = 0
    while gate.width < 16:
        await meet(gate)
        successes += 1
    assert 100 < successes < 150  # a round of successes for each place more
    assert (told[0], told[-1]) == ("endpoint overloaded (HTTP 429): 8 requests at once", "")


async def test_requests_that_were_on_the_wire_at_an_overload_halve_once() -> None:
    gate = Gate(8, 60, clock := Clock())
    inside = [gate.passing() for _ in range(8)]
    for one in inside:
        await one.__aenter__()
    clock.now = 1.0
    for one in inside:
        with pytest.raises(CallFailed):
            error = failed(429)
            await one.__aexit__(type(error), error, None)
            raise error
    assert gate.width == 4


async def test_no_more_are_on_the_wire_than_the_gate_is_wide_and_they_pass_in_order() -> None:
    gate, inside, most, order = Gate(3, 60), 0, 0, list[int]()

    async def one(number: int) -> None:
        nonlocal inside, most
        async with gate.passing():
            order.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*map(one, range(20)))
    assert (most, order) == (3, list(range(20)))


async def test_retry_after_closes_the_gate_for_everybody() -> None:
    gate = Gate(8, 60)
    await meet(gate, failed(429, retry_after=0.3))
    began = time.monotonic()
    await asyncio.gather(*(meet(gate) for _ in range(3)))
    assert time.monotonic() - began >= 0.29


async def test_an_endpoint_that_is_down_is_tried_by_one_at_a_time_and_the_rest_fail_in_the_end() -> None:
    clock, told = Clock(), list[str]()
    gate = Gate(8, 60, clock)
    gate.say = told.append
    for _ in range(5):
        await meet(gate, failed(None))
    assert (gate.width, told[-1]) == (1, "endpoint down for 0 s (no)")
    clock.now = 30
    async with gate.passing():
        waiting = asyncio.create_task(meet(gate))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        clock.now = 61
        with pytest.raises(CallFailed, match="down for 61 s: no") as refused:
            await meet(gate)
        assert (refused.value.blame, refused.value.billed) == (Blame.ENDPOINT, False)
    await waiting
    assert told[-1] == "endpoint answers again: 2 requests at once"


async def test_who_gives_up_at_the_gate_leaves_it_as_it_was() -> None:
    gate = Gate(1, 60)
    async with gate.passing():
        waiting = [asyncio.create_task(meet(gate)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()


def test_limits_per_minute_are_shared_by_all_workers_of_a_record(record_url: str) -> None:
    """Two workers, 1,200 requests a minute: twenty of them take 0.95 s, however they fall."""
    Record.open(record_url, create=True).close()
    sent = list[float]()

    def worker() -> None:
        record = Record.open(record_url)

        async def work() -> None:
            for _ in range(10):
                await asyncio.sleep(await record.book("endpoint", {"requests": (1, 1200), "tokens": (10, 100_000)}))
                sent.append(time.monotonic())

        asyncio.run(work())
        record.close()

    with ThreadPoolExecutor(2) as workers:
        for done in [workers.submit(worker) for _ in range(2)]:
            done.result()
    assert max(sent) - min(sent) >= 0.9


async def test_tokens_that_a_request_did_not_take_are_for_others(record_url: str) -> None:
    record = Record.open(record_url, create=True)
    assert await record.book("e", {"tokens": (1000, 60_000)}) == 0
    assert await record.book("e", {"tokens": (1000, 60_000)}) == pytest.approx(1.0, abs=0.3)
    await record.book("e", {"tokens": (-1900, 60_000)})
    assert await record.book("e", {"tokens": (10, 60_000)}) < 0.5
    assert await record.book("another endpoint", {"tokens": (10, 60_000)}) == 0
    record.close()


async def test_a_run_keeps_its_requests_per_minute(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> None:
    config = formula_config(methods=[BEST], strong={"requests_per_minute": 600, "choices_per_request": 1})
    began = time.monotonic()
    summary = await align(["The tide"], config, record="r.db")
    assert summary.finished
    assert len(api.requests) == 8
    assert time.monotonic() - began >= 0.1 * (8 + PROBED - 1)


async def test_a_run_slows_down_for_an_overloaded_endpoint_and_ends(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    """It answers two at once; the rest get 429."""
    busy, lock = 0, threading.Lock()
    meet_as_before = api.meet

    def overloaded(request: dict[str, object]) -> Fault | None:
        nonlocal busy
        with lock:
            if busy >= 2:
                return Fault(429)
            busy += 1
        time.sleep(0.02)
        with lock:
            busy -= 1
        return meet_as_before(request)

    api.meet = overloaded  # type: ignore[method-assign]
    strong = {"choices_per_request": 1, "retry_for": 60}
    tally, told = Tally(), list[str]()
    tally.heard = told.append
    config = formula_config(methods=[BEST], strong=strong, searches_at_once=4)
    summary = await align(["The tide", "A letter", "The sea"], config, record="r.db", tally=tally)
    assert summary.finished
    assert len(api.requests) == 24
    assert told[0].startswith("endpoint overloaded (HTTP 429)")


async def test_a_run_stops_and_says_so_when_the_endpoint_is_down(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    api.faults = [Fault(502)] * 1000
    tally, told = Tally(), list[str]()
    tally.heard = told.append
    strong = {"choices_per_request": 1, "retry_for": 2}
    config = formula_config(methods=[BEST], strong=strong, searches_at_once=2)
    began = time.monotonic()
    with pytest.raises(RunInterrupted, match=r"aligntree resume") as stopped:
        await align([f"Prompt {i}" for i in range(30)], config, record="r.db", tally=tally)
    assert time.monotonic() - began < 20  # not two seconds for each of thirty
    assert any("down for" in line for line in told)
    assert isinstance(stopped.value.__cause__, CallFailed)
    assert len(api.requests) < 60


async def test_one_slow_endpoint_does_not_stall_another(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    slow = FormulaAPI()
    slow.delay = lambda: 0.4
    methods = [{"name": "beam", "width": 2, "children": 2, "chunk_tokens": 3}]
    try:
        behind = formula_config(methods=methods, strong={"api_base": slow.base})
        dragging = asyncio.create_task(align(["The tide"], behind, record="slow.db"))
        await asyncio.sleep(0.1)
        summary = await align(["The tide"], formula_config(methods=methods), record="r.db")
        assert summary.finished
        assert not dragging.done()
        assert (await dragging).answers[0].text == summary.answers[0].text
    finally:
        slow.close()
