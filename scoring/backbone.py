"""A weak model's weights, shared by all that use it, and how it reads text: scoring, sampling and tuning begin here."""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.base import Candidate
from scoring.embedded import model_dir
from scoring.errors import WeakModelMissing, first_line
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
    """A causal language model on its device, in evaluation mode, with its reader.

    Backbones of one folder, number format and device share their weights and nothing else: each may be adapted, and
    used in a thread of its own.
    """

    model: Any
    weights: Any
    """The model whose parameters `model` and others share: in memory as long as any of them."""
    reader: Reader
    device: torch.device
    number_format: str
    context: int
    """Tokens that the model can attend to."""


loading = threading.RLock()
"""Held while weights are loaded: transformers changes torch's default number format meanwhile, for all threads."""

_in_memory: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()


def load_backbone(settings: WeakSettings, name: str | None = None) -> Backbone:
    """The model called `name`, else the one that `weak.reference` names. Raises WeakModelMissing where there is none or
    it cannot be loaded.
    """
    name = name or settings.reference
    folder, device = model_dir(name), chosen_device(settings.device)
    reader = _reader(folder, name, settings)
    dtype = _faster(device) if settings.number_format == "auto" else getattr(torch, settings.number_format)
    with _failures_told(name):
        weights = _weights(folder, dtype, device)
    context = getattr(weights.config, "max_position_embeddings", None) or sys.maxsize
    named = str(dtype).removeprefix("torch.")
    model = sharing(weights)
    # Logits are wanted of the last positions only, and of a slice torch multiplies in bfloat16 row by row, each with
    # a copy of the vocabulary's weights of its own: a hundred times slower, and gigabytes.
    model.get_output_embeddings().register_forward_pre_hook(lambda _, states: tuple(s.contiguous() for s in states))
    return Backbone(model, weights, reader, device, named, context)


def load_reader(settings: WeakSettings) -> Reader:
    """With the tokenizer of `weak.reference`, which needs no weights. Raises WeakModelMissing."""
    return _reader(model_dir(settings.reference), settings.reference, settings)


def _reader(folder: Path, name: str, settings: WeakSettings) -> Reader:
    with _failures_told(name):
        tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    if tokenizer.eos_token_id is None:
        raise WeakModelMissing(
            "its tokenizer has no end-of-sequence token",
            where=f"weak model {name!r}",
            mend="Set eos_token in its tokenizer_config.json",
        )
    return Reader(tokenizer, settings)


@contextmanager
def _failures_told(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeakModelMissing(
            f"cannot be loaded: {first_line(error)}",
            where=f"weak model {name!r}",
            mend="Give a directory with a causal language model and its tokenizer, as transformers saves them",
        ) from error


def _weights(folder: Path, dtype: torch.dtype, device: torch.device) -> Any:
    """A model, from memory where it is there already; never run itself, and so never changed."""
    written = sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir())
    key = (folder.resolve(), *written, dtype, device)
    with loading:
        model: Any = _in_memory.get(key)
        if model is None:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
            _in_memory[key] = model = model.to(device).eval()
    return model


def sharing(weights: Any) -> Any:
    """A model with modules of its own over the same numbers: PEFT changes modules in place, and hangs hooks on them."""
    return copy.deepcopy(weights, {id(parameter): copy.copy(parameter) for parameter in weights.parameters()})


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    length = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        length += 1
    return length


def chosen_device(wanted: str) -> torch.device:
    """By `weak.device`; raises WeakModelMissing where it is not here."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise WeakModelMissing("no CUDA device here", where="weak.device", mend="Use auto or cpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


@cache
def _faster(device: torch.device) -> torch.dtype:
    """Measured once, so that all in one process agree."""
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
