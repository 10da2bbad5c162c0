"""The log-ratio of a weak pair: V(x, y') = log p_tuned(y'|x) - log p_reference(y'|x), in nats, over all tokens of y'.

W2S-AlignTree (arXiv 2511.11518) and Weak-to-Strong Search (arXiv 2405.19262); no length normalisation, no beta.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.base import Candidate, Score
from scoring.embedded import adapter_dir, weak_model_dir
from scoring.errors import WeakModelMissing
from scoring.settings import WeakSettings


@dataclass(frozen=True)
class _Row:
    """Token ids of prompt and answer; the answer's log-probability is summed from position `start` on."""

    ids: list[int]
    start: int


class LogRatio:
    """One set of weights in memory, two log-probabilities: the LoRA adapter switched on (tuned) and off (reference).

    The values of a batch are those of its candidates alone, up to rounding. Raises WeakModelMissing at load.
    """

    name = "log_ratio"
    scale = "nats"

    def __init__(self, settings: WeakSettings) -> None:
        self._settings = settings
        self._device = _device(settings.device)
        self._dtype = _dtype(settings.number_format, self._device)
        weights, adapter = weak_model_dir(settings.reference), adapter_dir(settings.adapter)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # PEFT's use of transformers
                self._tokenizer: Any = AutoTokenizer.from_pretrained(weights)
                base = AutoModelForCausalLM.from_pretrained(weights, dtype=self._dtype)
                self._model: Any = PeftModel.from_pretrained(base, adapter).to(self._device).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise WeakModelMissing(
                f"cannot be loaded: {str(error).splitlines()[0]}",
                where=f"weak pair {settings.reference!r} with adapter {settings.adapter!r}",
                mend="Check weak.reference and weak.adapter: the adapter must have been trained on that model",
            ) from error
        template = settings.template
        self._template = SandboxedEnvironment(undefined=StrictUndefined).from_string(template) if template else None
        self.traits: Mapping[str, str] = {
            "reference": settings.reference,
            "adapter": settings.adapter,
            "device": str(self._device),
            "number_format": str(self._dtype).removeprefix("torch."),
        }

    @torch.inference_mode()
    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        rows = [self._row(c) for c in candidates]
        scores: list[Score | None] = [None] * len(rows)
        for batch in self._batches(rows):
            tuned, reference = (self._log_probs([rows[i] for i in batch], tuned=t) for t in (True, False))
            for i, up, down in zip(batch, tuned, reference, strict=True):
                scores[i] = Score(up - down, {"tuned": up, "reference": down})
        return [score for score in scores if score is not None]

    def _row(self, candidate: Candidate) -> _Row:
        """Count tokens from the longest common token prefix of prompt and prompt + answer."""
        if self._template is None:
            prompt = self._plain(candidate.prompt)
            whole = self._plain(candidate.prompt + candidate.answer)
            start = _common_prefix(prompt, whole)
        else:
            # A rendered template brings its own special tokens, BOS included; the answer's text may not.
            prompt = self._tokenizer(self._template.render(prompt=candidate.prompt), add_special_tokens=False)[
                "input_ids"
            ]
            whole = (
                prompt
                + self._tokenizer(candidate.answer, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            )
            start = len(prompt)
        if candidate.complete and self._settings.eos:
            whole = [*whole, self._tokenizer.eos_token_id]
        # The first token of all has nothing before it to be predicted from.
        return _Row(whole, max(start, 1))

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, split_special_tokens=True)["input_ids"]
        return ids

    def _batches(self, rows: Sequence[_Row]) -> list[list[int]]:
        """Indices of rows, longest first, in batches of at most `batch_tokens` padded tokens."""
        batches: list[list[int]] = []
        for i in sorted(range(len(rows)), key=lambda i: -len(rows[i].ids)):
            if not batches or (len(batches[-1]) + 1) * len(rows[batches[-1][0]].ids) > self._settings.batch_tokens:
                batches.append([])
            batches[-1].append(i)
        return batches

    def _log_probs(self, rows: Sequence[_Row], *, tuned: bool) -> list[float]:
        """Sum of the answers' token log-probabilities, one per row; the head runs on answer positions only."""
        longest = max(len(row.ids) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        answer = torch.zeros_like(ids, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            mask[i, : len(row.ids)] = 1
            answer[i, row.start - 1 : len(row.ids) - 1] = True  # position t predicts token t + 1
        targets = ids.roll(-1, dims=1)[answer].to(self._device)
        causal = self._model.get_base_model()
        with nullcontext() if tuned else self._model.disable_adapter():
            hidden = causal.get_decoder()(input_ids=ids.to(self._device), attention_mask=mask.to(self._device))[0]
            logits = causal.get_output_embeddings()(hidden[answer.to(self._device)]).float()
        chosen = torch.log_softmax(logits, dim=-1).gather(1, targets[:, None])[:, 0].cpu()
        sums: list[float] = [part.double().sum().item() for part in torch.split(chosen, answer.sum(dim=1).tolist())]
        return sums


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def _device(wanted: str) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise WeakModelMissing("no CUDA device here", where="weak.device", mend="Use auto or cpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted != "auto":
        return torch.float32 if wanted == "float32" else torch.bfloat16
    return min((torch.float32, torch.bfloat16), key=lambda dtype: _seconds_per_product(dtype, device))


def _seconds_per_product(dtype: torch.dtype, device: torch.device) -> float:
    """Best of five products of the shape that a batch of short answers makes."""
    left, right = torch.ones(256, 576, dtype=dtype, device=device), torch.ones(576, 1536, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(6):
        started = time.perf_counter()
        (left @ right)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return best
