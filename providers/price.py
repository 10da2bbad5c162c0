"""Prices in nano-dollars: usage x Decimal price per token, rounded up; no floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, Protocol

from providers.settings import StrongSettings

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


def price_of(settings: StrongSettings, entry: Mapping[str, Any]) -> Price | None:
    """The user's own price, else that of LiteLLM's map, read offline; None where neither knows the model."""
    if settings.input_price is not None and settings.output_price is not None:
        fresh = settings.input_price / 1_000_000
        return Price(fresh, settings.output_price / 1_000_000, fresh)
    costs = [entry.get(name) for name in ("input_cost_per_token", "output_cost_per_token")]
    if None in costs:
        return None
    given, taken = (Decimal(str(cost)) for cost in costs)
    cached = entry.get("cache_read_input_token_cost")
    return Price(given, taken, given if cached is None else Decimal(str(cached)))
