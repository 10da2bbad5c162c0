"""A weak pair on a server: the same log-ratio, of log-probabilities that others compute; only its tokenizer is here."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scoring.agreement import PLAIN_TEXT, check_served
from scoring.backbone import load_reader
from scoring.base import Candidate, Likelihoods
from scoring.ratio import RatioScorer, Read
from scoring.settings import ServedSettings, WeakSettings


class ServedLogRatio(RatioScorer):
    """Raises WeakModelMissing where there is no tokenizer, PairDisagrees where a model reads text by another one, and
    whatever `likelihoods` raises.
    """

    def __init__(self, settings: WeakSettings, served: ServedSettings, likelihoods: Likelihoods) -> None:
        super().__init__(settings)
        self._models, self._likelihoods = (served.tuned, served.reference), likelihoods
        self._reader = load_reader(settings)
        self._last: dict[tuple[int, ...], torch.Tensor] = {}
        self.traits = {
            "tuned": served.tuned,
            "reference": served.reference,
            "tokenizer": settings.reference,
            "api_base": served.api_base,
        }
        for model in self._models:
            check_served(model, likelihoods.token_ids(model, PLAIN_TEXT), self._reader, settings)

    def _read(self, candidates: Sequence[Candidate]) -> list[Read]:
        """Texts of the last batch are not asked for again: other values read the same ones next."""
        rows = [self._reader.row(candidate) for candidate in candidates]
        wanted = dict.fromkeys(tuple(row.ids) for row in rows if len(row.ids) > row.start)
        found = {ids: self._last[ids] for ids in wanted if ids in self._last}
        if new := [ids for ids in wanted if ids not in found]:
            of_each = zip(*self._likelihoods.log_probs(self._models, new), strict=True)
            found |= {ids: torch.tensor(both, dtype=torch.double) for ids, both in zip(new, of_each, strict=True)}
        self._last = found
        nothing = torch.zeros(2, 0, dtype=torch.double)
        return [Read(found.get(tuple(row.ids), nothing)[:, row.start :]) for row in rows]
