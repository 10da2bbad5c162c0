"""The HTTP client of all providers: httpx's, over aiohttp's connections.

httpx's own pool goes through all its connections for every request: with 64 at once that is most of what a call costs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from urllib.request import getproxies

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from providers.responses import keep
from providers.turns import sent

_KEPT = 5.0
"""Seconds that an idle connection is kept: servers close theirs after as many, and what is sent then is lost."""


def http_client(connections: int, timeout: float, base_url: str = "", key: str = "") -> httpx.AsyncClient:
    """Of so many `connections` at most; responses are kept for who called. Behind a proxy it is httpx's own."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEPT)
    headers: Mapping[str, str] = {"authorization": f"Bearer {key}"} if key else {}
    proxied = getproxies().keys() - {"no"}
    return httpx.AsyncClient(
        transport=None if proxied else _Transport(limits=limits), limits=limits, timeout=timeout, base_url=base_url,
        headers=headers, event_hooks={"request": [sent], "response": [keep] if proxied else []},
    )  # fmt: skip


class _Transport(AiohttpTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _told_as_httpx():
            response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream)
        await keep(response)  # a hook comes later: httpx looks for cookies first
        return response


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _told_as_httpx():
            async for part in self._stream:
                yield part

    async def aclose(self) -> None:
        with _told_as_httpx():
            await self._stream.aclose()


@contextmanager
def _told_as_httpx() -> Iterator[None]:
    """Whether a request may have been billed hangs on whether it was ever sent. The package calls a connection that
    broke ConnectTimeout, as it does one that was never made: what aiohttp said of it is told anew.
    """
    try:
        yield
    except (httpx.TransportError, aiohttp.ClientError, TimeoutError) as error:
        cause = (error.__cause__ if isinstance(error, httpx.TransportError) else None) or error
        raise _kind(cause)(str(cause)) from cause


def _kind(cause: BaseException) -> type[httpx.TransportError]:
    if isinstance(cause, aiohttp.ClientConnectorError):
        return httpx.ConnectError
    if isinstance(cause, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout
    return httpx.ReadTimeout if isinstance(cause, TimeoutError) else httpx.ReadError
