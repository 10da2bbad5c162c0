"""Counters of what is reserved and spent, per scope and unit; a reservation that does not fit is refused."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection, or_, select, update

from store.errors import OutOfBudget
from store.schema import budgets

UNITS = ("nano_usd", "requests", "tokens")
"""In the order in which they are locked."""


@dataclass(frozen=True)
class Cost:
    """Of one request: tokens of input and output, nano-dollars (None: the price is unknown)."""

    tokens: int
    price: int | None
    requests: int = 1

    def amount(self, unit: str) -> int:
        return {"nano_usd": self.price or 0, "requests": self.requests, "tokens": self.tokens}[unit]


NOTHING = Cost(0, 0, 0)


def reserve(connection: Connection, scope: str, worst: Cost) -> None:
    """Set the worst case aside; raises OutOfBudget, naming the unit, where it does not fit."""
    for unit in UNITS:
        amount = worst.amount(unit)
        taken = connection.execute(
            update(budgets)
            .where(
                budgets.c.scope == scope,
                budgets.c.unit == unit,
                or_(budgets.c.limit.is_(None), budgets.c.spent + budgets.c.reserved + amount <= budgets.c.limit),
            )
            .values(reserved=budgets.c.reserved + amount)
        )
        if taken.rowcount == 0:
            row = connection.execute(
                select(budgets.c.limit, budgets.c.spent, budgets.c.reserved).where(
                    budgets.c.scope == scope, budgets.c.unit == unit
                )
            ).one()
            name = f"budget.{unit.removeprefix('nano_')}"
            limit, most, spent, reserved = (_told(unit, n) for n in (row.limit, amount, row.spent, row.reserved))
            raise OutOfBudget(
                f"{name} = {limit}: the next request could take {most}, with {spent} spent and {reserved} reserved",
                where=scope,
                mend=f"Raise {name} in a new run",
            )


def _told(unit: str, amount: int) -> str:
    return f"{Decimal(amount).scaleb(-9).normalize():f}" if unit == "nano_usd" else str(amount)


def settle(connection: Connection, scope: str, worst: Cost, actual: Cost) -> None:
    """Turn a reservation into what was really spent."""
    for unit in UNITS:
        connection.execute(
            update(budgets)
            .where(budgets.c.scope == scope, budgets.c.unit == unit)
            .values(reserved=budgets.c.reserved - worst.amount(unit), spent=budgets.c.spent + actual.amount(unit))
        )
