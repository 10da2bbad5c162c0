"""Limits of one search, whatever its method: checked before each ask, against the most that the ask can cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Where a search ends at the latest; none: no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    iterations: int | None = Field(
        None,
        ge=1,
        description="Expansions (aligntree), rounds (beam) or turns (refine); a call that finishes an answer is none.",
    )
    tokens: int | None = Field(None, ge=1, description="Strong tokens generated, as the server counts them.")
    nodes: int | None = Field(None, ge=1, description="Nodes of the tree, the root not counted.")
    calls: int | None = Field(None, ge=1, description="HTTP requests, those tried again included.")
    seconds: float | None = Field(
        None,
        gt=0,
        description="Seconds at work, over all resumes, as of the last outcome; what is under way is waited for.",
    )
    patience: int | None = Field(
        None, ge=1, description="Iterations without a better whole answer, counted from the first whole answer on."
    )

    @property
    def bounded(self) -> bool:
        """Some limit is sure to be reached."""
        return any((self.iterations, self.tokens, self.nodes, self.calls, self.seconds))


@dataclass(frozen=True)
class Cost:
    """The most that an ask can take, or what it took."""

    tokens: int
    nodes: int
    calls: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.tokens + other.tokens, self.nodes + other.nodes, self.calls + other.calls)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.tokens - other.tokens, self.nodes - other.nodes, self.calls - other.calls)


NOTHING = Cost(0, 0, 0)


class Meter:
    """What a search has taken, and may take at most by the asks under way; `choices`: those of one request."""

    def __init__(self, limits: Limits, choices: int) -> None:
        self.limits = limits
        self.taken = self.reserved = NOTHING
        self.why = ""
        self._choices = choices
        self._iterations = 0  # told, in part at least
        self._improved: int | None = None  # iteration of the best whole answer

    def change(self, limits: Limits) -> None:
        self.limits, self.why = limits, ""

    def cost(self, n: int, max_tokens: int, nodes: int = 1) -> Cost:
        """Of `n` choices of at most `max_tokens` tokens and `nodes` nodes each, at most."""
        return Cost(n * max_tokens, n * nodes, math.ceil(n / self._choices))

    def room(self, iteration: int, n: int, max_tokens: int, nodes: int, reserve: Cost) -> int:
        """How many of `n` choices fit, with `reserve` kept back; where none does, `why` names the limit."""
        limits, used = self.limits, self.taken + self.reserved + reserve
        if limits.iterations is not None and iteration >= limits.iterations:
            return self._none("iterations", limits.iterations)
        if limits.patience is not None and self._improved is not None and iteration - self._improved > limits.patience:
            return self._none("patience", limits.patience)
        if limits.tokens is not None:
            n = min(n, (limits.tokens - used.tokens) // max_tokens)
            if n < 1:
                return self._none("tokens", limits.tokens, self.taken.tokens)
        if limits.nodes is not None:
            n = min(n, (limits.nodes - used.nodes) // nodes)
            if n < 1:
                return self._none("nodes", limits.nodes, self.taken.nodes)
        if limits.calls is not None:
            n = min(n, (limits.calls - used.calls) * self._choices)
            if n < 1:
                return self._none("calls", limits.calls, self.taken.calls)
        return n

    def affords(self, n: int, max_tokens: int) -> bool:
        """Such an ask fits below the limits of what is taken; iterations do not count."""
        limits, used = self.limits, self.taken + self.reserved + self.cost(n, max_tokens)
        pairs = ((limits.tokens, used.tokens), (limits.nodes, used.nodes), (limits.calls, used.calls))
        return all(limit is None or most <= limit for limit, most in pairs)

    def calls_left(self) -> int | None:
        """None: there is no limit."""
        return None if self.limits.calls is None else self.limits.calls - self.taken.calls

    def _none(self, name: str, limit: float, taken: int | None = None) -> int:
        self.why = f"limits.{name} = {limit:g}" + ("" if taken is None else f", {taken} taken")
        return 0

    def told(self, iteration: int, worst: Cost, took: Cost, *, better: bool) -> None:
        """An ask's reservation becomes what it took. `better`: it brought the best whole answer so far."""
        self.reserved, self.taken = self.reserved - worst, self.taken + took
        self._iterations = max(self._iterations, iteration + 1)
        if better:
            self._improved = iteration

    def summary(self) -> str:
        """What was taken, of the limits there are."""
        limits = (
            ("iterations", self.limits.iterations, self._iterations),
            ("tokens", self.limits.tokens, self.taken.tokens),
            ("nodes", self.limits.nodes, self.taken.nodes),
            ("calls", self.limits.calls, self.taken.calls),
        )
        return ", ".join(f"{taken} of {limit} {name}" for name, limit, taken in limits if limit is not None)
