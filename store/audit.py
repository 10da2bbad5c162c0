"""Whether the rows of a run are those that were written: hash chains, checked against what the tables hold.

A changed row no longer hashes to its link; a removed one leaves a gap; a chain that was cut off ends before the head
that its search, and at the end its run, has noted. What nobody has noted elsewhere, someone who may write to all of the
tables can write anew as a whole: keep `head` of a run (aligntree audit prints it) where they cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Integer, Table, Text, cast, select, type_coerce

from store.budget import UNITS, Cost
from store.chain import fingerprint, link, run_hash, sha256
from store.probes import probe_hash
from store.schema import CHAINED, budgets, calls, probe_calls, probes, replies, runs, searches
from store.text import SafeJSON, SafeText, escape, through, unescape


@dataclass(frozen=True)
class Fault:
    """Something on record that is not as it was written: where, and what of it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Chains:
    """What checking a run's rows came to. `head`: one hash over the heads of all its searches' chains."""

    searches: int
    rows: int
    head: str
    faults: tuple[Fault, ...]


def audit_rows(connection: Connection, run_id: str) -> Chains:
    """Check a run's own row, the chains of its searches, and its counters against the sums of its replies."""
    if connection.dialect.name != "sqlite":
        return _audit(connection, run_id)
    driver: Any = connection.connection.driver_connection
    driver.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")  # what is no UTF-8 is read too, and found
    try:
        return _audit(connection, run_id)
    finally:
        driver.text_factory = str


def _audit(connection: Connection, run_id: str) -> Chains:
    faults: list[Fault] = []
    run = next(_rows(connection, runs, runs.c.id == run_id, faults), None)
    if run is None:
        return Chains(0, 0, "", tuple(faults) or (Fault(f"run {run_id}", "removed"),))
    found = sorted(_rows(connection, searches, searches.c.run_id == run_id, faults), key=lambda row: row["position"])
    if run["config_sha256"] != fingerprint(run["config"]):
        faults.append(Fault(f"run {run_id}", "config is not the one that its hash is of"))
    if run["hash"] and run_hash(run, [row["key"] for row in found]) != run["hash"]:
        faults.append(Fault(f"run {run_id}", "changed, or one of its searches was removed or added"))
    count, heads = 0, dict[str, str]()
    count += _audit_probes(connection, run_id, faults)
    for search in found:
        count += _audit_search(connection, run["hash"], search, faults)
        heads[search["id"]] = search["head"]
    noted = run["heads"] or heads  # until all its searches have ended, the run notes none
    faults += [
        Fault(f"search {search_id}", "its chain does not end where the run noted that it ended")
        for search_id in sorted(noted.keys() | heads.keys())
        if noted.get(search_id) != heads.get(search_id)
    ]
    if not faults:  # else the sums tell nothing more
        faults += _audit_counters(connection, run_id)
    return Chains(len(heads), count + 1 + len(heads), fingerprint(heads), tuple(faults))


def _audit_counters(connection: Connection, run_id: str) -> list[Fault]:
    """What the run's replies, its probe's among them, add up to is what its counters say is spent; what has no reply
    yet, what is reserved.
    """
    of_run = select(searches.c.id).where(searches.c.run_id == run_id)
    sums = {(kind, unit): 0 for kind in ("spent", "reserved") for unit in UNITS}
    answered = set()
    for reply in connection.execute(select(replies).where(replies.c.search_id.in_(of_run))):
        answered.add((reply.search_id, reply.ask, reply.part, reply.attempt))
        cost = Cost(reply.input_tokens + reply.output_tokens, reply.price)
        for unit, amount in cost.amounts().items() if reply.ok or reply.failure["billed"] else ():
            sums["spent", unit] += amount
    for call in connection.execute(select(calls).where(calls.c.search_id.in_(of_run))):
        if (call.search_id, call.ask, call.part, call.attempt) not in answered:
            for unit, amount in Cost(call.worst_tokens, call.worst_price).amounts().items():
                sums["reserved", unit] += amount
    of_probe = select(probes.c.id).where(probes.c.run_id == run_id)
    for call in connection.execute(select(probe_calls).where(probe_calls.c.probe_id.in_(of_probe))):
        spent, worst = Cost((call.input_tokens or 0) + (call.output_tokens or 0), call.price), call.worst_price
        for unit in UNITS:
            if call.ok is None:
                sums["reserved", unit] += Cost(call.worst_tokens, worst).amounts()[unit]
            elif call.ok or call.failure["billed"]:
                sums["spent", unit] += spent.amounts()[unit]
    counters = {row.unit: row for row in connection.execute(select(budgets).where(budgets.c.scope == f"run:{run_id}"))}
    return [
        Fault(f"run {run_id}, counter of {unit}", f"{kind} is {found}, and the rows add up to {summed}")
        for (kind, unit), summed in sums.items()
        if (found := getattr(counters.get(unit), kind, 0)) != summed
    ]


def _audit_probes(connection: Connection, run_id: str, faults: list[Fault]) -> int:
    """Of the probe that the run began with, which names its rows by one hash. Returns how many rows it has."""
    count = 0
    for probe in list(_rows(connection, probes, probes.c.run_id == run_id, faults)):
        calls_of = probe_calls.c.probe_id == probe["id"]
        rows = sorted(_rows(connection, probe_calls, calls_of, faults), key=lambda row: row["number"])
        count += 1 + len(rows)
        if probe["hash"] is not None and probe_hash(probe, rows) != probe["hash"]:
            faults.append(Fault(f"probe {probe['id']}", "changed, or one of its calls was"))
    return count


_MUTABLE = {"status", "answer", "owner", "expires", "fence", "links", "head"}


def _audit_search(connection: Connection, before: str, search: Mapping[str, Any], faults: list[Fault]) -> int:
    """Returns how many rows the chain has."""
    where = f"search {search['id']}"
    content = {name: value for name, value in search.items() if name not in _MUTABLE}
    if not before:  # schema 0001 knew no forks
        content = {name: value for name, value in content.items() if name not in ("fork_of", "fork_at")}
    if search["prompt_sha256"] != sha256(search["prompt"] or ""):
        faults.append(Fault(where, "prompt is not the one that its hash is of"))
    chain: list[tuple[int, str, str, dict[str, Any]]] = [(0, link(before, "searches", content), "searches", {})]
    for table in CHAINED:
        rows = _rows(connection, table, table.c.search_id == search["id"], faults)
        chain += [(row["link"], row["hash"], table.name, row) for row in rows]
    chain.sort(key=lambda entry: entry[0])
    for (number_before, hash_before, _, _), (number, noted, name, row) in pairwise(chain):
        if number != number_before + 1:
            gap = f"link {number_before + 1}" + (f" to {number - 1}" if number - number_before > 2 else "")
            faults.append(Fault(f"{where}, {gap}", "removed"))
        elif _hash(hash_before, name, row) != noted:
            faults.append(Fault(f"{where}, link {number} ({name})", "changed, or what came before it was"))
    last, head, _, _ = chain[-1]
    if last < search["links"]:
        faults.append(Fault(f"{where}, link {last + 1} to {search['links']}", "cut off"))
    elif (last, head) != (search["links"], search["head"]):
        faults.append(Fault(where, f"its chain ends at link {last}, and not with the head that it noted"))
    return len(chain) - 1


def _hash(before: str, table: str, row: Mapping[str, Any]) -> str | None:
    try:
        return link(before, table, row)
    except (TypeError, ValueError):  # such as NaN, which is never written
        return None


def _rows(
    connection: Connection, table: Table, which: ColumnElement[bool], faults: list[Fault]
) -> Iterator[dict[str, Any]]:
    """Rows as they were given to be written. One that cannot be read is a fault, and left out."""
    query = select(*[_raw(column).label(column.name) for column in table.c]).where(which)
    for raw in connection.execute(query).mappings().all():
        try:
            yield {column.name: _value(column.type, raw[column.name]) for column in table.c}
        except ValueError as error:
            place = "/".join(str(raw[column.name]) for column in table.primary_key)
            faults.append(Fault(f"{table.name} {place}", f"is not as it was written: {error}"))


def _raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What the database holds, before SQLAlchemy makes something of it."""
    match column.type:
        case SafeJSON() | SafeText():
            return type_coerce(cast(column, Text), Text)
        case Boolean():
            return type_coerce(cast(column, Integer), Integer)
    return column


def _value(kind: Any, raw: Any) -> Any:
    """What was written. Raises ValueError where it can only have been written by another hand."""
    if isinstance(raw, str):
        raw.encode()  # raises UnicodeEncodeError where it was no UTF-8
    if raw is None:
        return None
    match kind:
        case SafeJSON():
            value = through(json.loads(raw), unescape)
            if json.dumps(through(value, escape)) != raw:
                raise ValueError("JSON in another form")
            return value
        case SafeText():
            if escape(unescape(raw)) != raw:
                raise ValueError("text in another form")
            return unescape(raw)
        case Boolean():
            if raw not in (0, 1):
                raise ValueError(f"{raw} is neither true nor false")
            return bool(raw)
    return raw
