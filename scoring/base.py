"""The contract of a scorer: what is this partial answer worth?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scoring.settings import ServedSettings


@dataclass(frozen=True)
class Candidate:
    """An answer so far, as text. `complete`: the strong model said that it ends here (not merely cut by a limit)."""

    prompt: str
    answer: str
    complete: bool


@dataclass(frozen=True)
class Score:
    """A candidate's value and the named parts it is made of."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


class Scorer(Protocol):
    """Scores candidates in batches. `score` blocks (torch): call it in a thread. Not safe for two threads at once."""

    name: str
    scale: str
    """What the value is in, such as 'nats'."""
    traits: Mapping[str, str]
    """What else the record should know: device, number format, weights."""

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """One score per candidate, in order; raises ScoringError."""
        ...


class Likelihoods(Protocol):
    """Models elsewhere that tell how likely a text is. Blocks, as a scorer does; what it raises is told as it is."""

    def log_probs(self, models: Sequence[str], rows: Sequence[Sequence[int]]) -> list[list[list[float]]]:
        """For each model, and each row of token ids: nats of each token after those before it, NaN of the first."""
        ...

    def token_ids(self, model: str, text: str) -> list[int]:
        """A text as the model's own tokenizer reads it, but for its first token."""
        ...


Connect = Callable[[ServedSettings], Likelihoods]
"""Opens the way to a server of weak models."""

Report = Callable[[int, int, float | None], None]
"""Told as long work goes on: steps done, steps in all, and the loss where there is one."""
