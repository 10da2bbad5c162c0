"""The HTTP responses of a call, as they came, and no larger than can be meant.

LiteLLM hands out copies that it has changed: the HTTP client's own hook keeps the originals, for the task that called.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

import httpx

_LARGEST = 64 * 2**20
"""Bytes of a body: sixteen choices of a thousand tokens with their top lists are a fifth of it."""


class _Answered(BaseException):
    """The reply is here, as it came. No Exception: whoever stands between takes it for no failure."""


@dataclass
class _Kept:
    responses: list[httpx.Response]
    suffices: bool


_kept: ContextVar[_Kept] = ContextVar("kept")


@contextmanager
def keeping(kept: list[httpx.Response], *, suffices: bool) -> Iterator[None]:
    """Add to `kept` the responses which come in this task meanwhile.

    Where that `suffices`, a success ends the block: nobody on the way works on what is not read.
    """
    token = _kept.set(_Kept(kept, suffices))
    try:
        with suppress(_Answered):
            yield
    finally:
        _kept.reset(token)


async def keep(response: httpx.Response) -> None:
    """The client's hook for responses. A connection that breaks midway raises here: no reply, then."""
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Bounded(response.stream)
    await response.aread()
    if (kept := _kept.get(None)) is not None:
        kept.responses.append(response)
        if kept.suffices and response.is_success:
            raise _Answered


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
