"""Appending to one search's record, under its lease: asks, calls (intents), replies, nodes, scores, tells.

Life of a paid call: `intend` (budget reserved and intent, one transaction) -> HTTP -> `settle` (reply and what it
cost, one transaction) -> scoring -> `tell` (nodes, scores and the tell, one transaction). Killed between any two,
nothing paid for is lost.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, bindparam, exists, insert, select, update

from store.budget import NOTHING, Budget, Cost
from store.chain import link
from store.database import Database
from store.errors import LeaseLost
from store.lease import Lease
from store.schema import asks, calls, nodes, now, replies, scores, searches, tells


@dataclass(frozen=True)
class AskRow:
    """What the method asked for, by number; `payload` holds what its kind needs."""

    number: int
    kind: str
    node_id: str
    attempt: int
    payload: Mapping[str, Any]


@dataclass(frozen=True, order=True)
class CallKey:
    """One HTTP request of a search: part of an ask that was split, attempt of a part that was tried again."""

    ask: int
    part: int
    attempt: int


@dataclass(frozen=True)
class ReplyRow:
    """What came back. Exactly one of `continuations` and `failure` is set; `body` is redacted. `latency` in seconds."""

    continuations: Any | None
    failure: Mapping[str, Any] | None
    body: bytes
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    estimated: bool = False
    price: int | None = None
    latency: float = 0.0
    request_id: str | None = None


@dataclass(frozen=True)
class NodeRow:
    """One child: its chunk, why it ended, the strong model's tokens in it, and the ask that brought it first."""

    id: str
    parent_id: str
    ask: int
    text: str
    finish: str
    tokens: int


@dataclass(frozen=True)
class ScoreRow:
    """A named value of a node and its parts, as of one ask."""

    ask: int
    node_id: str
    name: str
    value: float
    parts: Mapping[str, Any]


@dataclass(frozen=True)
class TellRow:
    """What was told to the method at `position`: an ask's outcome, or a stop (`ask` None)."""

    position: int
    ask: int | None
    kind: str
    outcome: Any


class Journal:
    """The record of one search, open for appending. Raises LeaseLost once another worker has claimed the search."""

    def __init__(self, database: Database, budget: Budget, lease: Lease) -> None:
        self._database, self._budget, self.lease = database, budget, lease
        self._lease = {"mine": lease.search_id, "held": lease.fence}

    async def intend(self, ask: AskRow, key: CallKey, request: Mapping[str, Any], worst: Cost) -> None:
        """Before anything is sent. The first call of an ask brings the ask itself. Raises OutOfBudget."""

        def work(connection: Connection) -> None:
            end = self._end(connection, _END_AND_ASK, number=ask.number)
            self._budget.reserve(connection, worst, end.now)
            call = vars(key) | {
                "sent": end.now,
                "request": request,
                "worst_tokens": worst.tokens,
                "worst_price": worst.price,
            }
            self._append(connection, end, (asks, [] if end.known else [vars(ask)]), (calls, [call]))

        await self._database.transact(work)

    async def settle(self, key: CallKey, reply: ReplyRow, *, billed: bool = True) -> None:
        """What came back for an intent, and what it cost; a failure that may have been billed costs the worst case."""

        def work(connection: Connection) -> None:
            self._settle(connection, key, reply, billed)

        await self._database.transact(work)

    async def adopt(self) -> None:
        """Settle the intents that a former owner left without a reply: possibly billed, at their worst case."""

        def work(connection: Connection) -> None:
            for key in self._unanswered(connection):
                lost = ReplyRow(None, {"what": "no reply on record", "billed": True}, b"")
                self._settle(connection, key, lost, billed=True)

        await self._database.transact(work)

    async def tell(self, told: TellRow, new_nodes: Sequence[NodeRow] = (), new_scores: Sequence[ScoreRow] = ()) -> None:
        """An outcome as the method is about to be told it, with the nodes and scores it brought."""
        grown, scored = [vars(node) for node in new_nodes], [vars(score) for score in new_scores]

        def work(connection: Connection) -> None:
            end = self._end(connection, _END)
            self._append(connection, end, (nodes, grown), (scores, scored), (tells, [vars(told)]))

        await self._database.transact(work)

    async def close(self, status: str, answer: Mapping[str, Any] | None) -> None:
        """Give the lease back, with the search's status and answer so far."""
        await self._database.transact(lambda connection: self._close(connection, status, answer))

    def _close(self, connection: Connection, status: str, answer: Mapping[str, Any] | None) -> None:
        connection.execute(
            update(searches)
            .where(searches.c.id == self.lease.search_id, searches.c.fence == self.lease.fence)
            .values(status=status, answer=answer, owner=None, expires=None)
        )

    def _settle(self, connection: Connection, key: CallKey, reply: ReplyRow, billed: bool) -> None:
        end = self._end(connection, _END_AND_CALL, **vars(key))
        worst = Cost(end.worst_tokens, end.worst_price)
        cost, came_back = settlement(reply, worst, billed)
        self._budget.settle(connection, worst, cost, end.sent)
        row = vars(key) | came_back | {"received": end.now}
        self._append(connection, end, (replies, [row]))

    def _unanswered(self, connection: Connection) -> list[CallKey]:
        same = and_(
            replies.c.search_id == calls.c.search_id,
            replies.c.ask == calls.c.ask,
            replies.c.part == calls.c.part,
            replies.c.attempt == calls.c.attempt,
        )
        rows = connection.execute(
            select(calls.c.ask, calls.c.part, calls.c.attempt)
            .outerjoin(replies, same)
            .where(calls.c.search_id == self.lease.search_id, replies.c.ask.is_(None))
            .order_by(calls.c.link)
        )
        return [CallKey(*row) for row in rows]

    def _end(self, connection: Connection, end: Select[Any], **of: Any) -> Row[Any]:
        """The end of the search's chain, and the database's clock, if the lease still holds."""
        row = connection.execute(end, self._lease | of).one_or_none()
        if row is None:
            raise LeaseLost(
                "another worker has taken this search over; nothing more is written here",
                where=f"search {self.lease.search_id}",
                mend="Nothing is lost: the other worker goes on from the record",
            )
        return row

    def _append(self, connection: Connection, end: Row[Any], *to: tuple[Table, Sequence[Mapping[str, Any]]]) -> None:
        """Link the rows of each table into the search's chain, in this order."""
        links, head = end.links, end.head
        for table, rows in to:
            linked = []
            for content in rows:
                links += 1
                row = {**content, "search_id": self.lease.search_id, "link": links}
                head = row["hash"] = link(head, table.name, row)
                linked.append(row)
            if linked:
                connection.execute(_INTO[table], linked)
        connection.execute(_MOVE_END, self._lease | {"new_links": links, "new_head": head})


def settlement(reply: ReplyRow, worst: Cost, billed: bool) -> tuple[Cost, dict[str, Any]]:
    """What a reply cost, and its columns; a failure that may have been `billed` stands with the worst case."""
    row = vars(reply) | {"ok": reply.failure is None, "body": zlib.compress(reply.body)}
    if reply.failure is None:
        return Cost(reply.input_tokens + reply.output_tokens, reply.price), row
    cost = worst if billed else NOTHING
    return cost, row | {"input_tokens": cost.tokens, "price": cost.price, "estimated": cost.tokens > 0}


# Statements are built once: SQLAlchemy takes longer to build one than SQLite to run it.
_INTO = {table: insert(table) for table in (asks, calls, replies, nodes, scores, tells)}
_MINE = and_(searches.c.id == bindparam("mine"), searches.c.fence == bindparam("held"))
_END = select(searches.c.links, searches.c.head, now().label("now")).where(_MINE).with_for_update(of=searches)
_END_AND_ASK = _END.add_columns(
    exists().where(asks.c.search_id == searches.c.id, asks.c.number == bindparam("number")).label("known")
)
_END_AND_CALL = _END.add_columns(calls.c.sent, calls.c.worst_tokens, calls.c.worst_price).join_from(
    searches,
    calls,
    and_(
        calls.c.search_id == searches.c.id, *(calls.c[field.name] == bindparam(field.name) for field in fields(CallKey))
    ),
)
_MOVE_END = update(searches).where(_MINE).values(links=bindparam("new_links"), head=bindparam("new_head"))
