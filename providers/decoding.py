"""A causal language model that transformers loads, run here: what comes next, and how likely a given text is."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from providers.base import Continuation, ContinuationRequest, Token
from providers.wire import up_to


class TooLong(ValueError):
    """A text with what is to follow exceeds the model's context."""


@dataclass(frozen=True)
class Decoded:
    """Continuations, and the tokens that were read and written for them."""

    continuations: tuple[Continuation, ...]
    read: int
    written: int


class Decoder:
    """Runs on the thread that made it. `templated`: prompts bring their own special tokens, BOS included.

    Raises whatever transformers does where `folder` holds no such model.
    """

    def __init__(self, folder: Path, *, templated: bool) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self._model = model.to(self.device).eval()
        own = self._model.generation_config.eos_token_id
        self._ends = sorted({self._tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or ())} - {None})
        if not self._ends:
            raise ValueError("its tokenizer has no end-of-sequence token")
        # The model's own habits of decoding (penalties, beams) would be sampled from instead of the model.
        self._model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
        self._context = getattr(self._model.config, "max_position_embeddings", None) or 2**31
        self._templated = templated
        self.tokens: dict[str, int] = self._tokenizer.get_vocab()
        self.steered: tuple[Callable[[], Callable[[Any], Any]], float] | None = None
        """Of emulated fine-tuning: begins what is added to the logits of texts that grow together; and its factor."""

    def adapt(self, adapter: Path) -> None:
        """Add a LoRA adapter's change to the weights. Raises what PEFT does where it is none, or another model's."""
        if not (adapter / "adapter_config.json").is_file():  # PEFT would look for it on a hub
            raise ValueError("adapter_config.json not found")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT's use of transformers
            adapted: Any = PeftModel.from_pretrained(self._model, str(adapter))
        self._model = adapted.merge_and_unload().eval()

    def ids(self, prompt: str, answer: str) -> list[int]:
        """Special tokens in an answer's text are text, and in a prompt's where no template made it."""
        if not self._templated:
            return self._plain(prompt + answer, add_special_tokens=True)
        begun: list[int] = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return begun + self._plain(answer, add_special_tokens=False)

    def _plain(self, text: str, *, add_special_tokens: bool) -> list[int]:
        found: list[int] = self._tokenizer(text, add_special_tokens=add_special_tokens, split_special_tokens=True)[
            "input_ids"
        ]
        return found

    @torch.inference_mode()
    def continuations(self, prompt: str, request: ContinuationRequest) -> Decoded:
        """`request.n` of them, each by its own random numbers: of the seed and its place. Raises TooLong."""
        ids = self._fitting(prompt, request.answer, request.max_tokens)
        before = torch.tensor([ids], device=self.device)
        cache = DynamicCache(config=self._model.config)
        if len(ids) > 1:  # read once for all
            self._model(input_ids=before[:, :-1], past_key_values=cache, logits_to_keep=1)
            cache.batch_repeat_interleave(request.n)
        rows, draw = before.repeat(request.n, 1), _Draw(request, self.steered)
        out = self._model.generate(
            rows, attention_mask=torch.ones_like(rows), past_key_values=cache, max_new_tokens=request.max_tokens,
            do_sample=False, eos_token_id=self._ends, pad_token_id=self._ends[0],
            logits_processor=LogitsProcessorList([draw]),
        )  # fmt: skip
        new: list[list[int]] = out[:, len(ids) :].tolist()
        found = tuple(self._continuation(ids, row, number, draw, request.stop) for number, row in enumerate(new))
        return Decoded(found, len(ids), sum(self._length(row) for row in new))

    def _length(self, row: Sequence[int]) -> int:
        """Tokens that were written, that of the end included."""
        return next((at + 1 for at, token in enumerate(row) if token in self._ends), len(row))

    def _continuation(
        self, ids: Sequence[int], row: Sequence[int], number: int, draw: _Draw, stop: Sequence[str]
    ) -> Continuation:
        ended = row[self._length(row) - 1] in self._ends
        kept = row[: self._length(row) - ended]
        texts = self._texts(ids, kept)
        tokens = tuple(Token(text, *draw.told(at, number, self._shown), exact=True) for at, text in enumerate(texts))
        text = "".join(texts)
        if (end := min((at for s in stop if (at := text.find(s)) >= 0), default=None)) is not None:
            return Continuation(text[:end], "stop", up_to(tokens, end))
        return Continuation(text, "stop" if ended else "length", tokens)

    def _shown(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))

    def _texts(self, before: Sequence[int], new: Sequence[int]) -> list[str]:
        """What each new token adds to the text: nothing where it leaves a character unfinished."""
        # Some tokenizers drop the space that a text begins with: decoded after what is before, it keeps it.
        tail = list(before[-8:])
        done, texts = len(self._decoded(tail)), []
        for end in range(1, len(new) + 1):
            text = self._decoded(tail + list(new[:end]))
            texts.append(text[done:])
            done = max(done, len(text))
        return texts

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).rstrip("\ufffd")

    @torch.inference_mode()
    def likelihood(self, prompt: str, answer: str, draft: str) -> Decoded:
        """The draft as if the model had written it after the answer: each token with its log-probability.

        Where draft and answer share a token, it is the draft's. Raises TooLong.
        """
        ids = self._fitting(prompt, answer + draft, 0)
        start = max(_shared(self.ids(prompt, answer), ids), 1)
        if start == len(ids):
            return Decoded((Continuation(draft, "length", ()),), len(ids), 0)
        rows = torch.tensor([ids], device=self.device)
        logits = self._model(input_ids=rows, logits_to_keep=len(ids) - start + 1).logits[0, :-1]
        logprobs = torch.log_softmax(logits.float(), dim=-1)
        own = logprobs.gather(1, rows[0, start:, None])[:, 0].tolist()
        tokens = tuple(map(Token, self._texts(ids[:start], ids[start:]), own))
        return Decoded((Continuation(draft, "length", tokens),), len(ids), 0)

    def _fitting(self, prompt: str, answer: str, more: int) -> list[int]:
        ids = self.ids(prompt, answer) or [self._ends[0]]
        if len(ids) + more > self._context:
            raise TooLong(f"{len(ids)} tokens and {more} more exceed the model's context of {self._context}")
        return ids


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


@dataclass(frozen=True)
class _Step:
    """Of one position, for all rows: log-probabilities of what was drawn, the likeliest tokens, the entropy (bits)."""

    drawn: list[float]
    top: list[list[tuple[int, float]]]
    entropy: list[float]


class _Draw(LogitsProcessor):
    """Samples by inverse transform, every row from its own random numbers; what is drawn becomes the only choice.

    What is told is of the model's own distribution; what is drawn from is that after temperature, top_k and top_p.
    """

    def __init__(
        self, request: ContinuationRequest, steered: tuple[Callable[[], Callable[[Any], Any]], float] | None
    ) -> None:
        self._request = request
        self._after: Callable[[Any], Any] | None = steered[0]() if steered else None
        self._beta = steered[1] if steered else 0.0
        self._random = [random.Random(f"{request.seed}/{row}" if request.seed is not None else None)
                        for row in range(request.n)]  # fmt: skip
        self._warps = LogitsProcessorList()
        if request.temperature > 0:
            self._warps.append(TemperatureLogitsWarper(float(request.temperature)))
        if request.top_k is not None:
            self._warps.append(TopKLogitsWarper(request.top_k))
        if 0 < request.top_p < 1:
            self._warps.append(TopPLogitsWarper(request.top_p))
        self._steps: list[_Step] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if self._after is not None:  # EFT: l + beta (log p_tuned - log p_reference); rows of padding get nothing
            ratios = self._after(input_ids)[:, : scores.shape[-1]].to(scores.device)
            scores = scores.float().clone()
            scores[:, : ratios.shape[-1]] += self._beta * ratios
        logprobs = torch.log_softmax(scores.float(), dim=-1)
        warped = torch.softmax(self._warps(input_ids, scores.float()).double(), dim=-1)
        distinct = self._request.distinct and not self._steps
        drawn = torch.tensor([self._drawn(warped, row, distinct) for row in range(len(scores))], device=scores.device)
        top = logprobs.topk(min(self._request.logprobs, logprobs.shape[-1]), dim=-1)
        told = [list(zip(i, p, strict=True)) for i, p in zip(top.indices.tolist(), top.values.tolist(), strict=True)]
        entropy = torch.special.entr(logprobs.double().exp()).sum(dim=-1).div(math.log(2)).tolist()
        self._steps.append(_Step(logprobs.gather(1, drawn[:, None])[:, 0].tolist(), told, entropy))
        return torch.full_like(scores, -torch.inf).scatter(1, drawn[:, None], 0.0)

    def _drawn(self, warped: torch.Tensor, row: int, distinct: bool) -> int:
        """A token by its probability; the likeliest at temperature 0. What is drawn `distinct` is not drawn again while
        something else is left.
        """
        of = warped[row]
        if self._request.temperature <= 0:
            token = int(of.argmax())
        else:
            cumulated = of.cumsum(dim=-1)
            point = self._random[row].random() * float(cumulated[-1])
            token = min(int(torch.searchsorted(cumulated, point, right=True)), len(of) - 1)
        if distinct:
            for later in warped[row + 1 :]:
                if float(later.sum()) > float(later[token]):
                    later[token] = 0.0
        return token

    def told(self, at: int, row: int, shown: Any) -> tuple[float, tuple[tuple[str, float], ...], float]:
        """Of a row's token: log-probability (nats), likeliest tokens, entropy (bits)."""
        step = self._steps[at]
        return step.drawn[row], tuple((shown(token), logprob) for token, logprob in step.top[row]), step.entropy[row]
