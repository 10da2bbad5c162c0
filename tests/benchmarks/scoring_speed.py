"""The weak pair's work on the candidates of real searches: incremental against re-scoring whole texts, and 16 at once.

python -m tests.benchmarks.scoring_speed
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console
from rich.table import Table

from flows import align
from flows.config import parse_config
from flows.prompts import read_prompts
from flows.records import open_record
from scoring import BatchScorer, Candidate, WeakSettings
from scoring.log_ratio import LogRatio
from scoring.prefixes import Prefixes

Asks = list[list[Candidate]]
"""Of one search: the new children of each expansion, in order."""

AT_ONCE = 16
FEWER_TOKENS, LESS_TIME = 5, 3


def recorded(searches: int, tokens: int) -> list[Asks]:
    """Searches of the built-in models: K = 4, L = 8, until the first answers are whole. In a process of its own, whose
    memory is not the scorer's.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        return apart.submit(_recorded, searches, tokens).result()


def _recorded(searches: int, tokens: int) -> list[Asks]:
    method = {"name": "aligntree", "children": 4, "chunk_tokens": 8, "limits": {"iterations": tokens // 8 + 8}}
    config = parse_config(
        {
            "strong": {"model": "embedded", "choices_per_request": 16, "vocabulary": 262144},
            "weak": {"adapter": "sentiment"}, "sampling": {"max_tokens": tokens}, "methods": [method],
            "searches_at_once": 8,
        },
        "of the benchmark",
    )  # fmt: skip
    prompts = read_prompts((), "held_out")[:searches]
    with tempfile.TemporaryDirectory() as folder:
        url = str(Path(folder) / "bench.db")
        summary = asyncio.run(align(prompts, config, record=url))
        with open_record(url) as record:
            return [asks_of(record.history(search.id), search.prompt) for search in record.searches(summary.run_id)]


def asks_of(history: Any, prompt: str) -> Asks:
    texts: dict[str, str] = {}
    found = []
    for tell in history.tells:
        if tell.kind == "grown":
            children = [history.nodes[node] for node, _ in tell.outcome["children"]]
            for child in children:
                texts[child.id] = texts.get(child.parent_id, "") + child.text
            found.append([Candidate(prompt, texts[child.id], child.finish == "stop") for child in children])
    return found


async def scored(batches: BatchScorer, searches: Sequence[Asks], memory: int) -> tuple[float, int]:
    """Seconds, and tokens through each model, of searches at once that begin with nothing read."""
    scorer = cast(LogRatio, batches.scorer)
    scorer.prefixes, before = Prefixes(memory), scorer.tokens_read

    async def search(asks: Asks) -> None:
        for candidates in asks:
            await batches.score(candidates)

    started = time.perf_counter()
    await asyncio.gather(*map(search, searches))
    seconds = time.perf_counter() - started
    return seconds, scorer.tokens_read - before


def peak_memory() -> str:
    gpu = f" + {torch.cuda.max_memory_allocated() / 1e9:.2f} GB of the GPU" if torch.cuda.is_available() else ""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB{gpu}"


async def measure(new_tokens: int, memory: int) -> bool:
    searches = recorded(AT_ONCE, new_tokens)
    batches = await BatchScorer.open(partial(LogRatio, WeakSettings()))
    scorer = cast(LogRatio, batches.scorer)
    await scored(batches, searches[:1], memory)  # the first passes are slow

    headings = "", "candidates", "tokens per model", "seconds", "candidates/s", "kept, MB"
    table = Table(*headings, title=f"Weak pair on {scorer.traits['device']}, {scorer.traits['number_format']}")

    async def line(name: str, searches: Sequence[Asks], memory: int) -> tuple[float, int]:
        seconds, tokens = await scored(batches, searches, memory)
        count = sum(len(candidates) for asks in searches for candidates in asks)
        kept = f"{scorer.prefixes.bytes / 1e6:.0f}"
        table.add_row(name, str(count), f"{tokens:,}", f"{seconds:.2f}", f"{count / seconds:.1f}", kept)
        return seconds / count, tokens

    alone, new = await line("one search, what is new", searches[:1], memory)
    many, _ = await line(f"{AT_ONCE} at once, what is new", searches, memory)
    peak = peak_memory()  # before whole texts, which take more
    whole, all_tokens = await line("one search, whole texts", searches[:1], 0)
    batches.close()
    console = Console()
    console.print(table)
    console.print(
        f"one search: {all_tokens / new:.1f} times fewer tokens, {whole / alone:.1f} times less time\n"
        f"{AT_ONCE} at once: {alone / many:.1f} times the throughput of one\n"
        f"peak memory of what is new: {peak}; with whole texts: {peak_memory()}"
    )
    return all_tokens / new >= FEWER_TOKENS and whole / alone >= LESS_TIME


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=128, help="New tokens of an answer.")
    parser.add_argument("--memory", type=int, default=2**30, help="Bytes kept, at most.")
    given = parser.parse_args()
    if not asyncio.run(measure(given.tokens, given.memory)):
        sys.exit(f"less than {FEWER_TOKENS} times fewer tokens, or {LESS_TIME} times less time")


if __name__ == "__main__":
    main()
