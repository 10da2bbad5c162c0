"""What runs and searches took, added up from their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, case, func, select, tuple_

from store.schema import nodes, probe_calls, probes, replies, searches, tells


@dataclass(frozen=True)
class Totals:
    """What a run's rows add up to. `price` in nano-dollars; None where some reply's price is unknown."""

    calls: int
    nodes: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    price: int | None


@dataclass(frozen=True)
class SearchCost:
    """What one search took. `seconds` that it was worked on, as of its last tell."""

    calls: int
    nodes: int
    input_tokens: int
    output_tokens: int
    seconds: float


def totals(connection: Connection, run_id: str) -> Totals:
    """Of a run's searches and of the probe that it began with."""
    of_run = select(searches.c.id).where(searches.c.run_id == run_id)
    of_probe = select(probes.c.id).where(probes.c.run_id == run_id)
    paid = [0] * 6
    for table, which in (
        (replies, replies.c.search_id.in_(of_run)),
        (probe_calls, probe_calls.c.probe_id.in_(of_probe) & probe_calls.c.ok.is_not(None)),
    ):
        sums = (func.coalesce(func.sum(table.c[name]), 0) for name in _SUMMED)
        row = connection.execute(select(func.count(), *sums, func.count(table.c.price)).where(which)).one()
        paid = [before + int(more) for before, more in zip(paid, row, strict=True)]
    grown = connection.execute(
        select(func.count()).select_from(nodes).where(nodes.c.search_id.in_(of_run))
    ).scalar_one()
    calls, fresh, cached, output, price, priced = paid
    return Totals(calls, grown, fresh, cached, output, price if priced == calls else None)


_SUMMED = ("input_tokens", "cached_tokens", "output_tokens", "price")


def costs(connection: Connection, run_id: str) -> dict[str, SearchCost]:
    of_run = select(searches.c.id).where(searches.c.run_id == run_id)

    def by_search(table: Table, *what: ColumnElement[Any]) -> dict[str, Sequence[Any]]:
        query = select(table.c.search_id, *what).where(table.c.search_id.in_(of_run)).group_by(table.c.search_id)
        return {row[0]: row[1:] for row in connection.execute(query)}

    def of_answered(tokens: ColumnElement[int]) -> ColumnElement[int]:
        return func.sum(case((replies.c.ok, tokens), else_=0))  # a lost reply stands with its worst case

    paid = by_search(
        replies, func.count(), of_answered(replies.c.input_tokens), of_answered(replies.c.output_tokens)
    )  # fmt: skip
    grown = by_search(nodes, func.count())
    last = select(tells.c.search_id, func.max(tells.c.position)).where(tells.c.search_id.in_(of_run))
    at_the_end = tuple_(tells.c.search_id, tells.c.position).in_(last.group_by(tells.c.search_id))
    outcomes = connection.execute(select(tells.c.search_id, tells.c.outcome).where(at_the_end))
    seconds = {search_id: float(outcome.get("seconds", 0)) for search_id, outcome in outcomes}
    found = {}
    for search_id in connection.execute(of_run).scalars():
        calls, fresh, output = (int(number) for number in paid.get(search_id, (0, 0, 0)))
        count = int(grown.get(search_id, (0,))[0])
        found[search_id] = SearchCost(calls, count, fresh, output, seconds.get(search_id, 0.0))
    return found
