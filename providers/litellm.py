"""Every hosted or self-hosted API, through LiteLLM: exactly one HTTP request per call, on a kept client."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no fetch at import

import httpx
import litellm
import openai

from providers.base import ContinuationRequest, Finding, Reply, Usage
from providers.errors import Blame, CallFailed, StrongModelMisconfigured, StrongModelUnreachable
from providers.price import Price
from providers.settings import StrongSettings
from providers.wire import Malformed, continuations, usage

litellm.suppress_debug_info = True

_CONTINUES_TEXT = ("text-completion-openai", "hosted_vllm", "llamafile")
_OPENAI = "https://api.openai.com/v1"
_WEATHER = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_SETTINGS = frozenset({401, 403, 404})
_PROBE_TEXT = "The weather today is"

_response: ContextVar[list[httpx.Response]] = ContextVar("response")
"""The HTTP response of the call under way in this task, kept by the client's hook: the body as it came."""


class LiteLLMStrongModel:
    """A strong model in completion mode: raw text in, its continuation out.

    Raises StrongModelMisconfigured for a model name that LiteLLM would turn into a chat turn, or without a key where
    the endpoint needs one.
    """

    def __init__(self, settings: StrongSettings) -> None:
        self.name = settings.model
        self._settings = settings
        self.price = _price(settings)
        self._base = _base_url(settings)
        # A key is sent to the endpoint it was named for: none by default to a server of one's own.
        self._key_variable = settings.api_key_env or ("" if settings.api_base else "OPENAI_API_KEY")
        self._key = os.environ.get(self._key_variable, "").strip()
        if self._key_variable and not (self._key and self._key.isascii()):
            raise StrongModelMisconfigured(
                f"no usable key: the environment variable {self._key_variable} is not set or not plain ASCII",
                where=self._where,
                mend=f"export {self._key_variable}=..., or name another variable in strong.api_key_env",
            )
        self._client = openai.AsyncOpenAI(
            base_url=self._base,
            api_key=self._key or "none",
            max_retries=0,
            timeout=settings.timeout,
            http_client=httpx.AsyncClient(
                limits=httpx.Limits(
                    max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
                ),
                timeout=settings.timeout,
                event_hooks={"response": [_keep]},
            ),
        )

    @property
    def _where(self) -> str:
        return f"strong model {self.name} at {self._base}"

    async def probe(self) -> Finding:
        """List the models (free), then ask for as many choices of one token as later requests will."""
        await self._model_is_listed()
        try:
            reply = await self._probe_with(self._settings.choices_per_request)
        except CallFailed as failed:
            if failed.blame is not Blame.REQUEST:
                raise _at_start(failed) from None
            # A server with fewer slots refuses so many (llama.cpp): ask for one.
            try:
                reply = await self._probe_with(1)
            except CallFailed as again:
                raise _at_start(again) from None
        first = reply.continuations[0].tokens
        return Finding(
            model=self.name,
            choices=len(reply.continuations),
            logprobs=len(first[0].top) if first else 0,
            usage=reply.usage,
            details={"latency": round(reply.latency, 3), "price": reply.price},
        )

    async def _probe_with(self, n: int) -> Reply:
        return await self.send(ContinuationRequest(_PROBE_TEXT, n, 1, logprobs=self._settings.logprobs, seed=1))

    async def _model_is_listed(self) -> None:
        try:
            listed = [m.id async for m in self._client.models.list()]
        except openai.APIConnectionError:
            raise StrongModelUnreachable(
                "nothing answers there", where=self._where, mend="Start the server, or correct strong.api_base"
            ) from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._wrong_key(error.status_code) from None  # its body may echo the key
        except (openai.APIError, AttributeError, TypeError, ValueError):
            return  # no list, or not in OpenAI's shape: the paid probe will tell
        wanted = self.name.partition("/")[2]
        if listed and wanted not in listed:
            raise StrongModelMisconfigured(
                f"no model {wanted!r} there", where=self._where, mend=f"It serves: {', '.join(sorted(listed)[:8])}"
            )

    def _wrong_key(self, status: int) -> StrongModelMisconfigured:
        return StrongModelMisconfigured(
            f"the key was refused (HTTP {status})",
            where=self._where,
            mend=f"Check {self._key_variable or 'strong.api_key_env'}",
        )

    def worst_case(self, request: ContinuationRequest) -> tuple[int, int | None]:
        """No token is shorter than a byte: the text's bytes bound its tokens, n x max_tokens the answer's."""
        most = Usage(
            input=len(request.text.encode("utf-8", "surrogatepass")) + 8, output=request.n * request.max_tokens
        )
        return most.input + most.output, self.price.of(most) if self.price else None

    async def send(self, request: ContinuationRequest) -> Reply:
        seen: list[httpx.Response] = []
        _response.set(seen)
        started = time.monotonic()
        with self._failures_told(seen):
            await litellm.atext_completion(
                model=self.name,
                client=self._client,
                api_base=self._base,
                api_key=self._key or "none",
                timeout=self._settings.timeout,
                max_retries=0,
                **_parameters(request),
            )
            latency = time.monotonic() - started
            # The body itself: LiteLLM's copy of it turns finish reasons that it does not know into "stop".
            told = _completions(seen)
            found = continuations(told["choices"], request)
            spent = usage(told.get("usage"), found, request, litellm.token_counter(text=request.text))
        return Reply(
            continuations=found,
            usage=spent,
            body=self._redacted(seen[-1].content),
            latency=latency,
            price=self.price.of(spent) if self.price else None,
            request_id=seen[-1].headers.get("x-request-id"),
        )

    @contextmanager
    def _failures_told(self, seen: list[httpx.Response]) -> Iterator[None]:
        """Turn whatever goes wrong into a CallFailed without keys in it."""
        try:
            yield
        except Exception as error:
            raise self._failure(error, seen[-1] if seen else None) from None

    def _failure(self, error: Exception, response: httpx.Response | None) -> CallFailed:
        if response is None:
            refused = any(isinstance(e, httpx.ConnectError | httpx.ConnectTimeout) for e in _chain(error))
            what = "connection refused" if refused else f"no reply ({type(error).__name__})"
            return CallFailed(what, where=self._where, blame=Blame.WEATHER, billed=not refused)
        status, body = response.status_code, self._redacted(response.content)
        if status < 400:
            what = str(error) if isinstance(error, Malformed) else f"unreadable reply ({type(error).__name__})"
            return CallFailed(what, where=self._where, blame=Blame.WEATHER, billed=True, status=status, body=body)
        if status in _SETTINGS:
            blame, mend = (
                Blame.SETTINGS,
                f"Check strong.model, strong.api_base and {self._key_variable or 'strong.api_key_env'}",
            )
        elif status in _WEATHER or status >= 500:
            blame, mend = Blame.WEATHER, ""
        else:
            blame, mend = Blame.REQUEST, ""
        return CallFailed(
            f"HTTP {status}: {body[:300].decode('utf-8', 'replace')}",
            where=self._where,
            blame=blame,
            billed=status >= 500,
            status=status,
            body=body,
            retry_after=_retry_after(response),
            mend=mend,
        )

    def _redacted(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"[key]") if self._key else body

    async def close(self) -> None:
        await self._client.close()


async def _keep(response: httpx.Response) -> None:
    await response.aread()  # a connection that breaks midway raises here: no reply, then
    if (kept := _response.get(None)) is not None:
        kept.append(response)


def _completions(seen: list[httpx.Response]) -> dict[str, Any]:
    body = seen[-1].json() if seen else None
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        raise Malformed("no choices in the reply")
    return body


def _price(settings: StrongSettings) -> Price | None:
    """The user's own price, else LiteLLM's map read offline; None where neither knows the model."""
    if settings.input_price is not None and settings.output_price is not None:
        fresh = settings.input_price / 1_000_000
        return Price(fresh, settings.output_price / 1_000_000, fresh)
    entry = litellm.model_cost.get(settings.model) or litellm.model_cost.get(settings.model.partition("/")[2]) or {}
    costs = [entry.get(name) for name in ("input_cost_per_token", "output_cost_per_token")]
    if None in costs:
        return None
    given, taken = (Decimal(str(cost)) for cost in costs)
    return Price(given, taken, Decimal(str(entry.get("cache_read_input_token_cost", given))))


def _base_url(settings: StrongSettings) -> str:
    route = settings.model.partition("/")[0]
    if route not in _CONTINUES_TEXT:
        raise StrongModelMisconfigured(
            f"{settings.model!r} does not name a model that continues raw text",
            where="strong.model",
            mend=f"Use 'embedded' or one of {', '.join(f'{r}/NAME' for r in _CONTINUES_TEXT)}; "
            "LiteLLM would turn others into a new chat turn",
        )
    if settings.api_base is None and route != "text-completion-openai":
        raise StrongModelMisconfigured(
            f"{route} needs the address of its server", where="strong.api_base", mend="Such as http://127.0.0.1:8000/v1"
        )
    return settings.api_base or _OPENAI


def _parameters(request: ContinuationRequest) -> dict[str, Any]:
    given: dict[str, Any] = {
        "prompt": request.text,
        "n": request.n,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    if request.logprobs:
        given["logprobs"] = request.logprobs
    if request.seed is not None:
        given["seed"] = request.seed
    if request.stop:
        given["stop"] = list(request.stop)
    if request.top_k is not None:
        given["extra_body"] = {"top_k": request.top_k}
    return given


def _at_start(failed: CallFailed) -> CallFailed | StrongModelUnreachable | StrongModelMisconfigured:
    """A failed probe is the user's to mend unless it is the weather's."""
    if failed.status is None:
        return StrongModelUnreachable(
            failed.what, where=failed.where, mend="Start the server, or correct strong.api_base"
        )
    if failed.blame is Blame.WEATHER:
        return failed
    mend = failed.mend or "Lower strong.logprobs, or check strong.model"
    return StrongModelMisconfigured(failed.what, where=failed.where, mend=mend)


def _retry_after(response: httpx.Response) -> float | None:
    told = response.headers.get("retry-after")
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
        except ValueError:
            return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
