"""Budgets hold: for a run, a day and the whole record, whatever fails or crashes, and however many draw on them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from flows import RunConfig, align
from store import CallKey, Cost, Journal, OutOfBudget, Record, ReplyRow, Spent
from store.budget import Budget, Limits, count
from store.database import Database
from store.schema import budgets
from store.settings import record_url as parse_url
from tests.formula_api import PROBED, FormulaAPI
from tests.test_store import ASK, KEY, REPLY, new_run


@pytest.fixture
def record(record_url: str) -> Iterator[Record]:
    opened = Record.open(record_url, create=True)
    yield opened
    opened.close()


async def journals(record: Record, count: int, limits: Limits) -> list[Journal]:
    run_id = await record.begin_run(new_run(*(f"p{i}" for i in range(count)), limits=limits))
    found = [await record.claim(search.id) for search in record.searches(run_id)]
    return [journal for journal in found if journal is not None]


def counters(url: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Reserved and spent, by scope (a run's without its id) and unit."""
    database = Database.open(parse_url(url))
    rows = database.read(lambda connection: connection.execute(select(budgets)).all())
    database.close()
    return {(row.scope.partition(":")[0], row.unit): (row.reserved, row.spent) for row in rows}


async def test_each_request_counts_in_the_run_the_day_and_the_whole_record(record: Record, record_url: str) -> None:
    (journal,) = await journals(record, 1, {})
    await journal.intend(ASK, KEY, {}, Cost(100, 50))
    assert {counters(record_url)[scope, "nano_usd"] for scope in ("run", "day", "all")} == {(50, 0)}
    journal.settle(KEY, REPLY)  # 7 + 4 tokens, 11 nano-dollars
    await journal.flush()
    found = counters(record_url)
    for scope in ("run", "day", "all"):
        assert [found[scope, unit] for unit in ("requests", "tokens", "nano_usd")] == [(0, 1), (0, 11), (0, 11)]


async def test_what_each_run_spent_is_read_off_its_counters(record: Record) -> None:
    (journal,), _ = await journals(record, 1, {}), await journals(record, 1, {})
    await journal.intend(ASK, KEY, {}, Cost(100, 50))
    journal.settle(KEY, REPLY)
    await journal.flush()
    idle, busy = (run.id for run in record.runs())
    assert record.spent() == {busy: Spent(requests=1, tokens=11, nano_usd=11)}
    assert (record.spent(busy), record.spent(idle)) == (record.spent(), {})


@pytest.mark.parametrize("scope", ["day", "all"])
async def test_runs_share_the_limits_of_the_day_and_of_the_record(record: Record, scope: str) -> None:
    limits = {scope: {"tokens": 150}}
    (first,), (second,) = await journals(record, 1, limits), await journals(record, 1, limits)
    await first.intend(ASK, KEY, {}, Cost(100, None))
    with pytest.raises(OutOfBudget, match=rf"budget\.{scope}\.tokens = 150: .* could take 100, with 0 spent and 100"):
        await second.intend(ASK, KEY, {}, Cost(100, None))
    (unlimited,) = await journals(record, 1, {})
    await unlimited.intend(ASK, KEY, {}, Cost(100, None))


async def test_a_limit_in_dollars_is_told_in_dollars(record: Record) -> None:
    (journal,) = await journals(record, 1, {"run": {"nano_usd": 5_000_000}})
    with pytest.raises(OutOfBudget, match=r"budget\.usd = 0\.005: the next request could take 0\.0051, with 0 spent"):
        await journal.intend(ASK, KEY, {}, Cost(1, 5_100_000))


def test_a_reply_after_midnight_settles_the_day_of_its_request(record: Record, record_url: str) -> None:
    database, budget = Database.open(parse_url(record_url)), Budget("a-run", {})
    late = 1_767_311_999_500  # half a second before the first of January 2026 ends (UTC)
    for at in (late, late + 1000):
        database.transact_now(lambda c: count(c, [budget.reserve(Cost(100, 50), at)]))  # noqa: B023 - at once
    database.transact_now(lambda c: count(c, [budget.settle(Cost(100, 50), Cost(11, 11), late)]))
    rows = database.read(lambda connection: connection.execute(select(budgets)).all())
    database.close()
    days = {row.scope: (row.reserved, row.spent) for row in rows if row.unit == "tokens" and row.scope != "all"}
    assert days == {"run:a-run": (100, 11), "day:2026-01-01": (0, 11), "day:2026-01-02": (100, 0)}


async def test_64_at_once_never_overspend_a_budget_worth_5(record: Record, record_url: str) -> None:
    many = await journals(record, 64, {"day": {"nano_usd": 5 * 7}})
    wanted = [journal.intend(ASK, KEY, {}, Cost(10, 7)) for journal in many]
    outcomes = await asyncio.gather(*wanted, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 5
    assert sum(isinstance(outcome, OutOfBudget) for outcome in outcomes) == 59
    assert counters(record_url)["day", "nano_usd"] == (35, 0)


def again(journal: Journal) -> Journal:
    """As another process finds it on record."""
    return journal._database.read(lambda connection: Journal(journal._database, connection, journal.lease))


async def test_the_ledger_never_understates_what_was_billed(tmp_path: Path) -> None:
    """1,000 random sequences of requests, failures and crashes: what the API billed is at most spent and reserved."""
    url, draw = f"sqlite:///{tmp_path}/r.db", random.Random(20251114)
    record = Record.open(url, create=True)
    looking = Database.open(parse_url(url))
    billed = {"requests": 0, "tokens": 0, "nano_usd": 0}
    for _ in range(1000):
        (journal,) = await journals(record, 1, {})
        sent = None
        for attempt in range(draw.randrange(1, 5)):
            if draw.random() < 0.1:  # killed, and gone on with: what has no reply may have been billed
                journal = again(journal)
                await journal.adopt()
                sent = None
            if sent is None:
                worst = Cost(draw.randrange(10, 90), draw.randrange(10, 90))
                sent = CallKey(0, 0, attempt)
                await journal.intend(ASK, sent, {}, worst)
            fate = draw.choice(["answered", "billed and failed", "refused", "billed and lost", "lost"])
            if fate in ("answered", "billed and failed", "billed and lost"):
                tokens, price = draw.randrange(worst.tokens + 1), draw.randrange((worst.price or 0) + 1)
                for unit, amount in Cost(tokens, price).amounts().items():
                    billed[unit] += amount
            if fate == "answered":
                journal.settle(sent, ReplyRow([], None, b"", tokens, 0, 0, price=price))
            elif fate == "billed and failed":
                journal.settle(sent, ReplyRow(None, {"what": "reset", "billed": True}, b""), billed=True)
            elif fate == "refused":
                journal.settle(sent, ReplyRow(None, {"what": "429", "billed": False}, b""), billed=False)
            else:
                await journal.adopt()  # as the next owner does
            await journal.flush()
            sent = None
        rows = looking.read(lambda c: c.execute(select(budgets).where(budgets.c.scope == "all")).all())
        assert all(row.spent + row.reserved >= billed[row.unit] for row in rows)
    looking.close()
    record.close()


async def test_when_the_days_budget_is_gone_runs_stop_cleanly_and_say_how_to_go_on(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config(budget={"day": {"requests": 4 + PROBED}}, searches_at_once=2)
    await align(["The tide"], config, record=record_url)
    summary = await align(["A letter"], config, record=record_url)
    assert len(api.requests) == 4
    assert summary.finished
    (answer,) = summary.answers
    assert answer.why.startswith("budget.day.requests = 11: the next request could take 1")
