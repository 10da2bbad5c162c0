"""Many prompts in one flow run: does Prefect's server slow down, and what does its database grow by?

python -m tests.benchmarks.prefect_many

One call a search, which the loopback API answers at once; a Prefect server of its own, on SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import psutil
from rich.console import Console
from rich.table import Table

from flows.bench import open_bench
from flows.cli.options import quiet_libraries
from flows.config import RunConfig
from flows.tally import Tally
from tests.benchmarks.capacity_model import Latency
from tests.benchmarks.late import served

_STEP = 100
_LOOKS_EVERY_S = 0.05
_CAUGHT_UP_WITHIN_S = 600


@dataclass(frozen=True)
class Server:
    """A Prefect server in a process of its own, and where its database is."""

    process: psutil.Process
    database: Path

    @property
    def cpu(self) -> float:
        spent = self.process.cpu_times()
        return spent.user + spent.system

    @property
    def size(self) -> int:
        """Bytes, what is not yet in the file itself included."""
        return sum(path.stat().st_size for path in self.database.parent.glob(f"{self.database.name}*"))

    def task_runs(self) -> dict[str, int]:
        """By state."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            query = "SELECT state_type, count(*) FROM task_run WHERE name LIKE 'search%' GROUP BY state_type"
            return dict(connection.execute(query).fetchall())


@contextmanager
def serving(folder: str) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"PREFECT_HOME": f"{folder}/prefect", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    os.environ |= own | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with Path(folder, "server.log").open("w", encoding="utf-8") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told)
    try:
        _wait_for(port, process)
        yield Server(psutil.Process(process.pid), Path(folder, "prefect", "prefect.db"))
    finally:
        process.terminate()
        process.wait(60)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    import httpx

    while True:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/api/health").is_success:
                return
        if process.poll() is not None:
            raise RuntimeError("the Prefect server ended")
        time.sleep(0.2)


@dataclass(frozen=True)
class Moment:
    """Seconds since the run began; CPU seconds of this process and of the server."""

    wall: float
    own: float
    server: float

    def since(self, before: Moment) -> tuple[float, float, float]:
        return self.wall - before.wall, self.own - before.own, self.server - before.server


async def moments(config: RunConfig, record: str, prompts: int, server: Server) -> list[Moment]:
    """When none, a hundred, two hundred ... searches of a flow run had ended."""
    from flows.flow import through_prefect

    tally = Tally()
    async with open_bench(config, record, tally=tally) as bench:
        run_id = await bench.begin([f"Prompt {number}" for number in range(prompts)])
        began = time.perf_counter()

        def now() -> Moment:
            return Moment(time.perf_counter() - began, time.process_time(), server.cpu)

        found = [now()]

        async def look() -> None:
            while True:
                if tally.done >= _STEP * len(found):
                    found.append(now())
                await asyncio.sleep(_LOOKS_EVERY_S)

        looking = asyncio.create_task(look())
        await through_prefect(bench, run_id)
        looking.cancel()
    return found if len(found) > prompts // _STEP else [*found, now()]


def caught_up(server: Server, prompts: int) -> float:
    """Seconds until the server has written what it was told of, if it does within minutes."""
    began = time.perf_counter()
    while server.task_runs().get("COMPLETED", 0) < prompts:
        if time.perf_counter() - began > _CAUGHT_UP_WITHIN_S:
            sys.exit(f"the server has {server.task_runs()} of {prompts} searches after {_CAUGHT_UP_WITHIN_S} s")
        time.sleep(1)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--at-once", type=int, default=16, help="Searches at once.")
    given = parser.parse_args()
    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder, serving(folder) as server, served(Latency(0.0)) as base:
        from tests.conftest import config_for
        from tests.formula_scorer import open_formula_scorer

        config = config_for(base, methods=[{"name": "base"}], searches_at_once=given.at_once, name="many")
        with patch("flows.bench.open_scorer", open_formula_scorer):
            asyncio.run(moments(config, f"{folder}/warm.db", _STEP, server))
            caught_up(server, _STEP)
            cpu, size, runs = server.cpu, server.size, server.task_runs().get("COMPLETED", 0)
            found = asyncio.run(moments(config, f"{folder}/r.db", given.prompts, server))
        during = server.cpu - cpu
        late = caught_up(server, runs + given.prompts)
        each = [after.since(before) for before, after in pairwise(found)]
        heads = "searches", "seconds", "CPU seconds", "of the server"
        table = Table(*heads, title=f"per {_STEP} searches of one call, {given.at_once} at once")
        for number in sorted({0, 1, len(each) // 2, len(each) - 2, len(each) - 1}):
            told = f"{_STEP * number + 1} to {_STEP * (number + 1)}"
            table.add_row(told, *(f"{seconds:.2f}" for seconds in each[number]))
        Console().print(table)
        made, grown = given.prompts, server.size - size
        print(
            f"{made} searches in {found[-1].wall:.0f} s: {1000 * found[-1].wall / made:.1f} ms each\n"
            f"server: {1000 * (server.cpu - cpu) / made:.1f} ms of CPU time a search "
            f"({1000 * during / made:.1f} by the end of the run), caught up {late:.0f} s after it\n"
            f"its database: {size / 1e6:.1f} MB before, {grown / 1e6:.1f} MB more, {grown / made / 1e3:.1f} KB a search"
        )


if __name__ == "__main__":
    main()
