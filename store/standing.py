"""How searches of given identities stand: which are on record already, who holds them and until when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, or_, select

from store.lease import ENDED, is_dead, place_of
from store.schema import now, searches

_AT_ONCE = 5_000
"""Identities in one statement: databases limit its parameters."""
_FREE = 64
"""As many are told at a time: what is free is found by going through the whole run."""


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
    held = and_(searches.c.run_id == run_id, searches.c.expires > now())
    return [s for s in _standings(connection, held) if s.holder]


@dataclass(frozen=True)
class Stock:
    """How far a run is: how many searches `ended`, the next that are `free`, each with its fence, which tells whether
    it still is, and whether there are others `left` to wait for.
    """

    ended: int
    free: Sequence[tuple[str, int]]
    left: bool


def stock(
    connection: Connection, run_id: str, owner: str, besides: Collection[str], tries: int | None, first: int
) -> Stock:
    """What an owner finds to do.

    Free is what has not ended, is held by nobody who lives and was claimed less often than `tries`, `besides` what it
    has in hand. What was begun comes before what was not: it is paid for in part. Both are in the order of the prompts,
    from the one at `first` on, around their end. Left is what another holds, who may yet be gone.
    """
    given = {"run": run_id, "most_tries": _ANY if tries is None else tries, "first": first}
    unheld = connection.execute(_UNHELD, given | {"most": len(besides) + _FREE}).all()
    rows = [*_of_the_dead(connection.execute(_HELD, given).all()), *unheld]
    free = [(row.id, row.fence) for row in rows if row.id not in besides]
    left = connection.execute(_ELSEWHERE, {"run": run_id, "me": owner}).first() is not None
    return Stock(connection.execute(_ENDED, {"run": run_id}).scalar_one(), free[:_FREE], left)


# Statements are built once: SQLAlchemy takes longer to build one than SQLite to run it.
_ANY = 2**31 - 1
_IN_RUN, _IS_HELD = searches.c.run_id == bindparam("run"), searches.c.expires > now()
_OPEN = (
    select(searches.c.id, searches.c.fence, searches.c.owner)
    .where(_IN_RUN, searches.c.status.not_in(ENDED), searches.c.fence < bindparam("most_tries"))
    .order_by(searches.c.fence == 0, searches.c.position < bindparam("first"), searches.c.position)
)
_UNHELD = _OPEN.where(or_(searches.c.owner.is_(None), ~_IS_HELD)).limit(bindparam("most"))
_HELD = _OPEN.where(_IS_HELD)
_ELSEWHERE = select(searches.c.id).where(_IN_RUN, _IS_HELD, searches.c.owner != bindparam("me")).limit(1)
_ENDED = select(func.count()).where(_IN_RUN, searches.c.status.in_(ENDED))


def _of_the_dead(rows: Sequence[Any]) -> Sequence[Any]:
    """What owners still seem to hold who ran on this host and are gone."""
    dead = {owner for owner in {row.owner for row in rows} if is_dead(owner)}
    return [row for row in rows if row.owner in dead]


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
