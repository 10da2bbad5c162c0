"""A weak pair reads rows of tokens, of which it may have read the beginnings before."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from scoring.models import open_models
from scoring.prefixes import Reading
from scoring.settings import WeakSettings


@dataclass(frozen=True)
class Unread:
    """Tokens to be read after those of `past`; log-probabilities are wanted of those from `start` on, 1 at least."""

    past: Sequence[Reading]
    ids: Sequence[int]
    start: int

    @property
    def past_tokens(self) -> int:
        return sum(map(len, self.past))


class Pair:
    """Reads tokens as both models do. Raises WeakModelMissing and PairDisagrees at load.

    `remembers`: what is read can be gone on from, else rows have no `past`: two models whose keys and values differ in
    shape, or of which one forgets, read everything anew, to the same values.
    """

    def __init__(self, settings: WeakSettings) -> None:
        self.models = open_models(settings)
        self.remembers = self.models.remembers
        backbone = self.models.backbones[-1]
        self.reader, self._device = backbone.reader, backbone.device
        named = settings.model_dump(include={"reference", "adapter", "tuned"}, exclude_none=True)
        self.traits: Mapping[str, str] = named | {
            "device": str(self._device),
            "number_format": backbone.number_format,
        }

    @torch.inference_mode()
    def read(self, rows: Sequence[Unread]) -> list[tuple[Reading, float]]:
        """What the models make of each row's tokens, and the entropy (bits) of what the reference says comes next.

        The first token's log-probability, which depends on what `past` ends with, is not known here: NaN.
        """
        new, old = max(len(row.ids) for row in rows), max(row.past_tokens for row in rows)
        ids = torch.zeros(len(rows), new, dtype=torch.long)
        mask = torch.zeros(len(rows), old + new, dtype=torch.long)
        for i, row in enumerate(rows):  # both parts end where the longest ends, so that logits are wanted of the last
            ids[i, new - len(row.ids) :] = torch.tensor(row.ids)
            mask[i, old - row.past_tokens : old] = 1
            mask[i, old + new - len(row.ids) :] = 1
        wanted = max(len(row.ids) - max(row.start, 1) + 1 for row in rows)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, old:]
        inputs = [t.to(self._device) for t in (ids, mask, positions)]
        logits, keys, values = self.models.decode(inputs, self._past(rows, old), max(wanted, 1))
        found = []
        for i, row in enumerate(rows):
            log_probs = torch.full((2, len(row.ids)), torch.nan, dtype=torch.double)
            if scored := row.ids[max(row.start, 1) :]:
                both = torch.stack([_log_probs(of[i], scored) for of in logits])
                log_probs[:, -len(scored) :] = both.double().cpu()
            after = logits[-1][i, -1].float().softmax(-1)
            entropy = torch.special.entr(after).sum().item() / math.log(2)
            tokens = slice(keys.shape[-2] - len(row.ids), None) if self.remembers else slice(0)
            reading = Reading(keys[:, :, i, :, tokens], values[:, :, i, :, tokens], log_probs)
            found.append((reading, entropy))
        return found

    def _past(self, rows: Sequence[Unread], old: int) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Keys and values before the new tokens, (2, layers, rows, heads, old, dimension), each row's at the end."""
        if not old:
            return None
        some = next(reading for row in rows for reading in row.past)
        both = []
        for part in ("keys", "values"):
            like = getattr(some, part)
            whole = like.new_zeros(2, like.shape[1], len(rows), like.shape[2], old, like.shape[4])
            for i, row in enumerate(rows):
                at = old - row.past_tokens
                for reading in row.past:
                    whole[:, :, i, :, at : at + len(reading)] = getattr(reading, part)
                    at += len(reading)
            both.append(whole)
        return both[0], both[1]


def _log_probs(logits: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
    """Nats, of tokens the last of which the last logits but one predict; logits are (positions, vocabulary)."""
    at = logits[-len(ids) - 1 : -1].float()
    targets = torch.tensor(ids, device=at.device)[:, None]
    return at.gather(-1, targets)[:, 0] - at.logsumexp(-1)
