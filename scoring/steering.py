"""Emulated fine-tuning (arXiv 2310.12962): what a weak pair would add to another model's logits, token by token."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from transformers import DynamicCache

from scoring.backbone import Reader
from scoring.models import Models

After = Callable[[torch.Tensor], torch.Tensor]
"""Of all tokens so far, (rows, tokens), which grow from call to call: log p_tuned - log p_reference of each next token,
(rows, vocabulary), nats.
"""


class Steering:
    """Of texts in the pair's own tokens."""

    def __init__(self, models: Models, reader: Reader) -> None:
        self._models = models
        self.vocabulary: Mapping[str, int] = reader.tokenizer.get_vocab()

    def begin(self) -> After:
        """For rows of one length; what was read of them is kept until they are done with."""
        models, read = self._models, 0
        runs = [
            (run, backbone.device, DynamicCache(config=backbone.model.config))
            for run, backbone in (
                (models.tuned, models.backbones[0]),
                (models.reference, models.backbones[-1]),
            )
        ]

        @torch.inference_mode()
        def after(ids: torch.Tensor) -> torch.Tensor:
            nonlocal read
            new, read = ids[:, read:], ids.shape[1]
            logits: list[torch.Tensor] = [
                run(input_ids=new.to(device), past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
                for run, device, cache in runs
            ]
            tuned, reference = (of.float().log_softmax(dim=-1).cpu() for of in logits)
            return tuned - reference

        return after
