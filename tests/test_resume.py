"""A run that is interrupted anywhere resumes to the same tree and pays for nothing twice."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from flows import RunConfig, align, resume
from flows.errors import RunInterrupted
from flows.plan import fresh_method
from flows.replay import replay
from store import Record
from tests import killing
from tests.benchmarks.kills import survive
from tests.formula_api import PROBED, Fault, FormulaAPI
from tests.on_record import asked, trees

METHODS = {
    "aligntree": {"name": "aligntree", "limits": {"iterations": 3}, "children": 2, "chunk_tokens": 4},
    "beam": {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 6, "in_flight": 2},
    "wsd": {"name": "wsd", "window": 2, "gamma": 0.7, "n": 3},
    "refine": {"name": "refine", "n": 3, "turns": 2},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_killed_between_any_two_steps_resumes_to_the_same_tree(
    method: str, record_url: str, tmp_path: Any
) -> None:
    """SIGKILL before or after each transaction and each request in turn, one place after the other, then resume."""
    strong = {"choices_per_request": 2, "endpoint": {"prompt_logprobs": True}}
    settings = {"methods": [METHODS[method]], "searches_at_once": 1, "strong": strong}
    whole = FormulaAPI()
    assert killing.run(whole.base, f"{tmp_path}/whole.db", None, settings, begin=True) == 0
    expected, paid = trees(f"{tmp_path}/whole.db"), asked(whole)
    whole.close()

    api = FormulaAPI()
    exit_code = killing.run(api.base, record_url, 0, settings, begin=True)
    kills = 0
    while exit_code != 0:
        assert exit_code == -9
        kills += 1
        # Claiming a search takes four steps; two asks at once are twelve more before the first is told.
        exit_code = killing.run(api.base, record_url, 4 + kills * 5 % 21, settings, begin=False)
    api.close()
    assert kills >= 4
    assert trees(record_url) == expected
    # Sequential: a kill can lose the one request that was in flight. No recorded reply was asked for again.
    opened = Record.open(record_url)
    histories = [opened.history(s.id) for s in opened.searches(opened.run().id)]
    opened.close()
    lost = sum(r.failure is not None for h in histories for r in h.replies.values())
    extra = asked(api) - paid
    assert set(asked(api)) == set(paid)
    assert extra.total() <= lost <= kills * 2
    for history in histories:
        answered = Counter((key.ask, key.part) for key, reply in history.replies.items() if reply.failure is None)
        assert set(answered.values()) == {1}


async def test_an_outage_interrupts_and_resume_goes_on(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config(strong={"retry_for": 0})
    uninterrupted = await align(killing.PROMPTS, config, record="whole.db")
    before = len(api.requests)
    api.faults = []

    def outage(request: dict[str, Any]) -> Fault | None:
        api.requests.append(request)
        return Fault(503) if len(api.requests) > before + 4 else None

    usual, api.take = api.take, outage  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted, match="aligntree resume"):
        await align(killing.PROMPTS, config, record=record_url)
    api.take = usual  # type: ignore[method-assign]
    summary = await resume(record=record_url)
    assert summary.finished
    assert trees(record_url) == trees("whole.db")
    assert [a.text for a in summary.answers] == [a.text for a in uninterrupted.answers]
    calls = len(api.requests)
    again = await resume(record=record_url)
    assert len(api.requests) == calls  # nothing left to do, nothing paid
    assert again == summary


async def test_an_ask_that_fails_does_not_cut_off_what_others_have_on_the_wire(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    beam = {"name": "beam", "width": 4, "children": 4, "chunk_tokens": 2, "in_flight": 2}
    config = formula_config(methods=[beam], strong={"retry_for": 0, "choices_per_request": 16})

    def second_round_fails_once(request: dict[str, Any]) -> Fault | None:
        api.requests.append(request)
        if len(api.requests) == 2:
            return Fault(503)
        if len(api.requests) == 3:
            time.sleep(0.3)
        return None

    api.take = second_round_fails_once  # type: ignore[method-assign]
    with pytest.raises(RunInterrupted):
        await align(["A letter"], config, record="r.db")
    before = asked(api)
    assert (await resume(record="r.db")).finished
    again = asked(api) - before
    assert {key[1] for key in set(again) & set(before)} == {api.requests[1]["seed"]}


async def test_replaying_the_record_offline_gives_the_same_answer(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config()
    summary = await align(["The tide"], config, record=record_url)
    api.close()
    opened = Record.open(record_url)
    (search,) = opened.searches(summary.run_id)
    method = fresh_method(config, opened.run().finding, search)
    assert replay(method, opened.history(search.id)) == []
    assert method.result().to_json() == search.answer
    opened.close()


async def test_a_budget_stops_cleanly_before_the_request_that_would_exceed_it(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config(budget={"requests": 3 + PROBED}, searches_at_once=1)
    summary = await align(["The tide"], config, record=record_url)
    (answer,) = summary.answers
    assert answer.status == "done"
    assert "requests" in answer.why
    assert answer.text
    assert len(api.requests) == 3
    assert (await resume(record=record_url)).answers == summary.answers
    assert len(api.requests) == 3


def test_runs_killed_at_random_moments_end_as_if_nobody_had_killed_them(record_url: str) -> None:
    """The short form of: python -m tests.benchmarks.kills."""
    report = survive(record_url, kills=6, seed=7)
    assert report.kills >= 6


def test_a_full_disk_interrupts_and_nothing_is_lost_once_there_is_room(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    settings = {"methods": list(METHODS.values())}
    asyncio.run(align(killing.PROMPTS, formula_config(**settings), record="whole.db"))
    whole = asked(api)
    api.requests.clear()
    run = killing.begun(api.base, "r.db", settings, killing.PROMPTS)
    for most_bytes in (150_000, 200_000, 250_000):
        process = killing.start("r.db", run, most_bytes=most_bytes)
        process.join(60)
        assert process.exitcode == 1
        told = Path("told").read_text(encoding="utf-8")
        assert re.search("RunInterrupted: .*(full|I/O error).* Mend the database, then: aligntree resume", told), told
    summary = asyncio.run(resume(record="r.db"))
    assert summary.finished
    assert trees("r.db") == trees("whole.db")
    # What could not be written was lost, and asked for again: at most what was in flight each time.
    assert set(asked(api)) == set(whole)
    assert (asked(api) - whole).total() <= 3 * 8


def test_a_database_that_drops_its_connections_is_come_back_to(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], postgres: str
) -> None:
    settings = {"methods": list(METHODS.values()), "strong": {"choices_per_request": 2}}
    asyncio.run(align(killing.PROMPTS, formula_config(**settings), record="whole.db"))
    server = create_engine(make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    name = f"record_{uuid.uuid4().hex}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(postgres).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    run = killing.begun(api.base, url, settings, killing.PROMPTS)
    api.delay = lambda: 0.05
    codes: list[int | None] = []
    dropped = 0
    gone = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
    while not codes or codes[-1] != 0:
        process = killing.start(url, run)
        while process.is_alive():
            process.join(0.03 if dropped < 40 else 60)
            if len(api.requests) > 1 and dropped < 40:
                with server.connect() as connection:
                    dropped += len(connection.execute(gone, {"name": name}).all())
        codes.append(process.exitcode)
    server.dispose()
    assert dropped >= 40
    assert set(codes) <= {0, 1}  # a connection that is dropped between two transactions is made anew
    assert trees(url) == trees("whole.db")
