"""What a record and an API hold of a run, to be compared with another's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from flows.audit import audit
from store import History, Record
from tests.formula_api import FormulaAPI


@dataclass(frozen=True)
class Seen:
    """A search on record: its answer and history, and what the probe found of the strong model."""

    answer: Mapping[str, Any]
    history: History
    finding: Mapping[str, Any]

    @property
    def tells(self) -> Mapping[str, list[Mapping[str, Any]]]:
        """Outcomes by kind."""
        return {
            kind: [tell.outcome for tell in self.history.tells if tell.kind == kind] for kind in ("grown", "failed")
        }

    @property
    def finishes(self) -> list[list[str]]:
        """Why choices ended, reply by reply."""
        replies = self.history.replies.values()
        return [[choice["finish"] for choice in reply.continuations or ()] for reply in replies]

    def rungs(self, name: str) -> set[str]:
        """That the estimates of a name came from."""
        return {row.parts["rung"] for rows in self.history.scores.values() for row in rows if row.name == name}


def last_search(record: str) -> Seen:
    """That of the newest run, which has one and a clean audit."""
    with closing(Record.open(record)) as opened:
        run = opened.run()
        (search,) = opened.searches(run.id)
        assert audit(opened, run.id).faults == ()
        return Seen(search.answer or {}, opened.history(search.id), run.finding["strong"])


def trees(record: str, run: str | None = None) -> dict[str, Any]:
    """All that makes a search's tree, by its key: asks, nodes, scores and tells in order, and the answer; of the newest
    run or the named one.

    But not the seconds, nor the calls, of which those that a kill lost are made again.
    """
    opened = Record.open(record)
    try:
        found = {}
        for search in opened.searches(opened.find(run)):
            history = opened.history(search.id)
            tells = [
                replace(t, outcome={k: v for k, v in t.outcome.items() if k not in ("seconds", "calls")})
                for t in history.tells
            ]
            found[search.key] = (
                search.status, search.answer, history.asks, history.nodes, history.scores, tells,
            )  # fmt: skip
        return found
    finally:
        opened.close()


def asked(api: FormulaAPI) -> Counter[tuple[Any, ...]]:
    """The requests of searches, by what they asked for."""
    return Counter((r["prompt"], r.get("seed"), r["n"]) for r in api.requests)
