"""The probe of an endpoint on record: each of its calls reserved before it is sent, its replies, and what it found.

A probe is paid for by the run that it opens. What it found holds for a day, for any run that would probe the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update
from uuid_utils import uuid7

from store.budget import Budget, Cost, count
from store.chain import link
from store.database import Database
from store.journal import settlement
from store.rows import ReplyRow
from store.schema import now, probe_calls, probes

DAY_MS = 86_400_000


def known_finding(connection: Connection, key: str) -> Mapping[str, Any] | None:
    """What the newest probe of this `key` found, where that is a day ago at most."""
    query = (
        select(probes.c.finding)
        .where(probes.c.key == key, probes.c.finding.is_not(None), probes.c.created > now() - DAY_MS)
        .order_by(probes.c.created.desc())
        .limit(1)
    )
    found: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return found


class Probing:
    """One probe, open for appending by the process that began it.

    Killed midway it stays without a finding, and what its calls may cost stays reserved.
    """

    def __init__(self, database: Database, budget: Budget, key: str) -> None:
        self._database, self._budget, self._key = database, budget, key
        self._id = str(uuid7())

    async def begin(self) -> None:
        row = {"id": self._id, "run_id": self._budget.run_id, "key": self._key, "created": now()}
        await self._database.transact(lambda connection: connection.execute(insert(probes).values(row)))

    async def intend(self, number: int, request: Mapping[str, Any], worst: Cost) -> None:
        """Before anything is sent. Raises OutOfBudget."""

        def work(connection: Connection) -> None:
            at = connection.execute(select(now())).scalar_one()
            row = {"number": number, "sent": at, "request": request}
            row |= {"worst_tokens": worst.tokens, "worst_price": worst.price}
            connection.execute(insert(probe_calls), {"probe_id": self._id, **row})
            count(connection, [self._budget.reserve(worst, at)])

        await self._database.transact(work)

    async def settle(self, number: int, reply: ReplyRow, *, billed: bool = True) -> None:
        """What came back, and what it cost; a failure that may have been billed costs the worst case."""
        mine = (probe_calls.c.probe_id == self._id) & (probe_calls.c.number == number)

        def work(connection: Connection) -> None:
            call = connection.execute(select(probe_calls).where(mine)).one()
            worst = Cost(call.worst_tokens, call.worst_price)
            cost, row = settlement(reply, worst, billed)
            connection.execute(update(probe_calls).where(mine).values(row | {"received": now()}))
            count(connection, [self._budget.settle(worst, cost, call.sent)])

        await self._database.transact(work)

    async def end(self, finding: Mapping[str, Any]) -> None:
        """What the calls came to; their hash goes with it, for an audit."""

        def work(connection: Connection) -> None:
            mine = probes.c.id == self._id
            probe = dict(connection.execute(select(probes).where(mine)).mappings().one()) | {"finding": finding}
            calls = select(probe_calls).where(probe_calls.c.probe_id == self._id).order_by(probe_calls.c.number)
            rows = [dict(row) for row in connection.execute(calls).mappings()]
            connection.execute(update(probes).where(mine).values(finding=finding, hash=probe_hash(probe, rows)))

        await self._database.transact(work)


def probe_hash(probe: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> str:
    """Over a probe and its calls, in order."""
    head = link("", "probes", probe)
    for row in rows:
        head = link(head, "probe_calls", row)
    return head
