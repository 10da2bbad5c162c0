"""The weak model's own continuations: what preferences for tuning it are made of."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from scoring.backbone import load_backbone
from scoring.base import Candidate
from scoring.errors import BadPreferences
from scoring.settings import WeakSettings

_ROWS = 64
"""Continuations decoded together."""


class Sampler:
    """Draws continuations from the reference of a weak pair. Raises WeakModelMissing at load."""

    def __init__(self, settings: WeakSettings) -> None:
        self._backbone = load_backbone(settings)
        self.number_format = self._backbone.number_format
        own = self._backbone.model.generation_config.eos_token_id
        self._ends = sorted(
            {*self._backbone.reader.tokenizer.all_special_ids, *([own] if isinstance(own, int) else own or ())}
        )
        # The model's own habits of decoding (penalties, beams) would be sampled from instead of the model.
        self._backbone.model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]

    def continuations(
        self, prompts: Sequence[str], *, choices: int, tokens: int, temperature: float, seed: int, done: int = 0
    ) -> Iterator[list[Candidate]]:
        """For each prompt in order, `choices` continuations of at most `tokens` tokens, from prompt number `done` on.

        Random numbers depend on (seed, prompt, number of the continuation) alone, and prompts are decoded in the same
        batches whatever was done before. Raises BadPreferences where a prompt and `tokens` exceed the model's context.
        """
        self._check(prompts, tokens)
        together = max(1, _ROWS // choices)
        starts = range(done // together * together, len(prompts), together)
        batches = ((at, self._batch(prompts[at : at + together], choices, tokens, temperature, seed)) for at in starts)
        return (candidates for at, batch in batches for candidates in batch[max(0, done - at) :])

    def _check(self, prompts: Sequence[str], tokens: int) -> None:
        for number, prompt in enumerate(prompts, 1):
            length = len(self._backbone.reader.prompt(prompt))
            if length + tokens > self._backbone.context:
                raise BadPreferences(
                    f"{length} tokens and {tokens} more exceed the model's context of {self._backbone.context}",
                    where=f"prompt {number}",
                    mend="Shorten it, or ask for fewer tokens",
                )

    @torch.inference_mode()
    def _batch(
        self, prompts: Sequence[str], choices: int, tokens: int, temperature: float, seed: int
    ) -> list[list[Candidate]]:
        reader, device = self._backbone.reader, self._backbone.device
        rows = [reader.prompt(prompt) or [reader.tokenizer.eos_token_id] for prompt in prompts for _ in range(choices)]
        longest = max(map(len, rows))
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        draws = [random.Random(f"{seed}/{choice}/{prompt}") for prompt in prompts for choice in range(choices)]
        out = self._backbone.model.generate(
            ids.to(device), attention_mask=mask.to(device), do_sample=False, max_new_tokens=tokens,
            eos_token_id=self._ends, pad_token_id=self._ends[0],
            logits_processor=LogitsProcessorList([_Draw(draws, temperature)]),
        )  # fmt: skip
        texts = [self._text(row, new) for row, new in zip(rows, out[:, longest:].tolist(), strict=True)]
        return [
            [Candidate(prompt, *texts[i * choices + choice]) for choice in range(choices)]
            for i, prompt in enumerate(prompts)
        ]

    def _text(self, prompt: list[int], new: list[int]) -> tuple[str, bool]:
        """A continuation's text, and whether it ended by itself."""
        decode: Any = self._backbone.reader.tokenizer.decode
        end = next((i for i, token in enumerate(new) if token in self._ends), None)
        # Some tokenizers drop the space that a text begins with: decoded after its prompt, it keeps it.
        before, both = (decode(ids, skip_special_tokens=True) for ids in (prompt, prompt + new[:end]))
        text = both[len(before) :] if both.startswith(before) else decode(new[:end], skip_special_tokens=True)
        return (text, True) if end is not None else (text.rstrip("\ufffd"), False)  # a character that the limit cut


class _Draw(LogitsProcessor):
    """Samples by inverse transform, every row from its own random numbers; what is drawn becomes the only choice."""

    def __init__(self, draws: Sequence[random.Random], temperature: float) -> None:
        self._draws, self._temperature = draws, temperature

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        cumulated = torch.softmax(scores.double() / self._temperature, dim=-1).cumsum(dim=-1)
        points = torch.tensor([[draw.random()] for draw in self._draws], device=scores.device, dtype=torch.double)
        drawn = torch.searchsorted(cumulated, points * cumulated[:, -1:]).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, drawn, 0.0)
