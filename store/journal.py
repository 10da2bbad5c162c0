"""Appending to one search's record, under its lease: asks, calls (intents), replies, nodes, scores, tells.

Life of a paid call: `intend` (budget reserved and intent, one transaction) -> HTTP -> `settle` (reply and what it
cost, one transaction, while the reply is scored already) -> `tell` (nodes, scores and the tell), which is written with
what comes next: most often the intents that follow from it. Only an intent is waited for, and what it follows from is
on record with it or was before. Killed between any two, nothing paid for is lost but what was on its way.
"""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from store.budget import NOTHING, Budget, Change, Cost, count
from store.bulk import add_rows, at_once, execute, run
from store.chain import link
from store.database import Database
from store.errors import LeaseLost
from store.history import NOTHING_YET, History, history
from store.lease import Lease
from store.rows import AskRow, CallKey, NodeRow, ReplyRow, ScoreRow, TellRow
from store.schema import CHAINED, NOW, asks, calls, nodes, replies, runs, scores, searches, tells
from store.writer import Together


@dataclass(frozen=True)
class Intent:
    """A call that awaits its reply: when it was sent, and the most that it can cost."""

    sent: int
    worst: Cost


class Journal:
    """The record of one search, open for appending. Raises LeaseLost once another worker has claimed the search.

    Whoever holds the lease is the only one to append, so where the search's chain ends is known here: what is written
    says where it goes on, and is refused where that is not so any more.
    """

    def __init__(self, database: Database, connection: Connection, lease: Lease) -> None:
        self._database, self.lease = database, lease
        run_id, limits, links, head = connection.execute(_STATE, {"mine": lease.search_id}).one()
        self.budget = Budget(run_id, limits)
        self.end: tuple[int, str] = links, head
        """Links of the chain, and the hash of the last."""
        self.asks = set[int]()
        """Numbers of the asks on record."""
        self.intents = dict[CallKey, Intent]()
        if links:
            self.asks.update(connection.scalars(select(asks.c.number).where(asks.c.search_id == lease.search_id)))
            self.intents.update(_unanswered(connection, lease.search_id))
        self.behind: BaseException | None = None
        """Why a reply or a tell is missing on record: nothing that may follow from it is written any more."""
        self._held: list[_Told] = []

    def history(self) -> History:
        """What is on record of the search."""
        links, _ = self.end
        return self._database.read(lambda c: history(c, self.lease.search_id)) if links else NOTHING_YET

    async def intend(self, ask: AskRow, key: CallKey, request: Mapping[str, Any], worst: Cost) -> None:
        """Before anything is sent. The first call of an ask brings the ask itself. Raises OutOfBudget."""
        call = vars(key) | {"request": request, "worst_tokens": worst.tokens, "worst_price": worst.price}
        await self._database.transact(_Intended(self, ask, key, call, worst), self._taken())

    def settle(self, key: CallKey, reply: ReplyRow, *, billed: bool = True) -> None:
        """What came back for an intent, and what it cost; a failure that may have been billed costs the worst case.

        It is on its way to the record, before anything that is appended later. Where it cannot be written, whatever
        would follow from it is refused.
        """
        intent = self.intents[key]
        cost, row = settlement(reply, intent.worst, billed)
        self._database.submit(_Settled(self, key, vars(key) | row, intent, cost), self._taken(), awaited=False)

    async def adopt(self) -> None:
        """Settle the intents that a former owner left without a reply: possibly billed, at their worst case."""
        if left := list(self.intents):
            for key in left:
                self.settle(key, ReplyRow(None, {"what": "no reply on record", "billed": True}, b""))
            await self.flush()

    def tell(
        self,
        told: TellRow,
        new_nodes: Sequence[NodeRow] = (),
        new_scores: Sequence[ScoreRow] = (),
        ask: AskRow | None = None,
    ) -> None:
        """An outcome as the method is told it, with the nodes and scores it brought: in the same commit as what is
        appended next, or by `flush`. Where it cannot be written, whatever would follow from it is refused.

        An `ask` that took no call comes on record here.
        """
        rows = [(nodes, vars(node)) for node in new_nodes] + [(scores, vars(score)) for score in new_scores]
        asked = [(asks, vars(ask))] if ask else []
        self._held.append(_Told(self, [*asked, *rows, (tells, vars(told))]))

    async def flush(self) -> None:
        """What was settled and told is on record now. Raises what kept it from there."""
        await self._database.transact(lambda _: None, self._taken())
        _check_whole(self)

    async def close(self, status: str, answer: Mapping[str, Any] | None) -> None:
        """Give the lease back, with the search's status and answer so far."""
        mine = and_(searches.c.id == self.lease.search_id, searches.c.fence == self.lease.fence)
        closed = update(searches).where(mine).values(status=status, owner=None, expires=None)

        def work(connection: Connection) -> None:
            # An answer that is ahead of the record is not told.
            connection.execute(closed if self.behind else closed.values(answer=answer))

        await self._database.transact(work, self._taken())

    def _taken(self) -> Sequence[_Told]:
        held, self._held = self._held, []
        return held


_Rows = Sequence[tuple[Table, Mapping[str, Any]]]
"""Rows as they are to be appended, each with its table."""


@dataclass(eq=False)
class _Append(Together):
    """Rows to be linked into a search's chain. Those of many searches are written in a handful of statements."""

    journal: Journal

    @abstractmethod
    def rows(self, at: int) -> _Rows:
        """What is to be appended, `at` that moment of the database's clock."""

    def change(self, at: int) -> Change | None:
        """What it does to the counters."""
        return None

    @classmethod
    def begin(cls, connection: Connection) -> int:
        """The time, by the database's clock. Postgres is to end who stalls before the commit: all others wait for the
        counters that it changes.
        """
        limit = f", set_config('idle_in_transaction_session_timeout', '{STALLED_MS}', true)"
        postgres = connection.dialect.name == "postgresql"
        return int(run(connection, f"SELECT {NOW[connection.dialect.name]}{limit if postgres else ''}").fetchone()[0])

    @classmethod
    def write(cls, connection: Connection, works: Sequence[_Append], at: int) -> None:
        ends = {work.journal: work.journal.end for work in works}
        begun = set[tuple[Journal, int]]()  # asks that are new
        into: dict[Table, list[dict[str, Any]]] = {}
        for work in works:
            journal, (links, head) = work.journal, ends[work.journal]
            for table, content in work.rows(at):
                if table is asks:
                    if content["number"] in journal.asks or (journal, content["number"]) in begun:
                        continue
                    begun.add((journal, content["number"]))
                links += 1
                row = {**content, "search_id": journal.lease.search_id, "link": links}
                head = row["hash"] = link(head, table.name, row)
                into.setdefault(table, []).append(row)
            work.after = ends[journal] = links, head
        _add(connection, ends, into)
        if changes := [change for work in works if (change := work.change(at)) is not None]:
            count(connection, changes)

    after: tuple[int, str] = field(init=False)

    def committed(self) -> None:
        self.journal.end = self.after


def _add(
    connection: Connection, ends: Mapping[Journal, tuple[int, str]], rows: Mapping[Table, Sequence[Mapping[str, Any]]]
) -> None:
    """Each chain ends there now, where it is still ours, and has these rows. Raises LeaseLost."""
    moves = [(j.lease.search_id, j.lease.fence, j.end[1], links, head) for j, (links, head) in ends.items()]
    moved = None
    try:
        with at_once(connection):
            moved = execute(connection, _MOVE_ENDS, ("text", "integer", "text", "integer", "text"), moves)
            add_rows(connection, {table: rows[table] for table in CHAINED if table in rows})  # in order of reference
    except IntegrityError:  # what another wrote may be in the way
        if moved is None or moved.rowcount == len(moves):
            raise
    if moved.rowcount != len(moves):
        raise LeaseLost(
            "another worker has taken this search over; nothing more is written here",
            where=f"search {moves[0][0]}",
            mend="Nothing is lost: the other worker goes on from the record",
        )


@dataclass(eq=False)
class _Intended(_Append):
    ask: AskRow
    key: CallKey
    call: Mapping[str, Any]
    worst: Cost
    sent: int = field(init=False)

    def rows(self, at: int) -> _Rows:
        _check_whole(self.journal)
        self.sent = at
        return [(asks, vars(self.ask)), (calls, {**self.call, "sent": at})]

    def change(self, at: int) -> Change:
        return self.journal.budget.reserve(self.worst, at)

    def committed(self) -> None:
        super().committed()
        self.journal.asks.add(self.ask.number)
        self.journal.intents[self.key] = Intent(self.sent, self.worst)


@dataclass(eq=False)
class _Settled(_Append):
    key: CallKey
    reply: Mapping[str, Any]
    intent: Intent
    cost: Cost

    def rows(self, at: int) -> _Rows:
        return [(replies, {**self.reply, "received": at})]

    def change(self, at: int) -> Change:
        return self.journal.budget.settle(self.intent.worst, self.cost, self.intent.sent)

    def committed(self) -> None:
        super().committed()
        del self.journal.intents[self.key]

    def failed(self, error: BaseException) -> None:
        self.journal.behind = error


@dataclass(eq=False)
class _Told(_Append):
    content: _Rows

    def rows(self, at: int) -> _Rows:
        _check_whole(self.journal)
        return self.content

    def committed(self) -> None:
        super().committed()
        self.journal.asks |= {content["number"] for table, content in self.content if table is asks}

    def failed(self, error: BaseException) -> None:
        self.journal.behind = error


def _check_whole(journal: Journal) -> None:
    """Nothing may be on record that follows from what is not."""
    if journal.behind is not None:
        raise journal.behind


def _unanswered(connection: Connection, search_id: str) -> Iterator[tuple[CallKey, Intent]]:
    """In the order of the chain."""
    same = and_(
        replies.c.search_id == calls.c.search_id,
        replies.c.ask == calls.c.ask,
        replies.c.part == calls.c.part,
        replies.c.attempt == calls.c.attempt,
    )
    found = connection.execute(
        select(calls.c.ask, calls.c.part, calls.c.attempt, calls.c.sent, calls.c.worst_tokens, calls.c.worst_price)
        .outerjoin(replies, same)
        .where(calls.c.search_id == search_id, replies.c.ask.is_(None))
        .order_by(calls.c.link)
    )
    return ((CallKey(*key), Intent(sent, Cost(tokens, price))) for *key, sent, tokens, price in found)


def settlement(reply: ReplyRow, worst: Cost, billed: bool) -> tuple[Cost, dict[str, Any]]:
    """What a reply cost, and its columns; a failure that may have been `billed` stands with the worst case."""
    row = vars(reply) | {"ok": reply.failure is None, "body": zlib.compress(reply.body, _QUICKLY)}
    if reply.failure is None:
        return Cost(reply.input_tokens + reply.output_tokens, reply.price), row
    cost = worst if billed else NOTHING
    return cost, row | {"input_tokens": cost.tokens, "price": cost.price, "estimated": cost.tokens > 0}


STALLED_MS = 10_000
_QUICKLY = 1  # of zlib's levels: a third of the time of its default, and a tenth more bytes

# Statements are built once: SQLAlchemy takes longer to build one than SQLite to run it.
_MINE = searches.c.id == bindparam("mine")
_STATE = select(runs.c.id, runs.c.limits, searches.c.links, searches.c.head).join(searches).where(_MINE)
_MOVED = "id = column1 AND fence = column2 AND head = column3"
_MOVE_ENDS = f"UPDATE searches SET links = column4, head = column5 FROM {{rows}} WHERE {_MOVED}"
