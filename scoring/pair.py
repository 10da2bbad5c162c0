"""A weak pair as one set of weights: the LoRA adapter switched on (tuned) and off (reference), in one forward pass."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from safetensors import SafetensorError
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from scoring.backbone import first_line, load_backbone
from scoring.embedded import adapter_dir
from scoring.errors import WeakModelMissing
from scoring.prefixes import Reading
from scoring.settings import WeakSettings

_BASE = "__base__"
"""PEFT's name for no adapter, in a batch of several."""


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
    """Reads tokens as both models do. Raises WeakModelMissing at load."""

    def __init__(self, settings: WeakSettings) -> None:
        adapter = adapter_dir(settings.adapter)
        backbone = load_backbone(settings)
        self.reader, self._device = backbone.reader, backbone.device
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
        self.model: Any = tuned.to(self._device).eval()
        config = tuned.peft_config[tuned.active_adapter]
        self._mixes = isinstance(config, LoraConfig) and not config.use_dora
        self.remembers = self._has_plain_cache()
        self.traits: Mapping[str, str] = {
            "reference": settings.reference,
            "adapter": settings.adapter,
            "device": str(self._device),
            "number_format": backbone.number_format,
        }

    @torch.inference_mode()
    def _has_plain_cache(self) -> bool:
        """Do all layers keep keys and values of every token, in one shape? Else what is read cannot be gone on from."""
        layers: list[Any] = DynamicCache(config=self.model.get_base_model().config).layers
        if not layers or any(type(layer) is not DynamicLayer for layer in layers):
            return False
        cache = DynamicCache()
        self.model(
            input_ids=torch.zeros(1, 2, dtype=torch.long, device=self._device), past_key_values=cache, use_cache=True
        )
        layers = list(cache.layers)
        return len({(layer.keys.shape, layer.values.shape) for layer in layers}) == 1

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
        logits, keys, values = self._decode(ids, mask, self._past(rows, old), max(wanted, 1))
        found = []
        for i, row in enumerate(rows):
            end = logits[:, i]
            log_probs = torch.full((2, len(row.ids)), torch.nan, dtype=torch.double)
            scored = list(row.ids[max(row.start, 1) :])
            if scored:
                at = end[:, -len(scored) - 1 : -1].float()
                targets = torch.tensor(scored, device=at.device).expand(2, -1)[..., None]
                chosen = at.gather(-1, targets)[..., 0] - at.logsumexp(-1)
                log_probs[:, -len(scored) :] = chosen.double().cpu()
            after = end[1, -1].float().softmax(-1)
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

    def _decode(
        self, ids: torch.Tensor, mask: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None, wanted: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Both models' logits of the last `wanted` positions, (2, rows, wanted, vocabulary); new keys and values."""
        old, rows = mask.shape[1] - ids.shape[1], len(ids)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, old:]
        inputs = [t.to(self._device) for t in (ids, mask, positions)]
        if self._mixes:
            names = [self.model.active_adapter] * rows + [_BASE] * rows
            before = None if past is None else [t.transpose(0, 1).flatten(1, 2) for t in past]
            logits, *new = self._forward([t.repeat(2, 1) for t in inputs], before, wanted, adapter_names=names)
            keys, values = (torch.stack(t.chunk(2, dim=1)) for t in new)
            return torch.stack(logits.chunk(2)), keys, values
        tuned = self._forward(inputs, None if past is None else [t[0] for t in past], wanted)
        with self.model.disable_adapter():
            reference = self._forward(inputs, None if past is None else [t[1] for t in past], wanted)
        logits, keys, values = (torch.stack(pair) for pair in zip(tuned, reference, strict=True))
        return logits, keys, values

    def _forward(
        self, inputs: Sequence[torch.Tensor], past: Sequence[torch.Tensor] | None, wanted: int, **more: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (rows, wanted, vocabulary), and keys and values (layers, rows, heads, new, dimension)."""
        ids, mask, positions = inputs
        cache = DynamicCache() if self.remembers else None
        for layer, (keys, values) in enumerate(zip(*past, strict=True) if past else ()):
            assert cache is not None
            cache.update(keys, values, layer)
        out = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache,
            use_cache=cache is not None, logits_to_keep=wanted, **more,
        )  # fmt: skip
        if cache is None:
            nothing = out.logits.new_zeros(0, len(ids), 0, 0, 0)
            return out.logits, nothing, nothing
        layers, new = list[Any](cache.layers), slice(-ids.shape[1], None)
        return (
            out.logits,
            torch.stack([layer.keys[:, :, new] for layer in layers]),
            torch.stack([layer.values[:, :, new] for layer in layers]),
        )
