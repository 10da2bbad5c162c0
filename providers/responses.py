"""The HTTP responses of a call, as they came, and no larger than can be meant.

LiteLLM hands out copies that it has changed: the HTTP client's own hook keeps the originals, for the task that called.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextvars import ContextVar

import httpx

_LARGEST = 64 * 2**20
"""Bytes of a body: sixteen choices of a thousand tokens with their top lists are a fifth of it."""

_responses: ContextVar[list[httpx.Response]] = ContextVar("responses")


def keeping() -> list[httpx.Response]:
    """A list that gets the responses which come in this task from now on."""
    kept: list[httpx.Response] = []
    _responses.set(kept)
    return kept


async def keep(response: httpx.Response) -> None:
    """The client's hook for responses. A connection that breaks midway raises here: no reply, then."""
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Bounded(response.stream)
    await response.aread()
    if (kept := _responses.get(None)) is not None:
        kept.append(response)


class _Bounded(httpx.AsyncByteStream):
    """A body that ends in an error where it grows beyond measure: a server gone wrong must not take our memory."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > _LARGEST:
                raise httpx.ReadError(f"a reply of more than {_LARGEST} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
