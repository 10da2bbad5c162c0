"""Prices in nano-dollars: usage x Decimal price per token, rounded up; no floats."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Protocol

_NANO = Decimal(1_000_000_000)


class Billed(Protocol):
    """Tokens by class: a Usage."""

    @property
    def input(self) -> int: ...

    @property
    def output(self) -> int: ...

    @property
    def cached(self) -> int: ...


@dataclass(frozen=True)
class Price:
    """USD per token of each class."""

    input: Decimal
    output: Decimal
    cached: Decimal

    def of(self, usage: Billed) -> int:
        """Nano-dollars for one request's usage."""
        fresh = usage.input - usage.cached
        dollars = fresh * self.input + usage.cached * self.cached + usage.output * self.output
        return int((dollars * _NANO).to_integral_value(ROUND_CEILING))

    def to_json(self) -> dict[str, str]:
        """USD per token, as exact decimal text."""
        return {"input": str(self.input), "output": str(self.output), "cached": str(self.cached)}
