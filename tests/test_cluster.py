"""Searches on a cluster, Dask's or Ray's, whose processes are told ids alone: real ones, on this machine."""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ThreadPoolTaskRunner

from flows import RunConfig, align, align_flow
from flows.audit import audit
from flows.bench import open_bench
from flows.cluster import CLUSTER, ClusterUnreachable, searching_on
from flows.errors import BadConfig, RunInterrupted
from flows.flow import PrefectUnreachable, check_server
from providers import CallFailed
from providers.errors import Blame
from store import Record
from tests.conftest import Told
from tests.formula_api import FormulaAPI
from tests.on_record import asked, trees

ROOT = Path(__file__).parent.parent
PROMPTS = [f"Prompt {number}" for number in range(6)]
SETTINGS = {
    "methods": [{"name": "aligntree", "limits": {"iterations": 4}, "children": 2, "chunk_tokens": 2}],
    "searches_at_once": 4,
}


@contextmanager
def process(*command: str, told: str, first: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process of a cluster, that finds the record where the test has it and says what it says in the file `told`.

    It looks for modules in the folder `first`, then as this one does.
    """
    path = os.pathsep.join([str(Path(first).absolute()), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"ALIGNTREE_RECORD": str(Path("r.db").absolute()), "PYTHONPATH": path}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0"}
    with Path(told).open("w", encoding="utf-8") as out:
        started = subprocess.Popen(command, env=environment, stdout=out, stderr=out, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def line(told: str, pattern: str, of: subprocess.Popen[str]) -> str:
    """What a process says of itself, as soon as it does."""
    while not (found := re.search(pattern, Path(told).read_text(encoding="utf-8"))):
        assert of.poll() is None, Path(told).read_text(encoding="utf-8")
        time.sleep(0.05)
    return found.group(1)


@contextmanager
def dask(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler's address, and so many workers of two threads."""
    with ExitStack() as started:
        module = sys.executable, "-m"
        head = started.enter_context(
            process(*module, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                    told="scheduler")
        )  # fmt: skip
        address = line("scheduler", r"Scheduler at:\s+(tcp://\S+)", head)
        options = "--nthreads", "2", "--no-nanny", "--no-dashboard", "--preload", "tests.formula_flows"
        told = [f"worker{number}" for number in range(workers)]
        processes = [
            started.enter_context(process(*module, "distributed.cli.dask_worker", address, *options, told=name))
            for name in told
        ]
        for name, worker in zip(told, processes, strict=True):
            line(name, r"(Registered to)", worker)
        yield address, processes


@contextmanager
def ray() -> Iterator[str]:
    """The address of a head with room for two searches at once."""
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text(_IN_RAY, encoding="utf-8")
    ports = [free_port() for _ in range(2)]
    options = f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--include-dashboard=false", "--num-cpus=2"
    command = sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address=127.0.0.2"
    short = tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True)  # its sockets may have no long names
    with short as folder, process(*command, *options, f"--temp-dir={folder}", told="head", first="site") as head:
        line("head", r"(Ray runtime started)", head)
        try:
            yield f"ray://127.0.0.2:{ports[1]}"
        except BaseException:
            for told in Path(folder, "session_latest/logs").glob("ray_client_server*"):
                print(told.name, told.read_text(encoding="utf-8"), sep="\n")  # gone with the folder
            raise
        finally:
            head.terminate()  # it ends its own processes
            head.wait(60)


_IN_RAY = """
import sys
if any("default_worker" in word for word in sys.orig_argv):
    import tests.formula_flows
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.ray
@pytest.mark.timeout(600)  # three times as long as beside four busy processes
async def test_searches_go_to_the_processes_of_a_ray_cluster_and_survive_one_that_is_killed(
    prefect: None, api: FormulaAPI, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = formula_config(**SETTINGS)
    await align(PROMPTS, config, record="whole.db")
    whole = asked(api)
    api.requests.clear()
    api.delay = lambda: 0.1
    run_id = await begun(config, PROMPTS)
    monkeypatch.setenv("ALIGNTREE_RECORD", "r.db")
    monkeypatch.setattr("flows.bench.open_scorer", _nothing_is_opened)
    with closing(Record.open("r.db")) as record, ray() as address:
        monkeypatch.setenv(CLUSTER, address)
        flow_run = asyncio.create_task(align_flow(run_id))
        owners = await two_at_work(flow_run, record, run_id, api)
        os.kill(int(min(owners)), signal.SIGKILL)
        await flow_run
        assert record.run(run_id).statuses == {"done": len(PROMPTS)}
        assert audit(record, run_id).faults == ()
        assert str(os.getpid()) not in owners
        assert whole - asked(api) == Counter()
        assert (asked(api) - whole).total() <= 1
        assert trees("r.db", run_id) == trees("whole.db")


async def test_searches_go_to_the_processes_of_a_dask_cluster_and_survive_one_that_is_killed(
    prefect: None, api: FormulaAPI, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = formula_config(**SETTINGS)
    await align(PROMPTS, config, record="whole.db")
    whole = asked(api)
    api.requests.clear()
    api.delay = lambda: 0.1
    run_id, refused, held = [await begun(config, prompts) for prompts in (PROMPTS, PROMPTS, PROMPTS[:2])]
    monkeypatch.setenv("ALIGNTREE_RECORD", "r.db")
    other = await begun(config, PROMPTS[:2], "other.db")
    monkeypatch.setattr("flows.bench.open_scorer", _nothing_is_opened)  # in the flow's own process
    with closing(Record.open("r.db")) as record, dask(2) as (address, workers):
        monkeypatch.setenv(CLUSTER, address)
        flow_run = asyncio.create_task(align_flow(run_id))
        owners = await two_at_work(flow_run, record, run_id, api)
        workers[0].kill()
        await flow_run
        assert record.run(run_id).statuses == {"done": len(PROMPTS)}
        assert audit(record, run_id).faults == ()
        assert owners == {str(worker.pid) for worker in workers}
        twice = asked(api) - whole
        assert whole - asked(api) == Counter()
        assert twice.total() <= 2  # what the dead one had on the wire
        assert trees("r.db", run_id) == trees("whole.db")
        await a_refused_key_ends_the_run(api, refused)
        await what_a_machine_held_that_is_gone_is_gone_on_with(record, held)
        await a_run_on_another_record_is_refused(other, monkeypatch)


async def two_at_work(flow_run: asyncio.Task[object], record: Record, run_id: str, api: FormulaAPI) -> set[str]:
    """The process ids of those who work on the run, once there are two and some requests are made."""
    owners = set[str]()
    while len(owners) < 2 or len(api.requests) < 6:
        owners |= {process_of(search.owner) for search in record.searches(run_id) if search.owner}
        assert not flow_run.done(), flow_run
        await asyncio.sleep(0.02)
    return owners


async def begun(config: RunConfig, prompts: list[str], record: str = "r.db") -> str:
    async with open_bench(config, record) as bench:
        return await bench.begin(prompts)


def process_of(owner: str) -> str:
    return owner.rsplit(":", 3)[1]


async def a_refused_key_ends_the_run(api: FormulaAPI, run_id: str) -> None:
    """What a task of another process raises is the error that it is here."""
    api.key = "another"
    with pytest.raises(RunInterrupted, match="Incorrect API key"):
        await align_flow(run_id)
    api.key = None


async def what_a_machine_held_that_is_gone_is_gone_on_with(record: Record, run_id: str) -> None:
    until = int(time.time() * 1000) + 4500
    with closing(sqlite3.connect("r.db")) as connection:
        query = (
            "UPDATE searches SET owner = 'elsewhere:1:1:machine-1', status = 'running', expires = ? WHERE run_id = ?"
        )
        connection.execute(query, (until, run_id))
        connection.commit()
    await align_flow(run_id)
    assert record.run(run_id).statuses == {"done": 2}


async def a_run_on_another_record_is_refused(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNTREE_RECORD", "other.db")  # in the flow's own process; those of the cluster have theirs
    with pytest.raises(RunInterrupted, match=rf"2 of 2 searches did not end: .*{run_id}"):
        await align_flow(run_id)


def _nothing_is_opened(*_: object) -> None:
    raise AssertionError


BAD = {
    "localhost:8786": "ALIGNTREE_CLUSTER=localhost:8786: is no address of a cluster. Such as tcp://HOST:8786",
    "http://head:10001": "is no address of a cluster",
    "tcp://head": "is no address of a cluster",
    "tcp://head:many": "is no address of a cluster",
}


@pytest.mark.parametrize("address", BAD)
def test_what_is_no_address_of_a_cluster_is_told_in_a_line(
    aligntree: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(CLUSTER, address)
    status, _, err = aligntree("align", "The tide", "--record", "r.db")
    assert (status, BAD[address] in err, len(err.strip().splitlines())) == (2, True, 1), err
    assert not Path("r.db").exists()


async def test_a_cluster_is_looked_for_before_anything_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLUSTER, "tcp://127.0.0.1:9")
    with pytest.raises(ClusterUnreachable, match=r"tcp://127\.0\.0\.1:9: does not answer .* unset ALIGNTREE_CLUSTER"):
        await check_server()
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(BadConfig, match=r"pip install 'aligntree\[dask\]'"):
        await check_server()


async def test_a_ray_head_that_fails_to_take_us_in_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    entered = list[str]()

    class Failing(ThreadPoolTaskRunner):  # type: ignore[type-arg]
        def __init__(self, address: str) -> None:
            super().__init__()
            self.address = address

        def __enter__(self) -> Self:
            entered.append(self.address)
            if len(entered) < often:
                raise ConnectionAbortedError("Starting Ray client server failed")
            return super().__enter__()

    monkeypatch.setattr("flows.cluster._runner_class", lambda _: Failing)
    often = 3
    async with searching_on("ray://head:10001", {}, "r"):
        assert entered == ["ray://head:10001"] * 3
    often = 7
    with pytest.raises(ClusterUnreachable, match="Starting Ray client server failed"):
        async with searching_on("ray://head:10001", {}, "r"):
            pass
    assert len(entered) == 6


async def test_a_cluster_needs_a_prefect_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as head, temporary_settings(restore_defaults={PREFECT_API_URL}):
        monkeypatch.setenv(CLUSTER, f"tcp://127.0.0.1:{head.getsockname()[1]}")
        with pytest.raises(PrefectUnreachable, match="PREFECT_API_URL: is not set"):
            await check_server()


def test_errors_go_from_process_to_process() -> None:
    failed = CallFailed(
        "no", where="m", blame=Blame.SETTINGS, billed=True, status=401, body=b"x", retry_after=2.0, mend="Mend"
    )
    interrupted = RunInterrupted("2 of 3", where="run 1", mend="Go on")
    for error in (failed, interrupted):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
