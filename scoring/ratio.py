"""The log-ratio of a weak pair: V(x, y') = log p_tuned(y'|x) - log p_reference(y'|x), in nats, over all tokens of y'.

W2S-AlignTree (arXiv 2511.11518) and Weak-to-Strong Search (arXiv 2405.19262); no length normalisation, no beta, unless
`weak.per_token` and `weak.beta` say so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from scoring.base import Candidate, Score
from scoring.settings import WeakSettings


@dataclass(frozen=True)
class Read:
    """Log-probabilities (nats) of an answer's tokens: (2, tokens), tuned and reference; the entropy (bits) of what the
    reference says comes next, where it is known.
    """

    log_probs: torch.Tensor
    entropy: float | None = None


class RatioScorer(ABC):
    """Scores candidates by the log-ratio, wherever the pair's models run."""

    name = "log_ratio"
    traits: Mapping[str, str]

    def __init__(self, settings: WeakSettings) -> None:
        self._settings = settings
        self.scale = "nats per token" if settings.per_token else "nats"

    @abstractmethod
    def _read(self, candidates: Sequence[Candidate]) -> list[Read]:
        """What the models make of each candidate, in order."""

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """Parts: log-probability (nats) of the answer under the tuned model, where there is one, and the reference, its
        weak tokens, and, where it is known, the entropy (bits) of the reference model's next token after it.
        """
        scores = []
        for read in self._read(candidates):
            up, down = read.log_probs.sum(dim=1).tolist()
            count = read.log_probs.shape[1]
            parts = {"tuned": up} if not self._settings.alone else {}
            parts |= {"reference": down, "tokens": count}
            if read.entropy is not None:
                parts["entropy"] = read.entropy
            tokens = max(count, 1) if self._settings.per_token else 1
            scores.append(Score(self._settings.beta * (up - down) / tokens, parts))
        return scores

    def token_ratios(self, candidates: Sequence[Candidate]) -> list[list[float]]:
        """Each answer's token log-ratios, in nats, that of its EOS last where it is scored; they sum to the value."""
        return [(read.log_probs[0] - read.log_probs[1]).tolist() for read in self._read(candidates)]

    def reference_log_probs(self, candidates: Sequence[Candidate]) -> list[torch.Tensor]:
        """Of each answer's tokens under the reference model, (tokens,), nats."""
        return [read.log_probs[1] for read in self._read(candidates)]
