"""Reading one search's record back, in order."""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, LargeBinary, Select, Table, and_, bindparam, literal, select

from store.rows import AskRow, CallKey, Exchange, NodeRow, ReplyRow, ScoreRow, TellRow
from store.schema import asks, calls, nodes, replies, scores, tells


@dataclass(frozen=True)
class History:
    """All that was asked, paid for, scored and told in one search."""

    asks: Mapping[int, AskRow]
    calls: tuple[CallKey, ...]
    replies: Mapping[CallKey, ReplyRow]
    nodes: Mapping[str, NodeRow]
    scores: Mapping[str, tuple[ScoreRow, ...]]
    """By node."""
    tells: tuple[TellRow, ...]


NOTHING_YET = History({}, (), {}, {}, {}, ())


def history(connection: Connection, search_id: str) -> History:
    """The search's rows. Bodies stay in the database: nothing needs them but an audit."""

    def rows(table: Table, *kinds: type) -> Iterator[Sequence[Any]]:
        return iter(connection.execute(_rows(table, *kinds), {"mine": search_id}))

    with nothing_collected():
        by_node: dict[str, list[ScoreRow]] = {}
        for score in rows(scores, ScoreRow):
            by_node.setdefault(score[1], []).append(ScoreRow(*score))
        return History(
            asks={row[0]: AskRow(*row) for row in rows(asks, AskRow)},
            calls=tuple(CallKey(*row) for row in rows(calls, CallKey)),
            replies={CallKey(*row[:3]): ReplyRow(*row[3:]) for row in rows(replies, CallKey, ReplyRow)},
            nodes={row[0]: NodeRow(*row) for row in rows(nodes, NodeRow)},
            scores={node: tuple(found) for node, found in by_node.items()},
            tells=tuple(TellRow(*row) for row in rows(tells, TellRow)),
        )


def exchanges(connection: Connection, search_id: str) -> list[Exchange]:
    """The search's requests with what came back, bodies and all, in the order they were sent."""
    answered = and_(*(calls.c[name] == replies.c[name] for name in ("search_id", *_KEY)))
    columns = [calls.c[name] for name in (*_KEY, "sent", "request", "worst_price")]
    reply = [replies.c.received, *(replies.c[field.name] for field in fields(ReplyRow))]
    query = select(*columns, *reply).outerjoin(replies, answered).where(calls.c.search_id == search_id)
    return [_exchange(row) for row in connection.execute(query.order_by(calls.c.link))]


_KEY = tuple(field.name for field in fields(CallKey))


def _exchange(row: Sequence[Any]) -> Exchange:
    ask, part, attempt, sent, request, worst_price, received, continuations, failure, body, *rest = row
    reply = None if received is None else ReplyRow(continuations, failure, zlib.decompress(body), *rest)
    return Exchange(CallKey(ask, part, attempt), sent, request, worst_price, received, reply)


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Without the collector, which would look through a large search, time and again, as it is read and told."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@lru_cache
def _rows(table: Table, *kinds: type) -> Select[Any]:
    """Of one search; columns in the order of the kinds' fields, whose instances they become. Built once."""
    names = [field.name for kind in kinds for field in fields(kind)]
    columns = [literal(b"", LargeBinary).label(name) if name == "body" else table.c[name] for name in names]
    return select(*columns).where(table.c.search_id == bindparam("mine")).order_by(table.c.link)
