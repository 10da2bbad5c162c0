"""Counters of what is reserved and spent, in three scopes: a run, a day (UTC), the whole record.

Before a request its worst case is reserved in all three; one that does not fit is refused, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, text

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
_NOTHING = NOTHING.amounts()


@dataclass(frozen=True)
class Budget:
    """What the requests of a run count in and are limited by. `at`: when one is sent, in milliseconds since 1970."""

    run_id: str
    limits: Limits

    def reserve(self, connection: Connection, worst: Cost, at: int) -> None:
        """Set the worst case aside. Raises OutOfBudget, which names scope and unit, where it does not fit."""
        counters = self._change(connection, at, reserved=worst.amounts())
        for kind, scope in self._scopes(at).items():
            for unit, amount in worst.amounts().items():
                limit, counter = self.limits.get(kind, {}).get(unit), counters[scope, unit]
                if limit is not None and counter.spent + counter.reserved > limit:
                    raise _refused(kind, unit, limit, amount, counter)

    def settle(self, connection: Connection, worst: Cost, actual: Cost, at: int) -> None:
        """Turn a reservation into what was really spent, on the day that it was made."""
        back = {unit: -amount for unit, amount in worst.amounts().items()}
        self._change(connection, at, reserved=back, spent=actual.amounts())

    def _scopes(self, at: int) -> dict[str, str]:
        day = datetime.fromtimestamp(at / 1000, UTC).date()
        return {"run": f"run:{self.run_id}", "day": f"day:{day}", "all": "all"}

    def _change(
        self, connection: Connection, at: int, *, reserved: Mapping[str, int], spent: Mapping[str, int] = _NOTHING
    ) -> dict[tuple[str, str], Row[Any]]:
        """Add to the counters, which begin at zero; what they hold then, by scope and unit."""
        amounts = {
            f"{name}_{unit}": n[unit] for name, n in (("reserved", reserved), ("spent", spent)) for unit in UNITS
        }
        found = connection.execute(_CHANGE, self._scopes(at) | amounts)
        return {(row.scope, row.unit): row for row in found}


# Raw, as SQLAlchemy compiles an insert with ON CONFLICT anew each time. The rows are in one order for all workers: two
# that wait for each other's counters never do so crosswise.
_ROWS = [f"(:{kind}, '{unit}', :reserved_{unit}, :spent_{unit})" for kind in ("all", "day", "run") for unit in UNITS]
_CHANGE = text(
    f"INSERT INTO budgets (scope, unit, reserved, spent) VALUES {', '.join(_ROWS)} "
    "ON CONFLICT (scope, unit) DO UPDATE "
    "SET reserved = budgets.reserved + excluded.reserved, spent = budgets.spent + excluded.spent "
    "RETURNING scope, unit, reserved, spent"
)


def _refused(kind: str, unit: str, limit: int, amount: int, counter: Row[Any]) -> OutOfBudget:
    name = ".".join(("budget", *([] if kind == "run" else [kind]), unit.removeprefix("nano_")))
    told, most, spent, reserved = (_told(unit, n) for n in (limit, amount, counter.spent, counter.reserved - amount))
    return OutOfBudget(
        f"{name} = {told}: the next request could take {most}, with {spent} spent and {reserved} reserved",
        mend=f"Raise {name} in a new run" + (", or wait for the next day (UTC)" if kind == "day" else ""),
    )


def _told(unit: str, amount: int) -> str:
    return f"{Decimal(amount).scaleb(-9).normalize():f}" if unit == "nano_usd" else str(amount)
