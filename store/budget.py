"""Counters of what is reserved and spent, in three scopes: a run, a day (UTC), the whole record.

Before a request its worst case is reserved in all three; one that does not fit is refused, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import Connection, text

from store.bulk import execute
from store.errors import OutOfBudget

UNITS = ("requests", "tokens", "nano_usd")

Limits = Mapping[str, Mapping[str, int]]
"""The most of each unit, by scope: run, day, all. What is not in it has no limit."""


@dataclass(frozen=True)
class Cost:
    """Of one request: tokens of input and output, nano-dollars (None: the price is unknown)."""

    tokens: int
    price: int | None
    requests: int = 1

    def amounts(self) -> dict[str, int]:
        return {"requests": self.requests, "tokens": self.tokens, "nano_usd": self.price or 0}


NOTHING = Cost(0, 0, 0)


@dataclass(frozen=True)
class Spent:
    """What the requests of a run came to, its probe's included; one that brought no reply counts by its worst case."""

    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0
    """What has a price."""


def spent_by_run(connection: Connection, run_id: str | None = None) -> dict[str, Spent]:
    """By the counters of runs; of one, or of all."""
    query = "SELECT scope, unit, spent FROM budgets WHERE scope LIKE :scope"
    found: dict[str, dict[str, int]] = {}
    for scope, unit, spent in connection.execute(text(query), {"scope": f"run:{run_id or '%'}"}):
        found.setdefault(scope.removeprefix("run:"), {})[unit] = int(spent)
    return {run: Spent(**units) for run, units in found.items()}


@dataclass(frozen=True)
class Budget:
    """What the requests of a run count in and are limited by."""

    run_id: str
    limits: Limits

    def reserve(self, worst: Cost, at: int) -> Change:
        """Set the worst case of a request aside. `at`: when it is sent, in milliseconds since 1970."""
        return Change(self, at, reserved=worst.amounts(), new=worst)

    def settle(self, worst: Cost, actual: Cost, at: int) -> Change:
        """Turn a reservation into what was really spent, on the day that it was made."""
        back = {unit: -amount for unit, amount in worst.amounts().items()}
        return Change(self, at, reserved=back, spent=actual.amounts())

    def scopes(self, at: int) -> dict[str, str]:
        """The counters of a request that is sent then, by kind of scope."""
        day = datetime.fromtimestamp(at / 1000, UTC).date()
        return {"run": f"run:{self.run_id}", "day": f"day:{day}", "all": "all"}


@dataclass(frozen=True)
class Change:
    """To the counters of a request's scopes; `new`: what it reserves, where it must fit."""

    budget: Budget
    at: int
    reserved: Mapping[str, int]
    spent: Mapping[str, int] = field(default_factory=NOTHING.amounts)
    new: Cost | None = None


def count(connection: Connection, changes: Sequence[Change]) -> None:
    """Make changes to counters, which begin at zero, in one statement: best the last before a commit: others wait.

    Raises OutOfBudget, which names scope and unit, where a reservation does not fit.
    """
    sums: dict[str, dict[str, list[int]]] = {}
    for change in changes:
        for scope in change.budget.scopes(change.at).values():
            counters = sums.setdefault(scope, {unit: [0, 0] for unit in UNITS})
            for unit in UNITS:
                counters[unit][0] += change.reserved[unit]
                counters[unit][1] += change.spent[unit]
    # One order for all workers: none waits for another crosswise.
    rows = [(scope, unit, *of) for scope, counters in sorted(sums.items()) for unit, of in counters.items()]
    counted = execute(connection, _COUNT, ("text", "text", "bigint", "bigint"), rows)
    found = {(scope, unit): (reserved, spent) for scope, unit, reserved, spent in counted}
    for change in changes:
        if change.new is not None:
            _check(change, change.new, found)


# WHERE true: without it SQLite takes ON CONFLICT for the condition of a join.
_COUNT = (
    "INSERT INTO budgets (scope, unit, reserved, spent) SELECT * FROM {rows} WHERE true "
    "ON CONFLICT (scope, unit) DO UPDATE "
    "SET reserved = budgets.reserved + excluded.reserved, spent = budgets.spent + excluded.spent "
    "RETURNING scope, unit, reserved, spent"
)


def _check(change: Change, worst: Cost, counters: Mapping[tuple[str, str], tuple[int, int]]) -> None:
    for kind, scope in change.budget.scopes(change.at).items():
        for unit, amount in worst.amounts().items():
            limit, (reserved, spent) = change.budget.limits.get(kind, {}).get(unit), counters[scope, unit]
            if limit is not None and spent + reserved > limit:
                raise _refused(kind, unit, limit, amount, (reserved, spent))


def _refused(kind: str, unit: str, limit: int, amount: int, counter: tuple[int, int]) -> OutOfBudget:
    name = ".".join(("budget", *([] if kind == "run" else [kind]), unit.removeprefix("nano_")))
    held, used = counter
    told, most, spent, reserved = (_told(unit, n) for n in (limit, amount, used, held - amount))
    return OutOfBudget(
        f"{name} = {told}: the next request could take {most}, with {spent} spent and {reserved} reserved",
        mend=f"Raise {name} in a new run" + (", or wait for the next day (UTC)" if kind == "day" else ""),
    )


def _told(unit: str, amount: int) -> str:
    return f"{Decimal(amount).scaleb(-9).normalize():f}" if unit == "nano_usd" else str(amount)
