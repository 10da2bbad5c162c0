"""Several workers on one run: each search is done once, and who was superseded writes nothing more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from flows import RunConfig, align
from flows.audit import audit
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
