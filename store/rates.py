"""Limits per minute, shared by all workers of a record: each request is told when it may be sent.

Requests are spread evenly: one that takes a hundredth of what a minute allows keeps the next away for 0.6 s. So there
are no bursts, and no minute sees more than its limit, but for one request at its edge.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, select, text

from store.schema import now

_MINUTE_US = 60_000_000

_TAKE = text(
    "INSERT INTO rates (endpoint, unit, free_at) VALUES (:endpoint, :unit, :now + :takes) "
    "ON CONFLICT (endpoint, unit) DO UPDATE SET free_at = :takes + "
    "CASE WHEN rates.free_at > :now THEN rates.free_at ELSE :now END RETURNING free_at"
)


def take(connection: Connection, endpoint: str, amounts: Mapping[str, tuple[int, int]]) -> float:
    """Book amounts of (`requests`, `tokens`), each with its limit per minute; seconds until the request may be sent.

    By the database's clock. A negative amount gives back what was booked and not used.
    """
    at = 1000 * int(connection.execute(select(now())).scalar_one())
    start = at
    for unit, (amount, limit) in sorted(amounts.items()):
        takes = amount * _MINUTE_US // limit
        of = {"endpoint": endpoint, "unit": unit, "now": at, "takes": takes}
        start = max(start, connection.execute(_TAKE, of).scalar_one() - takes)
    return (start - at) / 1e6
