"""What a call costs the caller: the provider layer against bare LiteLLM and raw httpx; and a run against its latency.

python -m tests.benchmarks.client_cost
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
LATENCY, SEARCHES = 0.3, 16
FIRST, REQUESTS = 40, 120
WHOLE = f"all {REQUESTS}"
TURNS = 2  # of which the fastest counts: what else the machine does only adds
DISK, MEMORY = Path(tempfile.gettempdir()), Path("/dev/shm")
RECORDS = {"on disk": DISK} | ({"in memory": MEMORY} if MEMORY.exists() else {})
"""A disk that stalls holds all searches up: what it adds is told apart."""
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


@asynccontextmanager
async def ways(base: str) -> AsyncIterator[dict[str, Call]]:
    """The same call by each, on connections that are kept."""
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

    yield {"raw httpx": by_httpx, "bare LiteLLM": by_litellm, "providers": by_us}
    await strong.close()
    await client.close()
    await raw.aclose()


async def compare(base: str) -> dict[str, tuple[float, int]]:
    """Best of some rounds of each, in turn."""
    async with ways(base) as calls:
        found = {name: [await spent(call)] for name, call in calls.items()}  # warms up, and opens the connections
        for _ in range(ROUNDS):
            for name, call in calls.items():
                found[name].append(await spent(call))
    return {name: (min(ms for ms, _ in of[1:]), of[0][1]) for name, of in found.items()}


async def chains(call: Call) -> float:
    """Wall time of 16 chains of calls, without search or record, over what their latency makes them take."""

    async def chain() -> None:
        for _ in range(FIRST):
            await call()

    began = time.monotonic()
    await asyncio.gather(*(chain() for _ in range(SEARCHES)))
    return (time.monotonic() - began) / (FIRST * LATENCY)


async def over_latency(base: str, folder: Path) -> tuple[float, float]:
    """Wall time of 16 searches at once over what their requests must take: of the first 40 of each, and of all.

    They begin in one moment. Each round takes as much of this process from all of them, so the last is soon as far
    behind as all take together, and stays so: of the first 40 that is much, of a long search it is not.
    """
    method = {"name": "beam", "width": 1, "children": 4, "chunk_tokens": 1}  # which the API never ends early
    config = config_for(
        base,
        methods=[method],
        sampling={"max_tokens": REQUESTS},
        strong={"concurrency": 64},
        searches_at_once=SEARCHES,
    )
    with tempfile.TemporaryDirectory(dir=folder) as own, patch("flows.bench.open_scorer", open_formula_scorer):
        async with open_bench(config, str(Path(own) / "r.db")) as bench:
            run = await bench.begin([f"Prompt {number}" for number in range(SEARCHES)])
            began = time.time()
            await bench.carry_out(run)
            wall = time.time() - began
            made = [bench.record.exchanges(search.id) for search in bench.record.searches(run)]
    assert [len(exchanges) for exchanges in made] == [REQUESTS] * SEARCHES
    first = max(exchanges[FIRST - 1].received or 0 for exchanges in made) / 1000 - began
    return first / (FIRST * LATENCY), wall / (REQUESTS * LATENCY)


async def over_latencies(base: str) -> dict[str, list[float]]:
    """Of each way alone and of searches, in turn."""
    found = defaultdict[str, list[float]](list)
    for _ in range(TURNS):
        async with ways(base) as calls:
            for name, call in calls.items():
                found[f"{name}, {FIRST} requests each"].append(await chains(call))
        for kept, folder in RECORDS.items():
            first, whole = await over_latency(base, folder)
            found[f"searches, record {kept}, {FIRST} of {REQUESTS}"].append(first)
            found[f"searches, record {kept}, {WHOLE}"].append(whole)
    return found


def main() -> None:
    with served(Latency(0.0)) as base:
        costs = asyncio.run(compare(base))
    with served(Latency(LATENCY, variation=0.0)) as base:
        over = asyncio.run(over_latencies(base))
    bare_litellm = costs["bare LiteLLM"][0]
    table = Table("way", "CPU ms per call", "over bare LiteLLM", "descriptors", title=f"{AT_ONCE} calls at once")
    for name, (milliseconds, most) in costs.items():
        table.add_row(name, f"{milliseconds:.2f}", f"{milliseconds / bare_litellm:.2f}", str(most))
    Console().print(table)
    table = Table("", "over the latency limit", f"each of {TURNS}")
    table.title = f"{SEARCHES} at once, replies after {LATENCY * 1000:.0f} ms"
    for name, found in over.items():
        table.add_row(name, f"{min(found):.3f}", " ".join(f"{one:.3f}" for one in found))
    Console().print(table)
    ours, most = costs["providers"]
    # Of whole searches: what is lost once, as they begin together, weighs more on their first requests. It is told.
    longest = max(min(found) for name, found in over.items() if name.endswith(WHOLE))
    if ours > MOST_OVER_LITELLM * bare_litellm or longest > MOST_OVER_LATENCY or most > AT_ONCE + 8:
        sys.exit(f"more than {MOST_OVER_LITELLM} of bare LiteLLM, {MOST_OVER_LATENCY} of the latency, or leaking")


if __name__ == "__main__":
    main()
