"""A strong model on this machine: any causal language model that transformers loads, with all that APIs withhold.

It tells exact entropies and how likely a given text is, and draws distinct first tokens: what the methods of the papers
were made for, and what estimates from an API's replies can be measured against.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from safetensors import SafetensorError

from providers.base import Continuation, ContinuationRequest, Finding, Reply, Send, Usage
from providers.endpoints import Mode
from providers.errors import Blame, CallFailed, StrongModelMisconfigured
from providers.price import Price
from providers.settings import StrongSettings

if TYPE_CHECKING:
    from providers.decoding import Decoder

PREFIX = "local/"
"""What the name of a model on this machine begins with."""


class Steers(Protocol):
    """What is added to the model's logits, times `strong.eft`."""

    vocabulary: Mapping[str, int]

    def begin(self) -> Callable[[Any], Any]:
        """For texts that grow together: of all tokens so far, a tensor (rows, tokens), a tensor (rows, vocabulary)."""
        ...


Find = Callable[[str], Path]
"""The folder that transformers loads, of a folder, a GGUF file or `embedded`, the weak pair's built-in reference."""


class LocalStrongModel:
    """`local/FOLDER`, `local/FILE.gguf`, `local/embedded` (Gemma 3 270M) or `local/smollm2`. Requests are worked off
    one by one, on a thread of its own; on the GPU where there is one. Raises StrongModelMisconfigured, and what `find`
    does.

    `steers`: of emulated fine-tuning (`strong.eft`); how likely a given text is to it is not told then.
    """

    mode: Mode = "completion"
    retires: date | None = None

    def __init__(self, settings: StrongSettings, find: Find, steers: Steers | None = None) -> None:
        self.name, self._settings = settings.model, settings
        if settings.api_base:
            raise StrongModelMisconfigured(
                f"{settings.model} runs here: nothing is asked there",
                where="strong.api_base",
                mend="Leave it out, or name a served model: hosted_vllm/NAME",
            )
        per_token = [
            price / 1_000_000 if price else Decimal(0) for price in (settings.input_price, settings.output_price)
        ]
        self.price: Price | None = Price(per_token[0], per_token[1], per_token[0])
        environment = SandboxedEnvironment(undefined=StrictUndefined)
        self._template = environment.from_string(settings.template) if settings.template else None
        self.likelihoods, self._steers = settings.eft is None, steers
        folder = find(_file(settings.model))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="strong")
        try:
            self._decoder: Decoder = self._thread.submit(self._load, folder).result()
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    def _load(self, folder: Path) -> Decoder:
        from providers.decoding import Decoder

        try:
            decoder = Decoder(folder, templated=self._template is not None)
        except (OSError, ValueError, RuntimeError) as error:
            raise StrongModelMisconfigured(
                f"cannot be loaded: {str(error).strip().splitlines()[0]}",
                where=f"strong model {self.name!r}",
                mend="Give a directory with a causal language model and its tokenizer, as transformers saves them",
            ) from error
        if self._settings.adapter is not None:
            self._adapt(decoder, self._settings.adapter)
        if self._settings.eft is not None:
            if self._steers is None or self._steers.vocabulary != decoder.tokens:
                raise StrongModelMisconfigured(
                    f"{self.name} has other tokens than the weak pair",
                    where="strong.eft",
                    mend="Name a pair of the same family (weak.reference), or leave it out",
                )
            decoder.steered = self._steers.begin, self._settings.eft
        return decoder

    def _adapt(self, decoder: Decoder, adapter: str) -> None:
        try:
            decoder.adapt(Path(adapter).expanduser())
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise StrongModelMisconfigured(
                f"{adapter!r} is no adapter on {self.name}: {str(error).strip().splitlines()[0]}",
                where="strong.adapter",
                mend="Give a directory in PEFT's format; aligntree tune --reference MODEL writes one",
            ) from error

    def adopt(self, finding: Mapping[str, Any]) -> None:
        """There is nothing to be found out."""

    async def check(self) -> None:
        """It is loaded."""

    async def probe(self, send: Send | None = None) -> Finding:
        """What is known without asking: text is continued token by token."""
        return Finding(
            model=self.name, mode="completion", choices=self._settings.choices_per_request,
            logprobs=self._settings.logprobs, repeats=False, seed=True, cases={}, usage=Usage(0, 0), latency=0.0,
            likelihoods=self.likelihoods,
        )  # fmt: skip

    async def send(self, request: ContinuationRequest) -> Reply:
        started = time.monotonic()
        loop = asyncio.get_running_loop()
        # Whoever cancels this waits for no forward pass: what the thread has begun it ends.
        continuations, usage = await loop.run_in_executor(self._thread, self._decoded, request)
        told = [asdict(continuation) for continuation in continuations]
        return Reply(
            continuations=continuations,
            usage=usage,
            body=json.dumps({"model": self.name, "choices": told}).encode(),
            latency=time.monotonic() - started,
            price=self.price.of(usage) if self.price else None,
        )

    def _decoded(self, request: ContinuationRequest) -> tuple[tuple[Continuation, ...], Usage]:
        import torch

        from providers.decoding import TooLong

        prompt = self._rendered(request)
        try:
            if request.draft is None:
                found = self._decoder.continuations(prompt, request)
            else:
                found = self._decoder.likelihood(prompt, request.answer, request.draft)
        except (TooLong, torch.OutOfMemoryError) as error:
            what = str(error).strip().splitlines()[0]
            where = f"strong model {self.name!r}"
            raise CallFailed(what, where=where, blame=Blame.REQUEST, billed=False) from error
        return found.continuations, Usage(found.read, found.written)

    def _rendered(self, request: ContinuationRequest) -> str:
        if self._template is None:
            return request.prompt
        return self._template.render(prompt=request.prompt, system=request.system or "")

    def worst_case(self, request: ContinuationRequest) -> tuple[int, int | None]:
        """As with APIs: no token is shorter than a byte."""
        text = self._rendered(request) + request.answer + (request.draft or "")
        read, written = len(text.encode("utf-8", "surrogatepass")) + 8, request.n * request.max_tokens
        most = Usage(read, 0 if request.draft is not None else written)
        return most.input + most.output, self.price.of(most) if self.price else None

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)


def _file(model: str) -> str:
    name = model.removeprefix(PREFIX)
    if name == "smollm2":
        return "embedded"  # as the weak pair calls it
    if name != "embedded":
        return name
    from providers.embedded import model_file

    return str(model_file())
