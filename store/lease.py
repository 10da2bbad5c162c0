"""Who works on a search: leases by the database's clock, renewed by a thread, with a fence number for every owner.

A lease lives 15 s. An owner that is dead on this host is superseded at once; every write checks the fence, so that an
owner who was superseded can write nothing more.
"""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import psutil
from sqlalchemy import Connection, select, update

from store.database import Database
from store.errors import StoreError
from store.schema import now, searches

LIFE_MS = 15_000
ENDED = frozenset({"done", "failed"})
"""The statuses of searches that are not gone on with."""
_PROC = Path("/proc/self").parent
_RENEW_EVERY_S = 5.0


def new_owner() -> str:
    """Where this process runs, its id and start time, which tell there whether it lives; and a word of its own, which
    names the host to people.
    """
    return f"{_place()}:{os.getpid()}:{_started(os.getpid())}:{platform.node()[:60]}-{uuid4().hex[:8]}"


def place_of(owner: str) -> str:
    """Process and host of an owner, for people."""
    _, pid, _, word = owner.rsplit(":", 3)
    host = word.rpartition("-")[0]
    return f"process {pid}" + (f" on {host}" if host else "")


def is_dead(owner: str) -> bool:
    """True where `owner` ran in this very place and runs no more; of owners elsewhere only their lease tells."""
    place, pid, started, _ = owner.rsplit(":", 3)
    return place == _place() and _started(int(pid)) != started


def _started(pid: int) -> str | None:
    """When a process started, as the kernel counts (a clock that is set changes nothing); None where none runs."""
    try:
        if _PROC.is_dir():
            state, *fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            return None if state == "Z" else fields[18]
        return f"{psutil.Process(pid).create_time():.2f}"
    except (OSError, psutil.NoSuchProcess):
        return None


@cache
def _place() -> str:
    """This boot of this kernel, and this process-id namespace: containers on one host see different processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{platform.node()}/{psutil.boot_time():.0f}"


@dataclass(frozen=True)
class Lease:
    """The right to append to one search, until it is superseded by a higher fence."""

    search_id: str
    fence: int


def claim(connection: Connection, search_id: str, owner: str) -> Lease | None:
    """Take the search for `owner`, or None while another who lives holds it, and where it has ended."""
    row = connection.execute(
        select(searches.c.status, searches.c.owner, searches.c.fence, (searches.c.expires > now()).label("alive"))
        .where(searches.c.id == search_id)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None or row.status in ENDED:  # none: being written to, its owner lives
        return None
    if row.owner not in (None, owner) and row.alive and not is_dead(row.owner):
        return None
    connection.execute(
        update(searches)
        .where(searches.c.id == search_id)
        .values(owner=owner, expires=now() + LIFE_MS, fence=row.fence + 1, status="running")
    )
    return Lease(search_id, row.fence + 1)


class Renewer:
    """Keeps this process's leases alive from a thread of its own, however busy the event loop is."""

    def __init__(self, database: Database) -> None:
        self.owner = new_owner()
        self._database = database
        self._held: dict[str, Lease] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="leases", daemon=True)

    def holds(self, search_id: str) -> bool:
        return search_id in self._held

    def hold(self, lease: Lease) -> None:
        self._held[lease.search_id] = lease
        if not self._thread.is_alive() and not self._stopped.is_set():
            self._thread.start()

    def drop(self, lease: Lease) -> None:
        self._held.pop(lease.search_id, None)

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _renew(self) -> None:
        while not self._stopped.wait(_RENEW_EVERY_S):
            held = list(self._held.values())
            try:
                self._database.submit(lambda connection: _extend(connection, held)).result()  # noqa: B023 - waited for
            except StoreError:
                continue  # the next write of a lost lease is refused by its fence


def _extend(connection: Connection, held: list[Lease]) -> None:
    for lease in held:
        connection.execute(
            update(searches)
            .where(searches.c.id == lease.search_id, searches.c.fence == lease.fence)
            .values(expires=now() + LIFE_MS)
        )
