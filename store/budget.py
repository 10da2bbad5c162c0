"""Counters of what is reserved and spent, in three scopes: a run, a day (UTC), the whole record.

Before a request its worst case is reserved in all three; one that does not fit is refused, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, Row, case, insert, select, update

from store.errors import OutOfBudget
from store.schema import budgets

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
class Budget:
    """What the requests of a run count in and are limited by. `at`: when one is sent, in milliseconds since 1970."""

    run_id: str
    limits: Limits

    def reserve(self, connection: Connection, worst: Cost, at: int) -> None:
        """Set the worst case aside. Raises OutOfBudget, which names scope and unit, where it does not fit."""
        scopes = self._scopes(at)
        counters = self._locked(connection, scopes)
        if len(counters) < len(scopes) * len(UNITS):
            self._begin(connection, scopes, counters)
            counters = self._locked(connection, scopes)
        for kind, scope in scopes.items():
            for unit, amount in worst.amounts().items():
                limit, counter = self.limits.get(kind, {}).get(unit), counters[scope, unit]
                if limit is not None and counter.spent + counter.reserved + amount > limit:
                    raise _refused(kind, unit, limit, amount, counter)
        change = {"reserved": budgets.c.reserved + _by_unit(worst)}
        connection.execute(update(budgets).where(budgets.c.scope.in_(scopes.values())).values(change))

    def settle(self, connection: Connection, worst: Cost, actual: Cost, at: int) -> None:
        """Turn a reservation into what was really spent, on the day that it was made."""
        scopes = self._scopes(at)
        self._locked(connection, scopes)
        change = {
            "reserved": budgets.c.reserved - _by_unit(worst),
            "spent": budgets.c.spent + _by_unit(actual),
        }
        connection.execute(update(budgets).where(budgets.c.scope.in_(scopes.values())).values(change))

    def _scopes(self, at: int) -> dict[str, str]:
        day = datetime.fromtimestamp(at / 1000, UTC).date()
        return {"run": f"run:{self.run_id}", "day": f"day:{day}", "all": "all"}

    def _locked(self, connection: Connection, scopes: Mapping[str, str]) -> dict[tuple[str, str], Row[tuple[int, int]]]:
        """Counters by scope and unit, locked in one order by all workers."""
        query = select(budgets).where(budgets.c.scope.in_(scopes.values())).order_by(budgets.c.scope, budgets.c.unit)
        return {(row.scope, row.unit): row for row in connection.execute(query.with_for_update())}

    def _begin(
        self, connection: Connection, scopes: Mapping[str, str], known: Mapping[tuple[str, str], object]
    ) -> None:
        """Counters at zero where there are none yet. Another worker may begin them at the same time."""
        fresh = [
            {"scope": scope, "unit": unit, "reserved": 0, "spent": 0}
            for scope in sorted(scopes.values())
            for unit in UNITS
            if (scope, unit) not in known
        ]
        if connection.dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import insert as insert_here

            connection.execute(insert_here(budgets).on_conflict_do_nothing(), fresh)
        else:  # SQLite's writer is alone
            connection.execute(insert(budgets), fresh)


def _by_unit(cost: Cost) -> ColumnElement[int]:
    return case(cost.amounts(), value=budgets.c.unit)


def _refused(kind: str, unit: str, limit: int, amount: int, counter: Row[tuple[int, int]]) -> OutOfBudget:
    name = ".".join(("budget", *([] if kind == "run" else [kind]), unit.removeprefix("nano_")))
    told, most, spent, reserved = (_told(unit, n) for n in (limit, amount, counter.spent, counter.reserved))
    return OutOfBudget(
        f"{name} = {told}: the next request could take {most}, with {spent} spent and {reserved} reserved",
        mend=f"Raise {name} in a new run" + (", or wait for the next day (UTC)" if kind == "day" else ""),
    )


def _told(unit: str, amount: int) -> str:
    return f"{Decimal(amount).scaleb(-9).normalize():f}" if unit == "nano_usd" else str(amount)
