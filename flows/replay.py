"""Telling a search its record again, offline: to go on from there, to look at it, to check it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.config import RunConfig
from flows.errors import RecordMismatch
from flows.methods import Ask, Method
from flows.plan import config_of, fresh_method, method_config
from flows.rows import ask_row, outcome_of
from store import History, Record, RunRow, SearchRow
from store.history import nothing_collected


@dataclass(frozen=True)
class Start:
    """A search before anything of its own record is told: fresh; of a fork, with what it inherits.

    `open_asks` of the parent, not told as of the fork; `calls` that what is inherited took.
    """

    method: Method
    open_asks: tuple[Ask, ...] = ()
    calls: int = 0


def start(record: Record, config: RunConfig, finding: Mapping[str, Any], row: SearchRow) -> Start:
    """Raises CannotResume, RecordMismatch."""
    if row.fork_of is None:
        return Start(fresh_method(config, finding, row))
    parent = record.search(row.fork_of)
    run, history = record.run(parent.run_id), record.history(parent.id)
    begun = start(record, config_of(run), run.finding, parent)
    open_asks = replay(begun.method, history, begun.open_asks, until=row.fork_at)
    begun.method.change(method_config(config, row))
    calls = sum(tell.outcome.get("calls", 0) for tell in history.tells[: row.fork_at])
    return Start(begun.method, tuple(open_asks), begun.calls + calls)


def replayed(record: Record, run: RunRow, row: SearchRow, *, until: int | None = None) -> Method:
    """A search as the record tells it, or as it was after its first `until` tells: no network, no model."""
    with nothing_collected():  # nor between reading and telling
        begun = start(record, config_of(run), run.finding, row)
        replay(begun.method, record.history(row.id), begun.open_asks, until=until)
    return begun.method


def replay(
    method: Method,
    history: History,
    open_asks: Sequence[Ask] = (),
    *,
    until: int | None = None,
    look: Callable[[int, Sequence[Ask]], object] | None = None,
) -> list[Ask]:
    """Tell a method its record, in order; returns the asks it then waits for, on record or not yet.

    With `until`, only so many tells, and nothing is asked after the last. Raises RecordMismatch where the method asks
    for something else than the record says. `look` sees how many tells were told, and what is asked then.
    """
    waiting = {ask.number: ask for ask in open_asks}

    def ask(after: int) -> None:
        asks = _asked(method, history)
        waiting.update(asks)
        if look:
            look(after, list(asks.values()))

    tells = history.tells[:until]
    with nothing_collected():
        for after, tell in enumerate(tells):
            ask(after)
            if tell.ask is None:
                method.stop(tell.outcome["reason"], finish=tell.outcome["finish"])
            elif waiting.pop(tell.ask, None) is None:
                raise RecordMismatch(f"tell {tell.position} answers ask {tell.ask}, which is not open", mend=_MEND)
            else:
                method.tell(tell.ask, outcome_of(tell, history))
    if until is None:
        ask(len(tells))
    return list(waiting.values())


_MEND = "The record was changed, or it was written by another version of the method"


def _asked(method: Method, history: History) -> dict[int, Ask]:
    asks = {ask.number: ask for ask in method.ask()}
    for number, ask in asks.items():
        recorded = history.asks.get(number)
        if recorded is not None and recorded != ask_row(ask):
            raise RecordMismatch(f"ask {number} is {ask_row(ask)}, on record {recorded}", mend=_MEND)
    return asks
