"""The log-ratio of a weak pair: V(x, y') = log p_tuned(y'|x) - log p_reference(y'|x), in nats, over all tokens of y'.

W2S-AlignTree (arXiv 2511.11518) and Weak-to-Strong Search (arXiv 2405.19262); no length normalisation, no beta, unless
`weak.per_token` and `weak.beta` say so.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError

from scoring.backbone import Row, first_line, load_backbone
from scoring.base import Candidate, Score
from scoring.embedded import adapter_dir
from scoring.errors import WeakModelMissing
from scoring.settings import WeakSettings


@dataclass(frozen=True)
class _Read:
    """An answer as a model reads it: its tokens' log-probabilities (nats, float64), the entropy of what comes next."""

    chosen: torch.Tensor
    entropy: float
    """Bits."""


class LogRatio:
    """One set of weights in memory, two log-probabilities: the LoRA adapter switched on (tuned) and off (reference).

    The values of a batch are those of its candidates alone, up to rounding. Raises WeakModelMissing at load.
    """

    name = "log_ratio"

    def __init__(self, settings: WeakSettings) -> None:
        self._settings = settings
        self.scale = "nats per token" if settings.per_token else "nats"
        adapter = adapter_dir(settings.adapter)
        backbone = load_backbone(settings)
        self._reader, self._device = backbone.reader, backbone.device
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # PEFT's use of transformers
                tuned = PeftModel.from_pretrained(backbone.model, str(adapter))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise WeakModelMissing(
                f"cannot be loaded: {first_line(error)}",
                where=f"weak pair {settings.reference!r} with adapter {settings.adapter!r}",
                mend="Check weak.reference and weak.adapter: the adapter must have been trained on that model",
            ) from error
        self._model: Any = tuned.to(self._device).eval()
        self.traits: Mapping[str, str] = {
            "reference": settings.reference,
            "adapter": settings.adapter,
            "device": str(self._device),
            "number_format": backbone.number_format,
        }

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """Parts: log-probability (nats) of the answer under the tuned and the reference model, its weak tokens, and the
        entropy (bits) of the reference model's next token after it.
        """
        scores = []
        for tuned, reference in self._both(candidates):
            up, down = tuned.chosen.sum().item(), reference.chosen.sum().item()
            parts = {"tuned": up, "reference": down, "tokens": len(reference.chosen), "entropy": reference.entropy}
            tokens = max(len(reference.chosen), 1) if self._settings.per_token else 1
            scores.append(Score(self._settings.beta * (up - down) / tokens, parts))
        return scores

    def token_ratios(self, candidates: Sequence[Candidate]) -> list[list[float]]:
        """Each answer's token log-ratios, in nats, that of its EOS last where it is scored; they sum to the value."""
        return [(tuned.chosen - reference.chosen).tolist() for tuned, reference in self._both(candidates)]

    @torch.inference_mode()
    def _both(self, candidates: Sequence[Candidate]) -> list[tuple[_Read, _Read]]:
        """Each answer as the tuned and as the reference model reads it."""
        rows = [self._reader.row(c) for c in candidates]
        found: dict[int, tuple[_Read, _Read]] = {}
        for batch in self._batches(rows):
            tuned, reference = (self._read([rows[i] for i in batch], tuned=t) for t in (True, False))
            found |= dict(zip(batch, zip(tuned, reference, strict=True), strict=True))
        return [found[i] for i in range(len(rows))]

    def _batches(self, rows: Sequence[Row]) -> list[list[int]]:
        """Indices of rows, longest first, in batches of at most `batch_tokens` padded tokens."""
        batches: list[list[int]] = []
        for i in sorted(range(len(rows)), key=lambda i: -len(rows[i].ids)):
            if not batches or (len(batches[-1]) + 1) * len(rows[batches[-1][0]].ids) > self._settings.batch_tokens:
                batches.append([])
            batches[-1].append(i)
        return batches

    def _read(self, rows: Sequence[Row], *, tuned: bool) -> list[_Read]:
        """The head runs on the answers' positions only, and on the one after."""
        longest = max(len(row.ids) for row in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        answer = torch.zeros_like(ids, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
            mask[i, : len(row.ids)] = 1
            answer[i, row.start - 1 : len(row.ids)] = True  # position t predicts token t + 1; the last one is entropy's
        targets = ids.roll(-1, dims=1)[answer].to(self._device)
        causal = self._model.get_base_model()
        with nullcontext() if tuned else self._model.disable_adapter():
            hidden = causal.get_decoder()(input_ids=ids.to(self._device), attention_mask=mask.to(self._device))[0]
            logits = causal.get_output_embeddings()(hidden[answer.to(self._device)]).float()
        log_probs = torch.log_softmax(logits, dim=-1)
        counts = answer.sum(dim=1)
        last = log_probs[(counts.cumsum(0) - 1).to(self._device)]
        entropies = (torch.special.entr(last.exp()).sum(dim=-1) / math.log(2)).tolist()
        chosen = log_probs.gather(1, targets[:, None])[:, 0].cpu().double()
        parts = torch.split(chosen, counts.tolist())
        return [_Read(part[:-1], entropy) for part, entropy in zip(parts, entropies, strict=True)]
