"""Several workers on one run: each search is done once, and who was superseded writes nothing more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from flows import RunConfig, align
from flows.audit import audit
from flows.bench import carry_out, open_bench_of
from flows.share import Share
from flows.tally import Tally
from store import Record
from tests import killing
from tests.formula_api import FormulaAPI
from tests.on_record import asked, trees

PROMPTS = [f"Prompt {number}" for number in range(8)]
SETTINGS = {
    "methods": [{"name": "aligntree", "limits": {"iterations": 5}, "children": 2, "chunk_tokens": 2}],
    "searches_at_once": 2,
}


def test_two_workers_share_a_run_and_do_each_search_once(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    asyncio.run(align(PROMPTS, formula_config(**SETTINGS), record="whole.db"))
    whole = asked(api)
    api.requests.clear()
    api.delay = lambda: 0.05
    run = killing.begun(api.base, record_url, SETTINGS, PROMPTS)
    workers = [killing.start(record_url, run) for _ in range(2)]
    held = set()
    record = Record.open(record_url)
    while any(worker.is_alive() for worker in workers):
        held |= {search.owner for search in record.searches(run) if search.owner}
        time.sleep(0.02)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(held) == 2  # both had a part in it
    assert all(search.status == "done" for search in record.searches(run))
    assert audit(record, run).faults == ()
    record.close()
    assert asked(api) == whole
    assert trees(record_url) == trees("whole.db")


def join(record: str, run: str, *, stay: bool) -> Tally:
    """Work on a run in this process, too; returns what it saw and did."""

    async def work() -> Tally:
        async with open_bench_of(run, record) as bench:
            await carry_out(bench.record, bench.config, bench.tally, run, bench.search, stay=stay)
            return bench.tally

    return asyncio.run(work())


def begun_elsewhere(api: FormulaAPI, record: str, **given: int) -> tuple[str, BaseProcess]:
    """A run of two searches, and the process that is at work on both."""
    run = killing.begun(api.base, record, SETTINGS, PROMPTS[:2])
    other = killing.start(record, run, **given)
    opened = Record.open(record)
    while len(opened.held(run)) < 2 or len(api.requests) < 3:
        time.sleep(0.01)
    opened.close()
    return run, other


@pytest.mark.parametrize("left_by", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_stays_does_what_another_leaves(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str, left_by: signal.Signals
) -> None:
    asyncio.run(align(PROMPTS[:2], formula_config(**SETTINGS), record="whole.db"))
    api.requests.clear()
    api.delay = lambda: 0.5
    run, other = begun_elsewhere(api, record_url, lease_ms=900)
    os.kill(other.pid or 0, left_by)
    api.delay = lambda: 0.0
    try:
        assert join(record_url, run, stay=True).done == 2
    finally:
        other.kill()
        other.join()
    record = Record.open(record_url)
    assert audit(record, run).faults == ()
    record.close()
    assert trees(record_url) == trees("whole.db")


def test_what_another_left_begun_comes_before_what_nobody_began(
    api: FormulaAPI, record_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And soon: what was free when it was last looked is not done first."""
    monkeypatch.setattr("flows.share._STALE_S", 0.0)
    monkeypatch.setattr("flows.share._STALE_TIMES", 0)
    run = killing.begun(api.base, record_url, SETTINGS, PROMPTS)
    ours, another = Record.open(record_url), Record.open(record_url)
    searches = [search.id for search in ours.searches(run)]
    carried_out: list[str] = []

    async def search(search_id: str) -> str:
        if not carried_out:
            left = await another.claim(searches[5])
            assert left is not None
            await another.release(left, "interrupted", None)
        if (journal := await ours.claim(search_id)) is None:
            return "running"
        await ours.release(journal, "done", None)
        carried_out.append(search_id)
        return "done"

    share = Share(ours, run, Tally(searches=len(searches)), None, stay=False)
    asyncio.run(share.carry_out(search, 1))
    assert carried_out == [searches[number] for number in (0, 5, 1, 2, 3, 4, 6, 7)]
    ours.close()
    another.close()


async def test_what_has_ended_is_not_claimed_again(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    summary = await align(PROMPTS[:1], formula_config(**SETTINGS), record=record_url)
    record = Record.open(record_url)
    (search,) = record.searches(summary.run_id)
    assert await record.claim(search.id) is None
    assert record.search(search.id).status == "done"
    record.close()


def test_what_another_ends_is_waited_for_and_not_done_again(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    api.delay = lambda: 0.5
    run, other = begun_elsewhere(api, record_url)
    assert join(record_url, run, stay=False).done == 0  # nothing is free
    tally = join(record_url, run, stay=True)
    assert (tally.done, tally.calls) == (2, 0)
    record = Record.open(record_url)
    assert [(row.status, row.fence) for row in record.searches(run)] == [("done", 1), ("done", 1)]
    record.close()
    other.join(60)
    assert other.exitcode == 0


def test_of_two_who_begin_the_same_prompts_at_once_one_finds_them_begun(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    Record.open(record_url, create=True).close()
    assert killing.two_begin(api.base, record_url, SETTINGS, PROMPTS) == [0, 0]
    record = Record.open(record_url)
    (run,) = record.runs()
    assert run.statuses == {"done": len(PROMPTS)}
    record.close()


def test_a_worker_that_stalls_past_its_lease_can_write_nothing_more(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    asyncio.run(align(PROMPTS[:2], formula_config(**SETTINGS), record="whole.db"))
    api.requests.clear()
    api.delay = lambda: 0.05 if len(api.requests) < 5 else 1.0
    run = killing.begun(api.base, record_url, SETTINGS, PROMPTS[:2])
    stalled = killing.start(record_url, run, lease_ms=900)
    while len(api.requests) < 5:
        time.sleep(0.01)
    time.sleep(0.3)  # no write is under way: its requests wait for their replies
    os.kill(stalled.pid or 0, signal.SIGSTOP)
    try:
        api.delay = lambda: 0.0
        time.sleep(1.2)
        successor = killing.start(record_url, run)
        successor.join(60)
        assert successor.exitcode == 0
        record = Record.open(record_url)
        head = audit(record, run).head
    finally:  # or this process could never end
        os.kill(stalled.pid or 0, signal.SIGCONT)
    stalled.join(60)
    assert stalled.exitcode == 1
    assert "another worker has taken this search over" in Path("told").read_text(encoding="utf-8")
    found = audit(record, run)
    record.close()
    assert (found.head, found.faults) == (head, ())
    assert trees(record_url) == trees("whole.db")
