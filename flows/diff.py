"""Where two runs part: their searches side by side, up to the first step that differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from store import AskRow, History, Record, RunRow, SearchRow, TellRow


@dataclass(frozen=True)
class Parting:
    """Two searches of the same prompt, method and seed. `step`: the first that differs, from 1; none: none does."""

    prompt: str
    method: str
    seed: int
    step: int | None
    what: str
    answers: tuple[str | None, str | None]


def diff(record: Record, one: RunRow, other: RunRow) -> list[Parting]:
    """A line for each search of either run, in the order of the first."""
    left, right = ({_key(s): s for s in record.searches(run.id)} for run in (one, other))
    found = []
    for key in dict.fromkeys([*left, *right]):
        mine, theirs = left.get(key), right.get(key)
        step, what = _parting(record, mine, theirs)
        answers = _text(mine), _text(theirs)
        found.append(Parting(key[0], key[2], key[3], step, what, answers))
    return found


def _key(search: SearchRow) -> tuple[str, int, str, int]:
    return search.prompt, search.occurrence, search.method, search.seed


def _text(search: SearchRow | None) -> str | None:
    return None if search is None else str((search.answer or {}).get("text", ""))


def _parting(record: Record, mine: SearchRow | None, theirs: SearchRow | None) -> tuple[int | None, str]:
    if mine is None or theirs is None:
        return 1, f"only in the {'second' if mine is None else 'first'}"
    one, other = record.history(mine.id), record.history(theirs.id)
    for step, (a, b) in enumerate(zip_longest(one.tells, other.tells), 1):
        if what := next(_differences(one, other, a, b), None):
            return step, what
    return None, "equal"


def _of(ask: AskRow) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in ask.payload.items())


def _short(value: Any) -> Any:
    return f"{value[:40]!r}..." if isinstance(value, str) and len(value) > 40 else value


def _differences(one: History, other: History, a: TellRow | None, b: TellRow | None) -> Iterator[str]:
    if a is None or b is None:
        yield f"the {'first' if a is None else 'second'} has ended"
        return
    asked = [history.asks.get(-1 if tell.ask is None else tell.ask) for history, tell in ((one, a), (other, b))]
    if asked[0] != asked[1]:
        yield "something else was asked: " + " / ".join(
            "a stop" if ask is None else f"node {ask.node_id[:8]}, ask {ask.number}, attempt {ask.attempt}, {_of(ask)}"
            for ask in asked
        )
    if a.kind != b.kind:
        yield f"it came to something else: {a.kind} / {b.kind}"
    for kind, of, differ in (("grown", "children", "other chunks came"), ("judged", "verdicts", "others were judged")):
        if not a.kind == b.kind == kind:
            continue
        if a.outcome[of] != b.outcome[of]:
            yield differ
        for node, _ in a.outcome[of]:
            pair = [
                {r.name: r.value for r in h.scores.get(node, ()) if r.ask == t.ask} for h, t in ((one, a), (other, b))
            ]
            for name in pair[0]:
                if pair[0][name] != pair[1].get(name):
                    yield f"{name} of {node[:8]} differs: {pair[0][name]:g} / {pair[1].get(name, float('nan')):g}"
