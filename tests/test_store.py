"""What any backend of the record must do: one suite, run on SQLite and on Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, inspect, select, text, update

from store import (
    AskRow,
    CallKey,
    Cost,
    Journal,
    LeaseLost,
    NewRun,
    NewSearch,
    NodeRow,
    NotOnRecord,
    OutOfBudget,
    Record,
    RecordFailed,
    RecordUnusable,
    ReplyRow,
    ScoreRow,
    TellRow,
    fingerprint,
)
from store.budget import Change, Limits, count
from store.chain import link
from store.database import Database
from store.journal import _Settled, _Told
from store.lease import Lease, _extend, is_dead, new_owner
from store.schema import CHAINED, budgets, metadata, searches
from store.settings import record_url as parse_url
from store.text import escape, unescape
from store.version import VERSION_TABLE
from store.writer import Writer

ASK = AskRow(0, "sample", "a" * 64, 0, {"n": 2, "max_tokens": 4})
KEY = CallKey(0, 0, 0)
REPLY = ReplyRow([{"text": " x"}], None, b'{"choices": []}', input_tokens=7, output_tokens=4, price=11, latency=0.25)


@pytest.fixture
def record(record_url: str) -> Iterator[Record]:
    opened = Record.open(record_url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def worker(record_url: str, record: Record) -> Iterator[Record]:
    """Another worker on the same record."""
    opened = Record.open(record_url)
    yield opened
    opened.close()


@pytest.fixture
def database(record_url: str, record: Record) -> Iterator[Database]:
    """The same record, for looking at its rows."""
    opened = Database.open(parse_url(record_url))
    yield opened
    opened.close()


def new_run(*prompts: str, limits: Limits | None = None, name: str = "test") -> NewRun:
    found = [
        NewSearch(fingerprint([p, i]), p, 0, "base", 1, {"name": "base"}, fingerprint("shape"), 0)
        for i, p in enumerate(prompts)
    ]
    return NewRun(name, {"name": name}, {"python": "3"}, {}, {}, limits or {}, found)


async def begun(record: Record, *prompts: str, **given: Any) -> tuple[str, Journal]:
    run_id = await record.begin_run(new_run(*(prompts or ("Once",)), **given))
    journal = await record.claim(record.searches(run_id)[0].id)
    assert journal is not None
    return run_id, journal


async def test_a_search_is_read_back_as_it_was_written(record: Record) -> None:
    run_id, journal = await begun(record)
    node = NodeRow("b" * 64, ASK.node_id, 0, " x", "length", 4)
    score = ScoreRow(0, node.id, "log_ratio", -0.1234567890123, {"tuned": -1e-300, "reference": 1e300})
    tell = TellRow(0, 0, "grown", {"children": [[node.id, 2]]})
    await journal.intend(ASK, KEY, {"n": 2}, Cost(100, 50))
    journal.settle(KEY, REPLY)
    journal.tell(tell, [node], [score])
    await journal.flush()
    history = record.history(journal.lease.search_id)
    assert history.asks == {0: ASK}
    assert history.calls == (KEY,)
    assert history.replies[KEY].continuations == REPLY.continuations
    assert history.nodes == {node.id: node}
    assert history.scores == {node.id: (score,)}
    assert history.tells == (tell,)
    totals = record.totals(run_id)
    assert (totals.calls, totals.nodes, totals.input_tokens, totals.output_tokens, totals.price) == (1, 1, 7, 4, 11)


async def test_what_waits_is_written_in_one_transaction_whatever_it_is(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one search with two asks in flight, and of another: a reply, a tell, and intents of asks old and new."""
    (run_id, one), (_, other) = await begun(record, "Once"), await begun(record, "Twice")
    await one.intend(ASK, KEY, {}, Cost(100, 50))
    await other.intend(ASK, KEY, {}, Cost(100, 50))
    database, taken, free, commits = one._database, Event(), Event(), list[int]()
    commit = Writer._commit_all

    def counted(self: Writer, jobs: list[Any]) -> None:
        commits.append(len(jobs))
        commit(self, jobs)

    def hold(_: object) -> None:
        taken.set()
        free.wait(10)

    held = database.submit(hold)
    await asyncio.to_thread(taken.wait, 10)
    monkeypatch.setattr(Writer, "_commit_all", counted)
    other.tell(TellRow(0, 0, "failed", {"reason": "x"}))
    one.settle(KEY, REPLY)
    other.settle(KEY, REPLY)
    works = [
        one.intend(ASK, CallKey(0, 1, 0), {}, Cost(100, 50)),
        one.intend(AskRow(1, "sample", "c" * 64, 0, {}), CallKey(1, 0, 0), {}, Cost(100, 50)),
    ]
    waiting = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0.01)
    one.tell(TellRow(0, 0, "failed", {"reason": "x"}))
    waiting += [asyncio.create_task(journal.flush()) for journal in (one, other)]
    await asyncio.sleep(0.01)
    free.set()
    await asyncio.gather(*waiting, asyncio.wrap_future(held))
    assert commits == [8]
    assert list(record.history(one.lease.search_id).asks) == [0, 1]
    assert record.audit(run_id).faults == ()


async def test_what_comes_as_a_transaction_begins_goes_along(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    journals = [(await begun(record, prompt))[1] for prompt in ("Once", "Twice", "Thrice")]
    taken, free, commits = Event(), Event(), list[list[Any]]()
    begin, commit = _Told.begin, Writer._commit_all

    def slow(connection: Connection) -> int:
        taken.set()
        free.wait(10)
        return begin(connection)

    def counted(self: Writer, jobs: list[Any]) -> None:
        commits.append(jobs)  # which grows
        commit(self, jobs)

    monkeypatch.setattr(_Told, "begin", staticmethod(slow))
    monkeypatch.setattr(Writer, "_commit_all", counted)
    for journal in journals:
        journal.tell(TellRow(0, None, "stop", {"reason": "x"}))
    one = asyncio.create_task(journals[0].flush())
    await asyncio.to_thread(taken.wait, 10)
    others = [asyncio.create_task(journal.flush()) for journal in journals[1:]]
    await asyncio.sleep(0.01)
    free.set()
    await asyncio.gather(one, *others)
    assert list(map(len, commits)) == [6]
    assert [len(record.history(journal.lease.search_id).tells) for journal in journals] == [1, 1, 1]


async def test_a_tell_is_on_record_before_what_follows_from_it(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one commit where both can be written. Where it cannot, nothing follows and no answer from it is told."""
    run_id, journal = await begun(record, limits={"run": {"tokens": 150}})
    search, later = journal.lease.search_id, AskRow(1, "sample", "c" * 64, 0, {})
    await journal.intend(ASK, KEY, {}, Cost(100, None))
    journal.settle(KEY, REPLY)
    await journal.flush()
    journal.tell(TellRow(0, 0, "failed", {"reason": "x"}))
    with pytest.raises(OutOfBudget):
        await journal.intend(later, CallKey(1, 0, 0), {}, Cost(200, None))
    assert [tell.position for tell in record.history(search).tells] == [0]

    def full(*_: object) -> None:
        raise RecordFailed("the disk is full")

    journal.tell(TellRow(1, None, "stop", {"reason": "y"}))
    with monkeypatch.context() as outage:
        outage.setattr(_Told, "rows", full)
        with pytest.raises(RecordFailed, match="full"):
            await journal.intend(later, CallKey(1, 0, 0), {}, Cost(100, None))
    journal.tell(TellRow(2, None, "stop", {"reason": "z"}))
    with pytest.raises(RecordFailed, match="full"):
        await journal.flush()
    await record.release(journal, "interrupted", {"text": "ahead"})
    assert [tell.position for tell in record.history(search).tells] == [0]
    assert [(row.status, row.answer) for row in record.searches(run_id)] == [("interrupted", None)]
    assert record.audit(run_id).faults == ()


async def test_a_reply_is_on_record_without_anybody_waiting_for_it(record: Record) -> None:
    _, journal = await begun(record)
    await journal.intend(ASK, KEY, {}, Cost(100, 50))
    journal.settle(KEY, REPLY)
    await asyncio.sleep(0.5)  # nothing is appended, nor waited for
    assert record.history(journal.lease.search_id).replies.keys() == {KEY}


async def test_a_reply_shares_the_commit_of_what_follows_from_it(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, journal = await begun(record)
    await journal.intend(ASK, KEY, {}, Cost(100, 50))
    commits, really = list[int](), Writer._commit_all

    def counted(self: Writer, jobs: Any) -> None:
        commits.append(len(jobs))
        really(self, jobs)

    monkeypatch.setattr("store.writer._PATIENCE_S", 5.0)
    monkeypatch.setattr(Writer, "_commit_all", counted)
    journal.settle(KEY, REPLY)
    await asyncio.sleep(0.1)  # it is scored
    await journal.intend(ASK, CallKey(0, 1, 0), {}, Cost(100, 50))
    assert commits == [2]


async def test_a_reply_that_cannot_be_written_has_no_tell_on_record(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, journal = await begun(record)
    await journal.intend(ASK, KEY, {}, Cost(100, 50))

    def full(*_: object) -> None:
        raise RecordFailed("the disk is full")

    with monkeypatch.context() as outage:
        outage.setattr(_Settled, "rows", full)
        journal.settle(KEY, REPLY)
        journal.tell(TellRow(0, 0, "failed", {"reason": "x"}))
        with pytest.raises(RecordFailed, match="full"):
            await journal.flush()
    with pytest.raises(RecordFailed, match="full"):
        await journal.intend(AskRow(1, "sample", "c" * 64, 0, {}), CallKey(1, 0, 0), {}, Cost(100, None))
    await record.release(journal, "interrupted", {"text": "ahead"})
    assert record.history(journal.lease.search_id).tells == ()
    assert [(row.status, row.answer) for row in record.searches(run_id)] == [("interrupted", None)]
    assert record.audit(run_id).faults == ()


@pytest.mark.parametrize("record_url", ["postgres"], indirect=True)
async def test_who_stalls_amid_a_commit_does_not_stop_the_others(
    record: Record, worker: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.journal.STALLED_MS", 300)
    _, one = await begun(record, "Once")
    _, other = await begun(worker, "Twice")
    await asyncio.gather(one.intend(ASK, KEY, {}, Cost(100, 50)), other.intend(ASK, KEY, {}, Cost(100, 50)))
    began, free = Event(), Event()

    def stall(connection: Connection, changes: Sequence[Change]) -> None:
        count(connection, changes)
        if changes[0].budget is one.budget and not free.is_set():
            began.set()
            free.wait(10)

    monkeypatch.setattr("store.journal.count", stall)
    one.settle(KEY, REPLY)
    await asyncio.to_thread(began.wait, 10)
    other.settle(KEY, REPLY)
    await asyncio.wait_for(other.flush(), 5)
    free.set()
    with pytest.raises(RecordFailed):
        await one.flush()
    await record.release(one, "interrupted", None)
    assert record.search(one.lease.search_id).status == "interrupted"


@pytest.mark.parametrize("record_url", ["postgres"], indirect=True)
async def test_a_connection_that_ended_between_two_commits_is_made_anew(record: Record, record_url: str) -> None:
    _, journal = await begun(record)
    await journal.intend(ASK, KEY, {}, Cost(100, 50))
    mine = "datname = current_database() AND pid <> pg_backend_pid()"
    engine = create_engine(parse_url(record_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {mine}"))
    engine.dispose()
    journal.settle(KEY, REPLY)
    await journal.flush()
    assert record.history(journal.lease.search_id).replies


async def test_each_row_is_chained_to_the_one_before(record: Record, database: Database) -> None:
    _, journal = await begun(record)
    await journal.intend(ASK, KEY, {"top_p": 1.0, "stop": ["\n"]}, Cost(100, None))
    journal.settle(KEY, REPLY)
    journal.tell(TellRow(0, 0, "failed", {"reason": "x"}))
    await journal.flush()
    search = journal.lease.search_id

    def rows(connection: Any) -> list[tuple[str, dict[str, Any]]]:
        found = [
            (table.name, dict(row._mapping))
            for table in CHAINED
            for row in connection.execute(select(table).where(table.c.search_id == search))
        ]
        return sorted(found, key=lambda r: r[1]["link"])

    chain = database.read(rows)
    assert [r["link"] for _, r in chain] == [1, 2, 3, 4]
    for (_, before), (name, row) in pairwise(chain):
        assert row["hash"] == link(before["hash"], name, row)
    head = database.read(lambda c: c.execute(select(searches.c.head).where(searches.c.id == search)).scalar_one())
    assert head == chain[-1][1]["hash"]


async def test_a_living_owner_keeps_its_search_and_a_dead_one_is_superseded_at_once(
    record: Record, worker: Record, database: Database
) -> None:
    _, journal = await begun(record)
    search = journal.lease.search_id
    assert await record.claim(search) is None
    assert await worker.claim(search) is None
    await journal.intend(ASK, KEY, {}, Cost(100, 50))
    place = new_owner().rsplit(":", 3)[0]
    dead = f"{place}:999999999:1:x"
    assert is_dead(dead)
    assert not is_dead(new_owner())
    assert not is_dead("elsewhere:999999999:1:x")
    database.transact_now(lambda c: c.execute(update(searches).where(searches.c.id == search).values(owner=dead)))
    successor = await worker.claim(search)
    assert successor is not None
    # The intent without a reply is possibly billed: settled at its worst case.
    (reply,) = record.history(search).replies.values()
    assert (reply.failure, reply.input_tokens, reply.price) == ({"what": "no reply on record", "billed": True}, 100, 50)
    journal.tell(TellRow(0, None, "stop", {"reason": "late"}))
    with pytest.raises(LeaseLost):
        await journal.flush()
    assert record.history(search).tells == ()


async def test_a_lease_is_extended_for_its_holder_only(record: Record, database: Database) -> None:
    _, journal = await begun(record)
    lease = journal.lease
    where = searches.c.id == lease.search_id

    def expires_after(extended: Lease) -> int:
        database.transact_now(lambda c: c.execute(update(searches).where(where).values(expires=1)))
        database.transact_now(lambda c: _extend(c, [extended]))
        expires: int = database.read(lambda c: c.execute(select(searches.c.expires).where(where)).scalar_one())
        return expires

    assert expires_after(lease) > 1
    assert expires_after(Lease(lease.search_id, lease.fence - 1)) == 1


async def test_who_could_not_give_a_search_back_may_take_it_again(
    record: Record, worker: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, journal = await begun(record)

    async def gone(*_: object) -> None:
        raise RecordFailed("gone")

    with monkeypatch.context() as outage:
        outage.setattr(journal._database, "transact", gone)
        with pytest.raises(RecordFailed):
            await record.release(journal, "interrupted", None)
    assert await worker.claim(journal.lease.search_id) is None
    again = await record.claim(journal.lease.search_id)
    assert again is not None
    assert again.lease.fence == journal.lease.fence + 1


async def test_an_expired_lease_can_be_taken(record: Record, worker: Record, database: Database) -> None:
    _, journal = await begun(record)
    where = searches.c.id == journal.lease.search_id
    database.transact_now(lambda c: c.execute(update(searches).where(where).values(owner="far:1:1:x", expires=1)))
    assert await worker.claim(journal.lease.search_id) is not None


async def test_a_budget_refuses_what_does_not_fit_and_nothing_is_written(record: Record, database: Database) -> None:
    run_id, journal = await begun(record, limits={"run": {"tokens": 150}})
    await journal.intend(ASK, KEY, {}, Cost(100, None))
    told = r"budget\.tokens = 150: the next request could take 100, with 0 spent and 100 reserved"
    with pytest.raises(OutOfBudget, match=told):
        await journal.intend(ASK, CallKey(0, 1, 0), {}, Cost(100, None))
    assert record.history(journal.lease.search_id).calls == (KEY,)
    journal.settle(KEY, REPLY)
    await journal.flush()

    def counters(connection: Any) -> dict[str, tuple[int, int]]:
        rows = connection.execute(select(budgets).where(budgets.c.scope == f"run:{run_id}"))
        return {row.unit: (row.reserved, row.spent) for row in rows}

    assert database.read(counters) == {"nano_usd": (0, 11), "requests": (0, 1), "tokens": (0, 11)}
    await journal.intend(ASK, CallKey(0, 1, 0), {}, Cost(100, None))
    journal.settle(CallKey(0, 1, 0), ReplyRow(None, {"what": "429"}, b""), billed=False)
    await journal.flush()
    assert database.read(counters)["tokens"] == (0, 11)
    await journal.intend(ASK, CallKey(0, 1, 1), {}, Cost(100, None))
    journal.settle(CallKey(0, 1, 1), ReplyRow(None, {"what": "500"}, b""), billed=True)
    await journal.flush()
    assert database.read(counters)["tokens"] == (0, 111)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(prompt=st.text(st.characters(), min_size=1, max_size=40))
def test_any_text_comes_back_as_it_was(record: Record, prompt: str) -> None:
    """NUL and lone surrogates included, in text and in JSON."""

    async def through() -> None:
        _, journal = await begun(record, prompt, name=prompt)
        journal.tell(TellRow(0, None, "stop", {"reason": prompt, prompt: [prompt]}))
        await record.release(journal, "done", {"text": prompt})
        row = record.run()
        (search,) = record.searches(row.id)
        assert (row.name, search.prompt, search.answer) == (prompt, prompt, {"text": prompt})
        assert record.history(search.id).tells[0].outcome == {"reason": prompt, prompt: [prompt]}

    asyncio.run(through())


@given(st.text(st.characters()))
def test_escaped_text_is_storable_and_unescapes(text: str) -> None:
    assert unescape(escape(text)) == text
    assert "\x00" not in escape(text)
    escape(text).encode("utf-8")


async def test_runs_are_listed_newest_first_and_found_by_part_of_their_id(record: Record) -> None:
    first = await record.begin_run(new_run("a", name="first"))
    second = await record.begin_run(new_run("b", "c", name="second"))
    assert [run.id for run in record.runs()] == [second, first]
    assert record.run().id == second
    assert record.run(first[-6:]).name == "first"
    assert record.run(second).statuses == {"waiting": 2}
    with pytest.raises(NotOnRecord, match="no run 'zzz'"):
        record.run("zzz")
    with pytest.raises(NotOnRecord, match="2 runs"):
        record.run(first[:4])


def test_the_migrations_make_the_schema_that_the_code_expects(record_url: str, record: Record) -> None:
    engine = create_engine(parse_url(record_url))
    found = inspect(engine)
    for table in metadata.sorted_tables:
        assert {c["name"] for c in found.get_columns(table.name)} == set(table.c.keys())
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        nullable = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert nullable == {c.name: c.nullable for c in table.c}
    engine.dispose()


def test_several_may_open_a_fresh_record_at_once(record_url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        for opened in threads.map(lambda _: Record.open(record_url, create=True), range(6)):
            assert opened.runs() == []
            opened.close()


async def test_a_database_that_fails_is_told_without_the_values_of_the_statement(record: Record) -> None:
    with pytest.raises(RecordFailed) as failed:
        await record.begin_run(new_run("secret prompt", name=None))  # type: ignore[arg-type]
    assert "secret prompt" not in str(failed.value)


def test_a_record_of_a_newer_schema_is_refused(record_url: str, record: Record) -> None:
    engine = create_engine(parse_url(record_url))
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(RecordUnusable, match="newer"):
        Record.open(record_url, create=True)


def test_a_database_that_is_not_ours_is_refused(record_url: str) -> None:
    engine = create_engine(parse_url(record_url))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE runs (id INTEGER)"))
        connection.execute(text("INSERT INTO runs VALUES (1)"))
    engine.dispose()
    with pytest.raises(RecordUnusable, match="holds no record"):
        Record.open(record_url, create=True)


def test_a_record_that_cannot_be_opened_says_so_without_its_password() -> None:
    with pytest.raises(RecordUnusable) as refused:
        Record.open("postgresql://me:hunter2@127.0.0.1:9/none", create=True)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(RecordUnusable) as refused:
        Record.open("postgresql://127.0.0.1:9/none?password=hunter2", create=True)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(RecordUnusable, match="no such record"):
        Record.open("sqlite:///nowhere.db")
    with pytest.raises(RecordUnusable, match="Use sqlite"):
        Record.open("mysql://x/y")
    with pytest.raises(RecordUnusable, match="Use sqlite"):
        Record.open("sqlite:///:memory:", create=True)
