"""The contract of a scorer: what is this partial answer worth?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from scoring.errors import ScoringError
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


@dataclass(frozen=True)
class Drafted:
    """An answer of a weak model's own: the text of each token, and whether it ended by itself."""

    tokens: tuple[str, ...]
    complete: bool


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


@runtime_checkable
class Drafter(Protocol):
    """A scorer whose weak pair can answer itself."""

    def draft(self, prompt: str, max_tokens: int) -> Drafted:
        """The tuned model's own answer, greedily. Blocks, as `score` does."""
        ...


class Steers(Protocol):
    """A weak pair's log-ratio, token by token."""

    vocabulary: Mapping[str, int]

    def begin(self) -> Callable[[Any], Any]:
        """For texts that grow together: of all tokens so far, a tensor (rows, tokens), the log-ratio of each next
        token, (rows, vocabulary), nats.
        """
        ...


@runtime_checkable
class Steerer(Protocol):
    """A scorer whose weak pair runs here."""

    def steering(self) -> Steers: ...


def steerer(scorer: Scorer) -> Steerer:
    """The scorer as one that steers. Raises ScoringError where it cannot."""
    if isinstance(scorer, Steerer):
        return scorer
    raise ScoringError(
        "no model's logits can be steered by it", where=f"scorer {scorer.name}",
        mend="For emulated fine-tuning (strong.eft) name a weak pair that runs here",
    )  # fmt: skip


def drafter(scorer: Scorer) -> Drafter:
    """The scorer as one that drafts. Raises ScoringError where it does not."""
    if isinstance(scorer, Drafter):
        return scorer
    raise ScoringError(
        "it answers nothing itself: its models are elsewhere", where=f"scorer {scorer.name}",
        mend="For weak-to-strong decoding name a pair that runs here (weak.reference, weak.adapter or weak.tuned)",
    )  # fmt: skip


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
