"""What an operator sets up: Debian's Postgres, a Prefect server on it, a work pool and its workers, as processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy import create_engine, text

from flows.config import RunConfig
from flows.deploying import deploy, deployment, deployment_of_runs

ROOT = Path(__file__).parent.parent
POOL = "machines"
_DEBIAN = Path("/usr/lib/postgresql")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@contextmanager
def debian_postgres() -> Iterator[str]:
    """Debian's PostgreSQL, which has pg_trgm, in a folder of its own; yields its URL without a database.

    It never runs as root: then as the user postgres.
    """
    programs = max(_DEBIAN.glob("*/bin"), default=None)
    if programs is None:
        raise FileNotFoundError(f"no PostgreSQL in {_DEBIAN}: apt-get install postgresql")
    folder, port = tempfile.mkdtemp(prefix="postgres-"), free_port()
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=300"

    def run(program: str, *given: str) -> None:
        command = [*as_user, str(programs / program), "-D", f"{folder}/data", *given]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    run("initdb", "-U", "postgres", "-A", "trust", "--no-sync")
    run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def create_database(server: str, name: str) -> str:
    """A new database of this Postgres; returns its URL."""
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return f"{server}/{name}"


@dataclass
class Machine:
    """A worker with the processes of its flow runs; or another process with its own."""

    worker: subprocess.Popen[bytes]

    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(self.worker.pid)
            return [worker, *worker.children(recursive=True)]
        return []

    def signal(self, number: int) -> None:
        """To all its processes at once, as near as can be: SIGKILL is a machine that is gone."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def end(self) -> None:
        self.signal(signal.SIGKILL)
        self.worker.wait()

    def has(self, pid: int) -> bool:
        return any(process.pid == pid for process in self.processes())


@dataclass
class Site:
    """All of it. Settings of Prefect's client lead to its server as long as it stands."""

    postgres: str
    environment: dict[str, str]
    folder: Path
    machines: list[Machine] = field(default_factory=list)

    def add_machine(self) -> Machine:
        """A worker that runs one flow run at a time."""
        name = f"worker{len(self.machines)}"
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--limit", "1", "--name", name]
        machine = Machine(self._start(command, name))
        self.machines.append(machine)
        return machine

    async def deploy(self, config: RunConfig, prompts: Sequence[str], shards: int, record: str) -> str:
        """As the command does, but that its flow runs score by formula; returns the deployment's name."""
        path = self.folder / f"{config.name}.txt"
        path.write_text("\n".join(prompts), encoding="utf-8")
        made = [
            await asyncio.to_thread(deployment, config, str(path), None, shards),
            await asyncio.to_thread(deployment_of_runs, config),
        ]
        for one in made:
            one.entrypoint = f"tests.formula_flows.{(one.entrypoint or '').rpartition('.')[2]}"
            one.job_variables = {"env": {"ALIGNTREE_RECORD": record}}
        await deploy(made, POOL)
        return made[0].full_name

    def told(self) -> str:
        """What all processes wrote."""
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in self.folder.glob("*.log"))

    def _start(self, command: list[str], name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("wb") as told:
            return subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=told, stderr=told)

    def end(self) -> None:
        for machine in self.machines:
            machine.end()

    def start_server(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        return self._start(command, "server")

    async def make_pool(self) -> None:
        async with get_client() as client:
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))

    async def run(self, name: str, watch: Callable[[], None]) -> float:
        """A flow run of this deployment, until it is complete; returns the seconds. `watch` is called meanwhile."""
        async with get_client() as client:
            made = await client.read_deployment_by_name(name)
            began = time.monotonic()
            flow_run: FlowRun = await client.create_flow_run_from_deployment(made.id)
            while not (flow_run.state and flow_run.state.is_final()):
                await asyncio.sleep(0.2)
                await asyncio.to_thread(watch)
                flow_run = await client.read_flow_run(flow_run.id)
        took = time.monotonic() - began
        assert flow_run.state.is_completed(), self.told()
        return took


@contextmanager
def site() -> Iterator[Site]:
    """A Prefect server on Postgres with an empty work pool."""
    with ExitStack() as stack:
        postgres = stack.enter_context(debian_postgres())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="site-")))
        port = free_port()
        url = f"http://127.0.0.1:{port}/api"
        database = create_database(postgres, "prefect").replace("postgresql:", "postgresql+asyncpg:")
        environment = os.environ | {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": url,
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "2",
            "PYTHONPATH": str(ROOT),
        }
        found = Site(postgres, environment, folder)
        server = found.start_server(port)
        stack.callback(Machine(server).end)
        stack.callback(found.end)
        wait_for(lambda: _answers(f"{url}/health"), 120, lambda: server.poll() is not None)
        stack.enter_context(temporary_settings({PREFECT_API_URL: url}))
        yield found


def wait_for(what: Callable[[], bool], seconds: float, hopeless: Callable[[], bool] = lambda: False) -> None:
    end = time.monotonic() + seconds
    while not what():
        if hopeless() or time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    with suppress(URLError, OSError), urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False
