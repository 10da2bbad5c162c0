"""The log-ratio of a weak pair that runs here.

A search asks for one text after another that begin alike: what the pair has read is kept by prefix, and a candidate
costs the tokens that are new in it, and one more: the last of the old, which predicts the first of the new.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from scoring.backbone import Row, common_prefix
from scoring.base import Candidate, Drafted
from scoring.drafting import draft
from scoring.pair import Pair, Unread
from scoring.prefixes import Prefixes, Reading
from scoring.ratio import RatioScorer, Read
from scoring.settings import WeakSettings
from scoring.steering import Steering

_STEM = 64
"""Tokens that must be saved by reading what candidates share before them, for a forward pass of its own to pay."""


@dataclass(frozen=True)
class _Text:
    """A text as the pair reads it. Candidates with the same tokens are one text."""

    prompt: str
    ids: tuple[int, ...]
    start: int


class LogRatio(RatioScorer):
    """Raises WeakModelMissing and PairDisagrees at load.

    A value is that of its candidate alone, up to rounding, whatever else is in the batch and whatever is kept.
    """

    def __init__(self, settings: WeakSettings) -> None:
        super().__init__(settings)
        self._pair = Pair(settings)
        self.traits = self._pair.traits
        self.prefixes = Prefixes(settings.memory if self._pair.remembers else 0)
        self.tokens_read = 0
        """Tokens that went through each of the two models so far, padding not counted."""

    def draft(self, prompt: str, max_tokens: int) -> Drafted:
        """The tuned model's own answer, greedily."""
        models = self._pair.models
        return draft(models.tuned, self._pair.reader, models.backbones[0].device, prompt, max_tokens)

    def steering(self) -> Steering:
        """What the pair would add to the logits of a model that reads the same tokens."""
        return Steering(self._pair.models, self._pair.reader)

    def _read(self, candidates: Sequence[Candidate]) -> list[Read]:
        texts = [_text(c.prompt, self._pair.reader.row(c)) for c in candidates]
        once = list(dict.fromkeys(text for text in texts if text.ids))
        found = {text: Read(torch.zeros(2, 0, dtype=torch.double), 0.0) for text in texts if not text.ids}
        while self.prefixes.limit and (stems := self._stems(once)):
            for batch in self._batches(stems):
                self._read_batch(batch)
        for batch in self._batches(once):
            found |= self._read_batch(batch)
        self.prefixes.shrink()
        return [found[text] for text in texts]

    def _stems(self, texts: Sequence[_Text]) -> list[_Text]:
        """What several texts share and nothing has read yet, where it pays to read it first."""
        found, groups = [], _grouped(texts, lambda text: text.prompt)
        while groups:
            first, *others = group = groups.pop()
            if not others:
                continue
            shared = min(common_prefix(first.ids, other.ids) for other in others)
            stem = _Text(first.prompt, first.ids[:shared], min(first.start, shared))
            if len(others) * (shared - self.prefixes.length(stem.prompt, stem.ids)) >= _STEM:
                found.append(stem)
            else:
                longer = [text for text in group if len(text.ids) > shared]
                groups += _grouped(longer, partial(_token, shared))
        return found

    def _batches(self, texts: Sequence[_Text]) -> Iterator[list[_Text]]:
        """Those with most to read first, each batch within `batch_tokens`."""
        sizes = {}
        for text in texts:
            kept = self.prefixes.length(text.prompt, text.ids)
            sizes[text] = len(text.ids) - kept, kept
        batch: list[_Text] = []
        most_new = most_old = 0
        for text in sorted(texts, key=lambda text: sizes[text], reverse=True):
            new, old = sizes[text]
            most_new, most_old = max(most_new, new), max(most_old, old)
            if batch and (len(batch) + 1) * (most_new + most_old) > self._settings.batch_tokens:
                yield batch
                batch, (most_new, most_old) = [], (new, old)
            batch.append(text)
        if batch:
            yield batch

    def _read_batch(self, texts: Sequence[_Text]) -> dict[_Text, Read]:
        pasts = [self.prefixes.find(text.prompt, text.ids) for text in texts]
        rows = [_unread(text, past) for text, past in zip(texts, pasts, strict=True)]
        self.tokens_read += sum(len(row.ids) for row in rows)
        found = {}
        for text, past, row, (reading, entropy) in zip(texts, pasts, rows, self._pair.read(rows), strict=True):
            again = sum(map(len, past)) - row.past_tokens
            whole = torch.cat([*(one.log_probs for one in past), reading.log_probs[:, again:]], dim=1)
            found[text] = Read(whole[:, text.start :], entropy)
            if self.prefixes.limit:
                self.prefixes.keep(text.prompt, text.ids, reading.part(again, len(reading)))
        return found


def _text(prompt: str, row: Row) -> _Text:
    return _Text(prompt, tuple(row.ids), row.start)


def _unread(text: _Text, past: Sequence[Reading]) -> Unread:
    """What is not kept, and the last token that is."""
    kept = sum(map(len, past))
    if not kept:
        return Unread((), text.ids, text.start)
    *before, last = past
    return Unread([*before, last.part(0, len(last) - 1)], text.ids[kept - 1 :], text.start - kept + 1)


def _grouped(texts: Sequence[_Text], key: Callable[[_Text], Hashable]) -> list[list[_Text]]:
    groups = defaultdict[Hashable, list[_Text]](list)
    for text in texts:
        groups[key(text)].append(text)
    return list(groups.values())


def _token(at: int, text: _Text) -> int:
    return text.ids[at]
