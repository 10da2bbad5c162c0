"""Every hosted or self-hosted API, through LiteLLM: exactly one HTTP request per call, on a kept client."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no fetch at import
os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")  # nor at the first request to a Claude

import httpx
import litellm
import openai
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

from providers.base import Continuation, ContinuationRequest, Finding, Reply, Send, Usage
from providers.endpoints import Endpoint, endpoint_of, retirement
from providers.errors import StrongModelMisconfigured, StrongModelUnreachable
from providers.failures import failure
from providers.http import http_client
from providers.modes import extra_fields, messages, not_new
from providers.price import price_of
from providers.probe import probe
from providers.responses import keeping
from providers.settings import OF_LOCAL_MODELS, StrongSettings
from providers.turns import AT_ONCE, turn
from providers.wire import Choice, choices, continuation, drafted, usage

litellm.suppress_debug_info = True

_PER_MESSAGE = 16
_OVERHEAD = 64
"""Tokens that an endpoint may put around each message and around all: marks of roles, a system text of its own."""


class _Client(openai.AsyncOpenAI):
    """Joins each path to the base URL once: it takes a tenth of what a call costs."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._prepare_url = cache(super()._prepare_url)  # type: ignore[method-assign]


class LiteLLMStrongModel:
    """A strong model behind an endpoint that the table knows, or that the user's settings describe.

    Raises StrongModelMisconfigured: an unknown endpoint, a template where the endpoint has one of its own, no key where
    it needs one. `role`: whose settings these are, for what is told of them.
    """

    def __init__(self, settings: StrongSettings, role: str = "strong") -> None:
        self.name = settings.model
        self._settings, self._role = settings, role
        self._endpoint = endpoint_of(settings.model, settings.endpoint, role)
        self.mode = self._endpoint.mode
        self.likelihoods = self._endpoint.prompt_logprobs and self._endpoint.wire == "completions"
        self._repeats = False
        listed = litellm.model_cost.get(settings.model) or litellm.model_cost.get(self._served) or {}
        self.price, self.retires = price_of(settings, listed), retirement(listed)
        self._base = _base_url(settings, self._endpoint, role)
        # A key is sent to the endpoint it was named for: none by default to a server of one's own.
        self._key_variable = settings.api_key_env or ("" if settings.api_base else self._endpoint.key_env or "")
        self._key = os.environ.get(self._key_variable, "").strip()
        if self._key_variable and not (self._key and self._key.isascii()):
            raise StrongModelMisconfigured(
                f"no usable key: the environment variable {self._key_variable} is not set or not plain ASCII",
                where=self._where,
                mend=f"export {self._key_variable}=..., or name another variable in {role}.api_key_env",
            )
        _check(settings, self._endpoint)
        environment = SandboxedEnvironment(undefined=StrictUndefined)
        self._template = environment.from_string(settings.template) if settings.template else None
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._http = http_client(settings.concurrency, settings.timeout)
        self._client = _Client(
            base_url=self._base, api_key=self._key or "none", max_retries=0, timeout=settings.timeout,
            http_client=self._http,
        )  # fmt: skip

    @property
    def _where(self) -> str:
        return f"{self._role} model {self.name} at {self._base}"

    def adopt(self, finding: Mapping[str, Any]) -> None:
        """What a probe found holds from now on: this one's, or that of the run that is gone on with."""
        self._repeats = bool(finding.get("repeats"))

    async def probe(self, send: Send | None = None) -> Finding:
        found = await probe(send or self.send, self._settings, self._endpoint)
        self.adopt(asdict(found))
        return found

    async def check(self) -> None:
        if self._endpoint.wire == "messages":
            return
        try:
            listed = [m.id async for m in self._client.models.list()]
        except openai.APIConnectionError:
            raise StrongModelUnreachable(
                "nothing answers there", where=self._where, mend=f"Start the server, or correct {self._role}.api_base"
            ) from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._wrong_key(error.status_code) from None  # its body may echo the key
        except (openai.APIError, AttributeError, TypeError, ValueError):
            return  # no list, or not in OpenAI's shape: the paid probe will tell
        if listed and self._served not in listed:
            raise StrongModelMisconfigured(
                f"no model {self._served!r} there",
                where=self._where,
                mend=f"It serves: {', '.join(sorted(listed)[:8])}",
            )

    @property
    def _served(self) -> str:
        """The model's name at its endpoint, without LiteLLM's provider."""
        return self.name.partition("/")[2]

    def _wrong_key(self, status: int) -> StrongModelMisconfigured:
        return StrongModelMisconfigured(
            f"the key was refused (HTTP {status})",
            where=self._where,
            mend=f"Check {self._key_variable or f'{self._role}.api_key_env'}",
        )

    def worst_case(self, request: ContinuationRequest) -> tuple[int, int | None]:
        """No token is shorter than a byte: the texts' bytes bound their tokens, n x max_tokens the answer's."""
        sent = self._texts(request)
        around = 8 if self._endpoint.wire == "completions" else _OVERHEAD + _PER_MESSAGE * len(sent)
        given = sum(len(text.encode("utf-8", "surrogatepass")) for text in sent) + around
        most = Usage(input=given, output=request.n * request.max_tokens)
        return most.input + most.output, self.price.of(most) if self.price else None

    def _texts(self, request: ContinuationRequest) -> list[str]:
        """All text that a request holds."""
        if self._endpoint.wire == "completions":
            return [self._text(request)]
        return [message["content"] for message in messages(request, self._endpoint.mode)]

    def _text(self, request: ContinuationRequest) -> str:
        """Prompt and answer so far as one text."""
        answer = request.answer + (request.draft or "")
        if self._template is None:
            return request.prompt + answer
        return self._template.render(prompt=request.prompt, system=request.system or "") + answer

    async def send(self, request: ContinuationRequest) -> Reply:
        seen: list[httpx.Response] = []
        with self._failures_told(seen):
            async with turn(self._turns):
                started = time.monotonic()
                async with asyncio.timeout(self._settings.timeout):  # httpx's own is for each read: a drip never ends
                    with keeping(seen, suffices=not _is_logged()):
                        await self._call(request)
            latency = time.monotonic() - started
            # The body itself: LiteLLM's copy of it turns finish reasons that it does not know into "stop".
            body: Any = seen[-1].json() if seen else None
            found = tuple(self._read(choice, request) for choice in choices(body, self._endpoint.wire)[: request.n])
            spent = usage(body.get("usage"), found, request, lambda: "".join(self._texts(request)), _count)
            read = None if request.draft is None else drafted(body, request.draft)
        return Reply(
            continuations=found if read is None else (read,),
            usage=spent,
            body=self._redacted(seen[-1].content),
            latency=latency,
            price=self.price.of(spent) if self.price else None,
            request_id=seen[-1].headers.get("x-request-id"),
        )

    async def _call(self, request: ContinuationRequest) -> None:
        endpoint = self._endpoint
        common: dict[str, Any] = {
            "api_key": self._key or "none", "timeout": self._settings.timeout, "max_retries": 0,
            **_parameters(request, endpoint),
        }  # fmt: skip
        if endpoint.wire == "completions":
            await litellm.atext_completion(
                model=f"text-completion-openai/{self._served}", client=self._client, api_base=self._base,
                prompt=self._text(request), **common,
            )  # fmt: skip
        elif endpoint.wire == "chat":
            await litellm.acompletion(
                model=f"openai/{self._served}", client=self._client, api_base=self._base,
                messages=messages(request, endpoint.mode), **common,
            )  # fmt: skip
        else:
            handler = AsyncHTTPHandler(timeout=self._settings.timeout)
            handler.client = self._http
            await litellm.acompletion(
                model=f"anthropic/{self._served}", client=handler, api_base=self._base,
                messages=messages(request, endpoint.mode), **common,
            )  # fmt: skip

    def _read(self, choice: Choice, request: ContinuationRequest) -> Continuation:
        mode = self._endpoint.mode
        return continuation(choice, request, not_new(choice.text, request, mode, repeats=self._repeats))

    @contextmanager
    def _failures_told(self, seen: list[httpx.Response]) -> Iterator[None]:
        """Turn whatever goes wrong into a CallFailed without keys in it."""
        try:
            yield
        except Exception as error:
            role = self._role
            mend = f"Check {role}.model, {role}.api_base and {self._key_variable or f'{role}.api_key_env'}"
            raise failure(
                error, seen[-1] if seen else None, self._redacted, where=self._where, mend=mend, role=role
            ) from None

    def _redacted(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"[key]") if self._key else body

    async def close(self) -> None:
        await self._client.close()


# LiteLLM moves callbacks that are coroutines to lists of their own.
_CALLBACKS = "callbacks", *(f"{which}_callback" for which in ("success", "failure", "_async_success", "_async_failure"))


def _is_logged() -> bool:
    """Somebody reads LiteLLM's log of calls: it needs LiteLLM's own copy of the reply, half of a call's CPU time."""
    return any(getattr(litellm, name, None) for name in _CALLBACKS)


def _count(text: str) -> int:
    """Tokens of a text, by a tokenizer that need not be the model's."""
    return int(litellm.token_counter(text=text))


def _base_url(settings: StrongSettings, endpoint: Endpoint, role: str) -> str:
    base = settings.api_base or endpoint.api_base
    if base is None:
        raise StrongModelMisconfigured(
            f"{settings.model} needs the address of its server", where=f"{role}.api_base",
            mend="Such as http://127.0.0.1:8000/v1",
        )  # fmt: skip
    return base


def _check(settings: StrongSettings, endpoint: Endpoint) -> None:
    if endpoint.mode == "emulated" and not settings.allow_approximate:
        raise StrongModelMisconfigured(
            f"{settings.model} cannot continue an unfinished answer: it can only be asked to go on, another draw",
            where="strong.endpoint.mode",
            mend="Name a mode that it offers (docs/models.md); or set strong.endpoint.mode=whole for best_of_n and "
            "refine, or aligntree as a tree of rollouts; or allow the approximation with --allow-approximate",
        )
    for name, what in OF_LOCAL_MODELS.items():
        if getattr(settings, name):
            mend = "Leave it out, or name a model on this machine: strong.model=local/FOLDER"
            raise StrongModelMisconfigured(f"{settings.model} {what}", where=f"strong.{name}", mend=mend)
    if endpoint.wire != "completions" and settings.template:
        raise StrongModelMisconfigured(
            f"{settings.model} is sent messages (mode {endpoint.mode}), which it renders itself",
            where="strong.template",
            mend="Leave it out; strong.system is for instructions",
        )
    if endpoint.wire == "completions" and settings.system and not settings.template:
        raise StrongModelMisconfigured(
            f"{settings.model} is sent raw text, which has no place for it", where="strong.system",
            mend="Give strong.template as well, with {{ system }} and {{ prompt }} in it",
        )  # fmt: skip


def _parameters(request: ContinuationRequest, endpoint: Endpoint) -> dict[str, Any]:
    given: dict[str, Any] = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    extra = extra_fields(request, endpoint.mode)
    if endpoint.wire != "messages":
        given["n"] = request.n
    if logprobs := min(request.logprobs, request.logprobs if endpoint.logprobs is None else endpoint.logprobs):
        chat = {"logprobs": True, "top_logprobs": logprobs}
        given |= {"logprobs": logprobs} if endpoint.wire == "completions" else chat
    if request.seed is not None and endpoint.seed == "seed":
        given["seed"] = request.seed
    elif request.seed is not None and endpoint.seed:
        extra[endpoint.seed] = request.seed
    if request.stop:
        given["stop"] = list(request.stop)
    if request.top_k is not None and endpoint.top_k:
        extra["top_k"] = request.top_k
    if request.draft is not None:
        extra["prompt_logprobs"] = 0
    if endpoint.wire == "completions":  # sent as they are: to look through their types takes a twentieth of a call
        return {"extra_body": given | extra}
    return given | ({"extra_body": extra} if extra else {})
