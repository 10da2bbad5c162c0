"""The HTTP client: what went wrong is told by whether a request was ever sent, as that decides what may be billed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from providers.http import http_client

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(reply: Reply) -> AsyncIterator[str]:
    """A server that reads a request and does what `reply` does; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        try:
            await reply(writer)
        finally:
            writer.close()

    served = list[bytes]()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert served
    server.close()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Without a word."""


async def break_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")


async def stall(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1)


async def stall_midway(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
    await asyncio.sleep(1)


async def no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"what?\r\n\r\n")


async def greet(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (hang_up, httpx.ReadError),
        (break_off, httpx.ReadError),
        (no_http, httpx.ReadError),
        (stall, httpx.ReadTimeout),
        (stall_midway, httpx.ReadTimeout),
    ],
)
async def test_what_was_sent_may_be_billed(reply: Reply, told: type[Exception]) -> None:
    async with serving(reply) as url, http_client(2, 0.3) as client:
        with pytest.raises(told):
            await client.post(url, json={"n": 1})


async def test_what_was_never_sent_is_told_as_such() -> None:
    async with serving(greet) as url, http_client(2, 5) as client:
        assert (await client.post(url)).text == "hello"
    async with http_client(2, 5) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(url)


async def test_waiting_for_a_connection_in_vain_is_no_request() -> None:
    async with serving(stall) as url, http_client(1, 0.3) as client:
        first = asyncio.create_task(client.post(url, timeout=5))
        await asyncio.sleep(0.1)
        with pytest.raises(httpx.ConnectTimeout):
            await client.post(url)
        first.cancel()


async def test_a_proxy_of_the_environment_is_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(greet) as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with http_client(2, 5) as client:
            assert (await client.get("http://strong.example/v1/models")).text == "hello"
