"""A run as rows to be carried to another record, where its hashes hold as they did."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, LargeBinary, and_, insert, select

from store.audit import audit_rows
from store.budget import Budget, Cost, count
from store.errors import BadDump
from store.schema import CHAINED, budgets, calls, probe_calls, probes, replies, runs, searches

_TABLES = {table.name: table for table in (runs, searches, *CHAINED, probes, probe_calls, budgets)}


def dump_run(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """Rows with the name of their table: the runs that this one was forked from first, then its own."""
    parents = select(searches.c.fork_of).where(searches.c.run_id == run_id, searches.c.fork_of.is_not(None))
    of_parents = connection.execute(select(searches.c.run_id).where(searches.c.id.in_(parents)).distinct()).scalars()
    rows = [row for parent in of_parents for row in dump_run(connection, parent)]
    of_run = select(searches.c.id).where(searches.c.run_id == run_id)
    for table, which in (
        (runs, runs.c.id == run_id),
        (searches, searches.c.run_id == run_id),
        *((table, table.c.search_id.in_(of_run)) for table in CHAINED),
        (probes, probes.c.run_id == run_id),
        (probe_calls, probe_calls.c.probe_id.in_(select(probes.c.id).where(probes.c.run_id == run_id))),
        (budgets, budgets.c.scope == f"run:{run_id}"),
    ):
        query = select(table).where(which).order_by(*table.primary_key)
        rows += [{"table": table.name, **_outward(dict(row))} for row in connection.execute(query).mappings()]
    return rows


def load_runs(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Insert the runs that are not there yet, and audit them; returns their ids. Raises BadDump.

    Searches that had not ended can be gone on with here: nobody holds them, and what their last requests may cost is
    reserved.
    """
    known = set(connection.execute(select(runs.c.id)).scalars())
    new: list[str] = []
    wanted = False
    checked = (_checked(row, number) for number, row in enumerate(rows, 1))
    for name, group in groupby(checked, key=lambda found: found[0]):
        found = [row for _, row in group]
        if name == "runs":
            wanted = found[0]["id"] not in known
            new += [found[0]["id"]] if wanted else []
        if wanted:
            connection.execute(insert(_TABLES[name]), found)
    for run_id in new:
        _reserve_unanswered(connection, run_id)
        if faults := audit_rows(connection, run_id).faults:
            raise BadDump(f"is not as it was written: {faults[0]}", where=f"run {run_id}", mend="Export it anew")
    return new


def _checked(row: Mapping[str, Any], number: int) -> tuple[str, dict[str, Any]]:
    """The table's name, and the row as it is inserted."""
    table = _TABLES.get(row.get("table", ""))
    if table is None or set(row) - {"table"} != set(table.c.keys()):
        raise BadDump("is no row of a run", where=f"row {number}", mend="Give what aligntree export --as run wrote")
    found = {name: value for name, value in row.items() if name != "table"}
    try:
        for column in table.c:
            if isinstance(column.type, LargeBinary):
                body = found[column.name]
                found[column.name] = None if body is None else base64.b64decode(body, validate=True)
    except (TypeError, ValueError):
        raise BadDump("holds no base64", where=f"row {number}", mend="Export it anew") from None
    if table is searches and found["status"] == "running":
        found |= {"status": "interrupted", "owner": None, "expires": None}
    if table is budgets:
        found["reserved"] = 0
    return table.name, found


def _reserve_unanswered(connection: Connection, run_id: str) -> None:
    """Requests whose replies were not on record may have been billed: whoever goes on settles them here."""
    answered = and_(*(calls.c[name] == replies.c[name] for name in ("search_id", "ask", "part", "attempt")))
    query = (
        select(calls.c.sent, calls.c.worst_tokens, calls.c.worst_price)
        .join(searches, searches.c.id == calls.c.search_id)
        .outerjoin(replies, answered)
        .where(searches.c.run_id == run_id, replies.c.ask.is_(None))
    )
    budget, found = Budget(run_id, {}), connection.execute(query).all()
    if found:
        count(connection, [budget.reserve(Cost(tokens, price), sent) for sent, tokens, price in found])


def _outward(row: Mapping[str, Any]) -> dict[str, Any]:
    """Bytes as base64."""
    return {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in row.items()}
