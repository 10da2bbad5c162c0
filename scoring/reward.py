"""A reward model: a sequence classifier that reads prompt and answer."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from scoring.backbone import chosen_device, loading
from scoring.base import Candidate, Score
from scoring.embedded import model_dir
from scoring.errors import BadValue, WeakModelMissing, first_line
from scoring.values import RewardValue


class RewardScorer:
    """Reads each text whole: a classifier looks at its end alone. Raises WeakModelMissing, BadValue at load."""

    name = "reward"

    def __init__(self, settings: RewardValue) -> None:
        self._settings, self._where = settings, f"reward model {settings.model!r}"
        self._device = chosen_device(settings.device)
        folder = model_dir(settings.model)
        try:
            with loading:
                self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
                found: Any = AutoModelForSequenceClassification.from_pretrained(
                    folder, dtype=torch.float32, output_loading_info=True
                )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise WeakModelMissing(
                f"cannot be loaded: {first_line(error)}", where=self._where,
                mend="Give a directory with a sequence classifier and its tokenizer, as transformers saves them",
            ) from error  # fmt: skip
        model, loaded = found
        if loaded["missing_keys"]:
            raise BadValue(
                f"has no weights for {min(loaded['missing_keys'])}: it was not trained as a classifier",
                where=self._where, mend="Name a model that was",
            )  # fmt: skip
        self._model: Any = model.to(self._device).eval()
        self._context = getattr(model.config, "max_position_embeddings", None) or sys.maxsize
        self._check(model.config.num_labels)
        self.scale = "logit" if settings.label is None else "nats"
        self._template = SandboxedEnvironment(undefined=StrictUndefined).from_string(settings.template)
        self.traits: Mapping[str, str] = {"model": settings.model, "device": str(self._device)}

    def _check(self, labels: int) -> None:
        label = self._settings.label
        if (labels > 1) if label is None else label >= labels:
            raise BadValue(
                f"has {labels} labels" + ("" if label is None else f", and no number {label}"), where=self._where,
                mend="Name one with label, numbered from 0" if labels > 1 else "Leave label out",
            )  # fmt: skip
        if self._tokenizer.pad_token_id is None:
            raise BadValue("its tokenizer has no padding token", where=self._where, mend="Set pad_token")
        self._model.config.pad_token_id = self._tokenizer.pad_token_id

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        """The label's logit, or its log-probability (nats)."""
        texts = [self._template.render(prompt=c.prompt, answer=c.answer) for c in candidates]
        found: dict[int, float] = {}
        for batch in self._batches(texts):
            found |= zip(batch, self._values([texts[i] for i in batch]), strict=True)
        return [Score(found[i]) for i in range(len(texts))]

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Numbers of texts that go through together, the longest first."""
        lengths = [len(ids) for ids in self._ids(texts)["input_ids"]] if texts else []
        if (longest := max(lengths, default=0)) > self._context:
            raise BadValue(
                f"reads {self._context} tokens at most, and a text has {longest}", where=self._where,
                mend="Lower sampling.max_tokens, or name a model that reads more",
            )  # fmt: skip
        batch: list[int] = []
        for i in sorted(range(len(texts)), key=lambda i: -lengths[i]):
            if batch and (len(batch) + 1) * lengths[batch[0]] > self._settings.batch_tokens:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _ids(self, texts: Sequence[str], **more: Any) -> Any:
        return self._tokenizer(list(texts), add_special_tokens=False, **more)

    @torch.inference_mode()
    def _values(self, texts: Sequence[str]) -> list[float]:
        inputs = self._ids(texts, padding=True, return_tensors="pt").to(self._device)
        logits = self._model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits.float()
        label = self._settings.label
        values: list[float] = (logits[:, 0] if label is None else logits.log_softmax(-1)[:, label]).tolist()
        return values
