"""What a call costs the caller: the provider layer against bare LiteLLM and raw httpx; and a run against its latency.

python -m tests.benchmarks.client_cost
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from flows.bench import open_bench
from providers import ContinuationRequest, StrongSettings, open_strong_model
from tests.benchmarks.capacity_model import Latency
from tests.benchmarks.late import served
from tests.conftest import config_for
from tests.formula_api import MODEL
from tests.formula_scorer import open_formula_scorer

AT_ONCE, CALLS, ROUNDS = 64, 640, 5
LATENCY, SEARCHES, REQUESTS = 0.3, 16, 40
MOST_OVER_LITELLM, MOST_OVER_LATENCY = 1.10, 1.05
REQUEST = ContinuationRequest("The tide comes in", " and goes", 4, 8, temperature=0.7, seed=7, logprobs=5)

Call = Callable[[], Awaitable[object]]


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def spent(call: Call) -> tuple[float, int]:
    """CPU milliseconds of this process per call, 64 at once, and the descriptors that were opened at the most."""
    slots, most, before = asyncio.Semaphore(AT_ONCE), 0, descriptors()

    async def one() -> None:
        nonlocal most
        async with slots:
            await call()
            most = max(most, descriptors())

    began = time.process_time()
    await asyncio.gather(*(one() for _ in range(CALLS)))
    return (time.process_time() - began) / CALLS * 1000, most - before


async def compare(base: str) -> dict[str, tuple[float, int]]:
    """Best of some rounds of each, in turn."""
    import httpx
    import litellm
    import openai

    model = f"text-completion-openai/{MODEL}"
    strong = open_strong_model(StrongSettings(model=model, api_base=base, concurrency=AT_ONCE))
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    raw, kept = (httpx.AsyncClient(limits=limits, timeout=60) for _ in range(2))
    client = openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0, http_client=kept)
    body = {"model": MODEL, "prompt": REQUEST.prompt + REQUEST.answer, "n": 4, "max_tokens": 8, "temperature": 0.7,
            "top_p": 1.0, "seed": 7, "logprobs": 5}  # fmt: skip

    async def by_httpx() -> object:
        return (await raw.post(f"{base}/completions", json=body)).json()

    async def by_litellm() -> object:
        return await litellm.atext_completion(
            **{**body, "model": model}, client=client, api_base=base, api_key="none", max_retries=0
        )

    async def by_us() -> object:
        return await strong.send(REQUEST)

    ways: dict[str, Call] = {"raw httpx": by_httpx, "bare LiteLLM": by_litellm, "providers": by_us}
    found = {name: [await spent(call)] for name, call in ways.items()}  # warms up, and opens the connections
    for _ in range(ROUNDS):
        for name, call in ways.items():
            found[name].append(await spent(call))
    await strong.close()
    await client.close()
    await raw.aclose()
    return {name: (min(ms for ms, _ in of[1:]), of[0][1]) for name, of in found.items()}


async def bare(base: str) -> float:
    """Wall time of as many chains of the same requests by raw httpx, over what their latency makes them take."""
    import httpx

    body = {"model": MODEL, "prompt": "Prompt", "n": 4, "max_tokens": 1, "temperature": 0.7, "top_p": 1.0, "seed": 7,
            "logprobs": 5}  # fmt: skip

    async def chain(client: httpx.AsyncClient) -> None:
        for _ in range(REQUESTS):
            (await client.post(f"{base}/completions", json=body)).json()

    async with httpx.AsyncClient(timeout=60) as client:
        began = time.monotonic()
        await asyncio.gather(*(chain(client) for _ in range(SEARCHES)))
        return (time.monotonic() - began) / (REQUESTS * LATENCY)


async def over_latency(base: str) -> float:
    """Wall time of 16 searches at once over what their rounds of requests must take."""
    method = {"name": "beam", "width": 1, "children": 4, "chunk_tokens": 1}  # which the API never ends early
    config = config_for(
        base,
        methods=[method],
        sampling={"max_tokens": REQUESTS},
        strong={"concurrency": 64},
        searches_at_once=SEARCHES,
    )
    with tempfile.TemporaryDirectory() as folder, patch("flows.bench.open_scorer", open_formula_scorer):
        async with open_bench(config, str(Path(folder) / "r.db")) as bench:
            run = await bench.begin([f"Prompt {number}" for number in range(SEARCHES)])
            began = time.monotonic()
            await bench.carry_out(run)
            wall = time.monotonic() - began
            made = [len(bench.record.history(search.id).replies) for search in bench.record.searches(run)]
    assert made == [REQUESTS] * SEARCHES
    return wall / (REQUESTS * LATENCY)


def main() -> None:
    with served(Latency(0.0)) as base:
        found = asyncio.run(compare(base))
    with served(Latency(LATENCY, variation=0.0)) as base:
        alone, over = asyncio.run(bare(base)), asyncio.run(over_latency(base))
    bare_litellm = found["bare LiteLLM"][0]
    table = Table("way", "CPU ms per call", "over bare LiteLLM", "descriptors", title=f"{AT_ONCE} calls at once")
    for name, (milliseconds, most) in found.items():
        table.add_row(name, f"{milliseconds:.2f}", f"{milliseconds / bare_litellm:.2f}", str(most))
    Console().print(table)
    each = f"{REQUESTS} requests each, replies after {LATENCY * 1000:.0f} ms"
    print(f"{SEARCHES} searches at once, {each}: {over:.3f} times the latency limit (raw httpx: {alone:.3f})")
    ours, most = found["providers"]
    if ours > MOST_OVER_LITELLM * bare_litellm or over > MOST_OVER_LATENCY or most > AT_ONCE + 8:
        sys.exit(f"more than {MOST_OVER_LITELLM} of bare LiteLLM, {MOST_OVER_LATENCY} of the latency, or leaking")


if __name__ == "__main__":
    main()
