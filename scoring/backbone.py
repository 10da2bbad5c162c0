"""The weights that a weak pair shares, and how it reads text: scoring, sampling and tuning all begin here."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.base import Candidate
from scoring.embedded import weak_model_dir
from scoring.errors import WeakModelMissing
from scoring.settings import WeakSettings


@dataclass(frozen=True)
class Row:
    """Token ids of prompt and answer; the answer begins at `start`, which is 1 at least: a text's first token has
    nothing before it to be predicted from.
    """

    ids: list[int]
    start: int


class Reader:
    """Turns prompts and answers into token ids, as `weak.template` and `weak.eos` say."""

    def __init__(self, tokenizer: Any, settings: WeakSettings) -> None:
        self.tokenizer = tokenizer
        self._eos = settings.eos
        template = settings.template
        self._template = SandboxedEnvironment(undefined=StrictUndefined).from_string(template) if template else None

    def prompt(self, prompt: str) -> list[int]:
        """Ids of a prompt. A rendered template brings its own special tokens, BOS included."""
        if self._template is None:
            return self._plain(prompt)
        ids: list[int] = self.tokenizer(self._template.render(prompt=prompt), add_special_tokens=False)["input_ids"]
        return ids

    def row(self, candidate: Candidate) -> Row:
        """Without a template the text is tokenised whole, and the answer's tokens are counted from the longest common
        token prefix of prompt and prompt + answer. Special tokens in an answer's text are text.
        """
        prompt = self.prompt(candidate.prompt)
        if self._template is None:
            whole = self._plain(candidate.prompt + candidate.answer)
            start = common_prefix(prompt, whole)
        else:
            answer = self.tokenizer(candidate.answer, add_special_tokens=False, split_special_tokens=True)
            whole, start = prompt + answer["input_ids"], len(prompt)
        if candidate.complete and self._eos:
            whole = [*whole, self.tokenizer.eos_token_id]
        return Row(whole, max(start, 1))

    def _plain(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, split_special_tokens=True)["input_ids"]
        return ids


@dataclass(frozen=True)
class Backbone:
    """A causal language model on its device, in evaluation mode, with its reader."""

    model: Any
    reader: Reader
    device: torch.device
    number_format: str
    context: int
    """Tokens that the model can attend to."""


def load_backbone(settings: WeakSettings) -> Backbone:
    """The model that `weak.reference` names. Raises WeakModelMissing where there is none or it cannot be loaded."""
    weights, device = weak_model_dir(settings.reference), _device(settings.device)
    dtype = _dtype(settings.number_format, device)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(weights)
        model: Any = AutoModelForCausalLM.from_pretrained(weights, dtype=dtype)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeakModelMissing(
            f"cannot be loaded: {first_line(error)}",
            where=f"weak model {settings.reference!r}",
            mend="Give a directory with a causal language model and its tokenizer, as transformers saves them",
        ) from error
    if tokenizer.eos_token_id is None:
        raise WeakModelMissing(
            "its tokenizer has no end-of-sequence token",
            where=f"weak model {settings.reference!r}",
            mend="Set eos_token in its tokenizer_config.json",
        )
    context = getattr(model.config, "max_position_embeddings", None) or sys.maxsize
    named = str(dtype).removeprefix("torch.")
    return Backbone(model.to(device).eval(), Reader(tokenizer, settings), device, named, context)


def first_line(error: Exception) -> str:
    """What a library's error says first; its type where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common prefix."""
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
