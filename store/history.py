"""Reading one search's record back, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Table, select

from store.journal import AskRow, CallKey, NodeRow, ReplyRow, ScoreRow, TellRow
from store.schema import asks, calls, nodes, replies, scores, tells

R = TypeVar("R")


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


def history(connection: Connection, search_id: str) -> History:
    """The search's rows. Bodies stay in the database: nothing needs them but an audit."""

    def rows(table: Table) -> list[Row[Any]]:
        columns = [c for c in table.c if c.name != "body"]
        return list(connection.execute(select(*columns).where(table.c.search_id == search_id).order_by(table.c.link)))

    by_node: dict[str, tuple[ScoreRow, ...]] = {}
    for score in (_read(ScoreRow, row) for row in rows(scores)):
        by_node[score.node_id] = (*by_node.get(score.node_id, ()), score)
    return History(
        asks={row.number: _read(AskRow, row) for row in rows(asks)},
        calls=tuple(_read(CallKey, row) for row in rows(calls)),
        replies={_read(CallKey, row): _read(ReplyRow, row, body=b"") for row in rows(replies)},
        nodes={row.id: _read(NodeRow, row) for row in rows(nodes)},
        scores=by_node,
        tells=tuple(_read(TellRow, row) for row in rows(tells)),
    )


def _read(kind: type[R], row: Row[Any], **given: Any) -> R:
    columns = row._mapping
    return kind(**{f.name: columns[f.name] for f in fields(kind) if f.name not in given}, **given)  # type: ignore[arg-type]
