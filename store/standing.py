"""How searches of given identities stand: which are on record already, who holds them and until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, case, select

from store.lease import is_dead, place_of
from store.schema import now, searches

_AT_ONCE = 5_000
"""Identities in one statement: databases limit its parameters."""


@dataclass(frozen=True)
class Standing:
    """A search on record. `tries`: how often it was claimed to be worked on.

    `holder` works on it, and keeps it until `until` (milliseconds since 1970, UTC) or longer; none: it is free.
    """

    key: str
    search_id: str
    run_id: str
    status: str
    tries: int
    holder: str | None
    until: int | None

    @property
    def where(self) -> str:
        """The holder, for a person: its process and host."""
        return place_of(self.holder) if self.holder else ""


def of_keys(connection: Connection, keys: Sequence[str]) -> list[Standing]:
    """All searches on record under these identities, oldest first."""
    found: list[Standing] = []
    for first in range(0, len(keys), _AT_ONCE):
        found += _standings(connection, searches.c.key.in_(keys[first : first + _AT_ONCE]))
    return sorted(found, key=lambda standing: standing.search_id)


def of_run(connection: Connection, run_id: str) -> list[Standing]:
    """A run's searches that somebody holds, oldest first."""
    return [s for s in _standings(connection, searches.c.run_id == run_id) if s.holder]


def known_keys(found: Iterable[Standing], tries: int) -> set[str]:
    """Identities that need no search anew: done, not ended yet, or failed as often as may be tried."""
    known, failed = set[str](), dict[str, int]()
    for standing in found:
        if standing.status == "failed":
            failed[standing.key] = failed.get(standing.key, 0) + 1
        else:
            known.add(standing.key)
    return known | {key for key, times in failed.items() if times >= tries}


def _standings(connection: Connection, which: ColumnElement[bool]) -> list[Standing]:
    columns = searches.c.key, searches.c.id, searches.c.run_id, searches.c.status, searches.c.fence
    held = case((searches.c.expires > now(), searches.c.owner), else_=None)
    query = select(*columns, held, searches.c.expires).where(which).order_by(searches.c.id)
    found = [Standing(*row) for row in connection.execute(query)]
    dead = {owner for owner in {standing.holder for standing in found} if owner and is_dead(owner)}
    return [
        standing if standing.holder and standing.holder not in dead else replace(standing, holder=None, until=None)
        for standing in found
    ]
