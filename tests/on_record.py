"""What a record and an API hold of a run, to be compared with another's."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from store import Record
from tests.formula_api import FormulaAPI


def trees(record: str) -> dict[str, Any]:
    """All that makes a search's tree, by its key: asks, nodes, scores and tells in order, and the answer.

    But not the seconds, nor the calls, of which those that a kill lost are made again.
    """
    opened = Record.open(record)
    try:
        found = {}
        for search in opened.searches(opened.run().id):
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
    return Counter((r["prompt"], r["seed"], r["n"]) for r in api.requests)
