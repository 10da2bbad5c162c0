"""How likely texts are to served models: prompt log-probabilities over HTTP, as vLLM's completions give them.

`prompt_logprobs` is a field of vLLM's own. In a reply's choice it has an entry for each token of the prompt: null for
the first, else {"TOKEN ID": {"logprob": nats, ...}}, in which likelier tokens may stand beside the prompt's own.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import httpx

from providers.errors import Blame, CallFailed
from providers.failures import failure
from providers.http import http_client
from providers.policy import retrying

T = TypeVar("T")

Prompt = str | Sequence[int]
"""Text, or token ids."""


class PromptLikelihoods:
    """Models of one server. Its methods block; requests run on an event loop of its own, until `close` cuts them off.

    Each try ends after `timeout` seconds, and so does trying again. Raises CallFailed then; its blame is SETTINGS where
    the user has something to mend, ENDPOINT where the server does not answer, REQUEST where it refuses a text.
    """

    def __init__(self, api_base: str, *, api_key_env: str | None, concurrency: int, timeout: float) -> None:
        self._base, self._timeout, self._key_variable = api_base, timeout, api_key_env
        self._patience = timeout  # of trying again; none once the server was given up, until it answers
        self._key = os.environ.get(api_key_env, "").strip() if api_key_env else ""
        if api_key_env and not (self._key and self._key.isascii()):
            raise _unusable(
                f"no usable key: the environment variable {api_key_env} is not set or not plain ASCII",
                where=f"weak models at {api_base}",
                mend=f"export {api_key_env}=..., or name another variable in weak.served.api_key_env",
            )
        self._slots = asyncio.Semaphore(concurrency)
        self._http = http_client(concurrency, timeout, api_base, self._key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="likelihoods", daemon=True)
        self._thread.start()

    def log_probs(self, models: Sequence[str], rows: Sequence[Sequence[int]]) -> list[list[list[float]]]:
        """For each model, and each row of token ids: nats of each token after those before it, NaN of the first."""
        asked = [(model, row) for model in models for row in rows]
        replies = self._run(self._all(asked))
        found = [_log_probs(entries, row, self._where(m)) for entries, (m, row) in zip(replies, asked, strict=True)]
        return [found[i * len(rows) : (i + 1) * len(rows)] for i in range(len(models))]

    def token_ids(self, model: str, text: str) -> list[int]:
        """Of a text as the model's server reads it, special tokens that it adds included, but for the first token.

        It is a start's first question: who does not answer is not asked again, and who refuses it cannot be used.
        """
        try:
            entries = self._run(self._entries(model, text, answered=True))
            return [int(next(iter(entry))) for entry in entries[1:]]
        except CallFailed as failed:
            if failed.blame is not Blame.REQUEST:
                raise
            raise _unusable(failed.what, where=failed.where, mend=_VLLM) from None
        except (TypeError, ValueError, StopIteration):
            raise _no_likelihoods(self._where(model)) from None

    def close(self) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._http.aclose()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _where(self, model: str) -> str:
        return f"weak model {model} at {self._base}"

    async def _all(self, asked: Sequence[tuple[str, Prompt]]) -> list[list[Any]]:
        """The first that fails ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._entries(model, prompt)) for model, prompt in asked]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _entries(self, model: str, prompt: Prompt, *, answered: bool = False) -> list[Any]:
        """A reply's entries, one for each token of the prompt."""
        try:
            async with self._slots:
                async for trial in retrying(self._patience, answered=answered):
                    with trial:
                        response = await self._send(model, prompt)
            self._patience = self._timeout
        except CallFailed as failed:
            raise await self._told(failed, model) from None
        try:
            entries = response.json()["choices"][0]["prompt_logprobs"]
        except (ValueError, LookupError, TypeError):
            entries = None
        if not isinstance(entries, list):
            raise _no_likelihoods(self._where(model))
        return entries

    async def _send(self, model: str, prompt: Prompt) -> httpx.Response:
        asked = {"model": model, "prompt": prompt, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
        response = None
        try:
            async with asyncio.timeout(self._timeout):  # httpx's own is for each read: a drip never ends
                response = await self._http.post("completions", json=asked)
                return response.raise_for_status()
        except (httpx.HTTPError, TimeoutError) as error:
            key = self._key_variable or "weak.served.api_key_env"
            mend = f"Check weak.served.api_base, which ends in /v1, and {key}"
            raise failure(error, response, self._redacted, where=self._where(model), mend=mend) from None

    async def _told(self, failed: CallFailed, model: str) -> CallFailed:
        """The failure of a request that is given up, as the user can mend it."""
        if failed.blame is Blame.WEATHER:
            self._patience = 0.0
            mend = "Start the server, correct weak.served.api_base, or raise weak.served.timeout"
            return CallFailed(failed.what, where=failed.where, blame=Blame.ENDPOINT, billed=False, mend=mend)
        if failed.status == 404 and (served := await self._served()) and model not in served:
            mend = f"It serves: {', '.join(served[:8])}; name two of them in weak.served"
            return _unusable("no such model there", where=failed.where, mend=mend)
        return failed

    async def _served(self) -> list[str]:
        """Names of its models; none where it does not tell."""
        try:
            return sorted(str(model["id"]) for model in (await self._http.get("models")).json()["data"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            return []

    def _redacted(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"[key]") if self._key else body


def _log_probs(entries: Sequence[Any], row: Sequence[int], where: str) -> list[float]:
    if len(entries) != len(row):
        raise _unusable(
            f"log-probabilities of {len(entries)} tokens came back for {len(row)} sent",
            where=where,
            mend="Name vLLM's own address in weak.served.api_base: what stands before it changes or cuts texts",
        )
    found = [math.nan]
    for at in range(1, len(row)):
        try:
            found.append(float(entries[at][str(row[at])]["logprob"]))
        except (LookupError, TypeError, ValueError):
            raise _unusable(
                f"no log-probability came back of token number {at}, which is {row[at]}",
                where=where,
                mend="Start vLLM with --no-enable-prefix-caching (docs/weak-pairs.md)",
            ) from None
    return found


_VLLM = "Serve the pair with vLLM, whose completions take prompt_logprobs (docs/weak-pairs.md)"


def _no_likelihoods(where: str) -> CallFailed:
    return _unusable("its replies hold no log-probabilities of the prompt", where=where, mend=_VLLM)


def _unusable(what: str, *, where: str, mend: str) -> CallFailed:
    return CallFailed(what, where=where, blame=Blame.SETTINGS, billed=False, mend=mend)
