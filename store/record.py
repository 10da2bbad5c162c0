"""The record as a whole: runs begin here, are found again, and hand out the journals of their searches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, insert, select, true, update
from uuid_utils import uuid7

from store.audit import Chains, audit_rows
from store.budget import Budget, Limits, Spent, spent_by_run
from store.chain import fingerprint, link, run_hash, sha256
from store.database import Database, one_at_a_time
from store.errors import NotOnRecord
from store.history import History, exchanges, history
from store.journal import Journal
from store.lease import ENDED, Renewer, claim
from store.probes import Probing, known_finding
from store.rates import take
from store.rows import Exchange
from store.schema import now, runs, searches
from store.settings import record_url, shown
from store.standing import Standing, Stock, known_keys, of_keys, of_run, stock
from store.sums import SearchCost, Totals, costs, totals
from store.transfer import dump_run, load_runs

_BEGINNING = 0x616C6E6577  # "alnew": of those who begin what is new


def new_run_id() -> str:
    """UUIDv7: ids sort by time."""
    return str(uuid7())


@dataclass(frozen=True)
class NewSearch:
    """A search to be put on record; `key` is its identity, `config_sha256` that of all that shapes its tree."""

    key: str
    prompt: str
    occurrence: int
    method: str
    method_version: int
    method_config: Mapping[str, Any]
    config_sha256: str
    seed: int
    fork_of: str | None = None
    fork_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class SearchRow(NewSearch):
    """A search on record, claimed `fence` times. `status`: waiting, running, interrupted, done or failed."""

    id: str
    run_id: str
    position: int
    status: str
    answer: Mapping[str, Any] | None
    owner: str | None
    fence: int
    head: str

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def fork(self) -> tuple[str, int] | None:
        """Which search it goes on from, and after how many of its tells."""
        return None if self.fork_of is None or self.fork_at is None else (self.fork_of, self.fork_at)


_SEARCH = [searches.c[f.name] for f in fields(SearchRow)]
_BY_ID = select(*_SEARCH).where(searches.c.id == bindparam("mine"))


@dataclass(frozen=True)
class NewRun:
    """A run to be put on record: the resolved config (no secrets), versions, prices, what the probe found."""

    name: str
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    prices: Mapping[str, Any]
    finding: Mapping[str, Any]
    limits: Limits
    searches: Sequence[NewSearch]


@dataclass(frozen=True)
class RunRow:
    """A run on record, with how many of its searches are in each status. `created`: milliseconds since 1970 (UTC)."""

    id: str
    created: int
    name: str
    config: Mapping[str, Any]
    versions: Mapping[str, str]
    prices: Mapping[str, Any]
    finding: Mapping[str, Any]
    statuses: Mapping[str, int]

    @property
    def unfinished(self) -> int:
        return sum(count for status, count in self.statuses.items() if status not in ENDED)


class Record:
    """Runs and searches in SQLite or Postgres. Reads block briefly; appending goes through a search's Journal."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._renewer = Renewer(database)

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Record:
        """Raises RecordUnusable: unknown URL, unreachable, not ours, or of a newer schema."""
        return cls(Database.open(record_url(url), create=create))

    @property
    def shown(self) -> str:
        """Where the record is, without a password."""
        return shown(self._database.url)

    def known_finding(self, key: str) -> Mapping[str, Any] | None:
        """What a probe of this `key` found within the last day."""
        return self._database.read(lambda connection: known_finding(connection, key))

    async def probe(self, run_id: str, key: str, limits: Limits) -> Probing:
        """Begin a probe that the run to come pays for."""
        probing = Probing(self._database, Budget(run_id, limits), key)
        await probing.begin()
        return probing

    async def book(self, endpoint: str, amounts: Mapping[str, tuple[int, int]]) -> float:
        """Seconds until a request may be sent, by limits per minute: see `store.rates.take`."""
        return await self._database.transact(lambda connection: take(connection, endpoint, amounts))

    async def begin_run(self, new: NewRun, run_id: str | None = None) -> str:
        """Put a run and its searches on record in one transaction; returns the run's id (`new_run_id` unless given)."""
        run_id = run_id or new_run_id()
        await self._database.transact(lambda connection: _begin(connection, run_id, new))
        return run_id

    async def begin_what_is_new(self, new: NewRun, run_id: str, tries: int) -> bool:
        """The same with those searches alone that are not on record yet, in any run (`standing.known_keys`); False
        where there is none. Of two who begin the same at once one finds it on record.
        """

        def work(connection: Connection) -> bool:
            one_at_a_time(connection, _BEGINNING)
            known = known_keys(of_keys(connection, [search.key for search in new.searches]), tries)
            left = [search for search in new.searches if search.key not in known]
            if left:
                _begin(connection, run_id, replace(new, searches=left))
            return bool(left)

        return await self._database.transact(work)

    def standing(self, keys: Sequence[str]) -> list[Standing]:
        """All searches on record under these identities, oldest first."""
        return self._database.read(lambda connection: of_keys(connection, keys))

    def held(self, run_id: str) -> list[Standing]:
        """A run's searches that somebody who lives works on."""
        return self._database.read(lambda connection: of_run(connection, run_id))

    def stock(self, run_id: str, besides: Collection[str], tries: int | None, first: int = 0) -> Stock:
        """What there is to do of a run, `besides` these searches: see `store.standing.stock`."""
        return self._database.read(lambda c: stock(c, run_id, self._renewer.owner, besides, tries, first))

    def runs(self) -> list[RunRow]:
        """All runs, newest first."""
        return self._database.read(lambda connection: _runs(connection, true()))

    def run(self, wanted: str | None = None) -> RunRow:
        """The run that `find` finds."""
        run_id = self.find(wanted)
        return self._database.read(lambda connection: _runs(connection, runs.c.id == run_id)[0])

    def find(self, wanted: str | None = None) -> str:
        """The id of the run with this id or the only one whose id begins or ends so; of the newest for None.

        Raises NotOnRecord.
        """
        query = select(runs.c.id).order_by(runs.c.id.desc())
        found: list[str] = self._database.read(lambda connection: list(connection.execute(query).scalars()))
        if wanted is None:
            if not found:
                raise NotOnRecord("no run yet", where=f"record {self.shown}", mend="Start one with aligntree align")
            return found[0]
        fits = [run for run in found if run == wanted] or [
            run for run in found if wanted and (run.startswith(wanted) or run.endswith(wanted))
        ]
        if len(fits) == 1:
            return fits[0]
        what = f"{len(fits)} runs have {wanted!r} in their ids" if fits else f"no run {wanted!r}"
        raise NotOnRecord(what, where=f"record {self.shown}", mend="aligntree runs lists them")

    def searches(self, run_id: str) -> list[SearchRow]:
        """The run's searches in the order of its prompts."""
        query = select(*_SEARCH).where(searches.c.run_id == run_id).order_by(searches.c.position)
        return self._database.read(lambda c: [SearchRow(**row._mapping) for row in c.execute(query)])

    def search(self, search_id: str) -> SearchRow:
        return self._database.read(lambda c: SearchRow(**c.execute(_BY_ID, {"mine": search_id}).one()._mapping))

    def spent(self, run_id: str | None = None) -> dict[str, Spent]:
        """By each run that sent anything; of one run, or of all."""
        return self._database.read(lambda connection: spent_by_run(connection, run_id))

    def totals(self, run_id: str) -> Totals:
        return self._database.read(lambda connection: totals(connection, run_id))

    def costs(self, run_id: str) -> dict[str, SearchCost]:
        """What each search of a run took, by its id."""
        return self._database.read(lambda connection: costs(connection, run_id))

    def dump(self, run_id: str) -> Iterator[dict[str, Any]]:
        """Every row of a run, and of the runs it was forked from, in the order that `load` takes them."""
        return iter(self._database.read(lambda connection: dump_run(connection, run_id)))

    def load(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put dumped runs on record, those that are there already left out; returns the ids of the new ones.

        All or nothing. Raises BadDump: rows that are no dump, or not as they were written.
        """
        given = list(rows)
        return self._database.transact_now(lambda connection: load_runs(connection, given))

    def audit(self, run_id: str) -> Chains:
        """Check that the run's rows are those that were written."""
        return self._database.read(lambda connection: audit_rows(connection, run_id))

    def history(self, search_id: str) -> History:
        return self._database.read(lambda connection: history(connection, search_id))

    def exchanges(self, search_id: str) -> list[Exchange]:
        return self._database.read(lambda connection: exchanges(connection, search_id))

    async def claim(self, search_id: str) -> Journal | None:
        """Take a search to work on; None if one who lives holds it, or it has ended. Settles what a dead owner left."""
        if self._renewer.holds(search_id):  # what it holds no more, it may take again: a release that failed
            return None

        def work(connection: Connection) -> Journal | None:
            lease = claim(connection, search_id, self._renewer.owner)
            return None if lease is None else Journal(self._database, connection, lease)

        journal: Journal | None = await self._database.transact(work)
        if journal is not None:
            await journal.adopt()
            self._renewer.hold(journal.lease)
        return journal

    async def release(self, journal: Journal, status: str, answer: Mapping[str, Any] | None) -> None:
        """Give a search back with its status and answer so far."""
        self._renewer.drop(journal.lease)
        await journal.close(status, answer)

    async def end_run(self, run_id: str) -> None:
        """Note the head of each search's chain with the run, once all its searches have ended."""
        heads = {search.id: search.head for search in self.searches(run_id)}
        await self._database.transact(
            lambda connection: connection.execute(update(runs).where(runs.c.id == run_id).values(heads=heads))
        )

    def close(self) -> None:
        self._renewer.stop()
        self._database.close()


def _begin(connection: Connection, run_id: str, new: NewRun) -> None:
    created = connection.execute(select(now())).scalar_one()
    row = {name: getattr(new, name) for name in ("name", "config", "versions", "prices", "finding", "limits")}
    row |= {"id": run_id, "created": created, "config_sha256": fingerprint(new.config)}
    row["hash"] = run_hash(row, [search.key for search in new.searches])
    connection.execute(insert(runs), row)
    found = [_search(run_id, row["hash"], i, search) for i, search in enumerate(new.searches)]
    connection.execute(insert(searches), found)


def _search(run_id: str, run_hash: str, position: int, new: NewSearch) -> dict[str, Any]:
    own = {"id": str(uuid7()), "run_id": run_id, "position": position, "prompt_sha256": sha256(new.prompt)}
    row = asdict(new) | own
    genesis = link(run_hash, "searches", row)
    return row | {"status": "waiting", "fence": 0, "links": 0, "head": genesis}


def _runs(connection: Connection, which: ColumnElement[bool]) -> list[RunRow]:
    statuses: dict[str, dict[str, int]] = {}
    counts = select(searches.c.run_id, searches.c.status, func.count()).join(runs).where(which)
    for run_id, status, count in connection.execute(counts.group_by(searches.c.run_id, searches.c.status)):
        statuses.setdefault(run_id, {})[status] = count
    columns = [runs.c[f.name] for f in fields(RunRow) if f.name != "statuses"]
    rows = connection.execute(select(*columns).where(which).order_by(runs.c.id.desc()))
    return [RunRow(**row._mapping, statuses=statuses.get(row.id, {})) for row in rows]
