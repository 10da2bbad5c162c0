"""Running in a process of its own that kills itself, with SIGKILL, at the n-th step of the life of its paid calls."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from flows.bench import open_bench, open_bench_of
from flows.cli import main
from flows.plan import new_searches
from flows.wanted import wanted
from providers.base import ContinuationRequest, Reply
from providers.litellm import LiteLLMStrongModel
from store.database import Database
from store.lease import LIFE_MS
from store.writer import Together, Work
from tests.conftest import config_for
from tests.formula_scorer import open_formula_scorer

T = TypeVar("T")
PROMPTS = ["The tide", "A letter"]

# Forked from a server that has imported everything: a process costs milliseconds instead of seconds.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["flows.run", "providers.litellm", "store.record"])


class Steps:
    """Counts the places where a process can die: before and after each transaction, before and after each request."""

    def __init__(self, die_at: int | None) -> None:
        self._left = die_at

    def step(self) -> None:
        if self._left is None:
            return
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def run(
    base: str,
    record: str,
    die_at: int | None,
    settings: dict[str, Any],
    *,
    begin: bool,
    prompts: Sequence[str] = PROMPTS,
) -> int | None:
    """Begin a run, or go on with the newest, in a new process; returns its exit code."""
    process = _PROCESSES.Process(target=_work, args=(base, record, die_at, settings, prompts if begin else None))
    process.start()
    process.join(60)
    if process.is_alive():
        process.kill()
        raise TimeoutError("the run did not end in a minute")
    return process.exitcode


def begun(base: str, record: str, settings: dict[str, Any], prompts: Sequence[str]) -> str:
    """Put a run on record, and do nothing of it yet; returns its id."""

    async def begin() -> str:
        async with open_bench(config_for(base, **settings), record) as bench:
            return await bench.begin(prompts)

    with patch("flows.bench.open_scorer", open_formula_scorer):
        return asyncio.run(begin())


def start(
    record: str, run_id: str, *, most_bytes: int | None = None, lease_ms: int = LIFE_MS
) -> multiprocessing.process.BaseProcess:
    """Go on with a run in a new process, which is returned as soon as it is started.

    `most_bytes`: how large a file may become there, as if the disk were full. `lease_ms`: how long its leases live.
    What it tells is in the file `told`.
    """
    process = _PROCESSES.Process(target=_go_on, args=(record, run_id, most_bytes, lease_ms))
    process.start()
    return process


def _go_on(record: str, run_id: str, most_bytes: int | None, lease_ms: int) -> None:
    sys.stderr = Path("told").open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 - as long as the process
    if most_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    async def work() -> None:
        async with open_bench_of(run_id, record) as bench:
            await bench.carry_out(run_id)

    with (
        patch("flows.bench.open_scorer", open_formula_scorer),
        patch("store.lease.LIFE_MS", lease_ms),
        patch("store.lease._RENEW_EVERY_S", lease_ms / 3000),
    ):
        asyncio.run(work())


def two_begin(base: str, record: str, settings: dict[str, Any], prompts: Sequence[str]) -> list[int | None]:
    """Two new processes look for what is new of these prompts; once both have found that all are, they begin and do it.
    Returns their exit codes.
    """
    looked = _PROCESSES.Barrier(2)
    two = [_PROCESSES.Process(target=_begin_new, args=(base, record, settings, prompts, looked)) for _ in range(2)]
    for process in two:
        process.start()
    for process in two:
        process.join(60)
    return [process.exitcode for process in two]


def _begin_new(base: str, record: str, settings: dict[str, Any], prompts: Sequence[str], looked: Barrier) -> None:
    async def work() -> None:
        config = config_for(base, **settings)
        searches = new_searches(config, prompts)
        async with open_bench(config, record) as bench:
            assert len(wanted(bench.record, searches, 5).new) == len(prompts)
            looked.wait(60)
            begun = await bench.begin_what_is_new(searches, 5)
            if begun is not None:
                await bench.carry_out(begun)

    with patch("flows.bench.open_scorer", open_formula_scorer):
        asyncio.run(work())


def _work(base: str, record: str, die_at: int | None, settings: dict[str, Any], prompts: Sequence[str] | None) -> None:
    steps = Steps(die_at)
    transact, send = Database.transact, LiteLLMStrongModel.send

    async def dying_transact(self: Database, work: Work[T], before: Sequence[Together] = ()) -> T:
        steps.step()
        done = await transact(self, work, before)
        steps.step()
        return done

    async def dying_send(self: LiteLLMStrongModel, request: ContinuationRequest) -> Reply:
        steps.step()
        reply = await send(self, request)
        steps.step()
        return reply

    async def work() -> None:
        opening = open_bench(config_for(base, **settings), record) if prompts else open_bench_of(None, record)
        async with opening as bench:
            run_id = await bench.begin(prompts) if prompts else bench.record.find()
            Database.transact, LiteLLMStrongModel.send = dying_transact, dying_send  # type: ignore[method-assign]
            await bench.carry_out(run_id)

    with patch("flows.bench.open_scorer", open_formula_scorer):
        asyncio.run(work())


def command(*arguments: str) -> multiprocessing.process.BaseProcess:
    """The command in a process of its own, started; it scores by formula. What it tells is in the file `told`."""
    process = _PROCESSES.Process(target=_command, args=(arguments,))
    process.start()
    return process


def _command(arguments: tuple[str, ...]) -> None:
    sys.argv = ["aligntree", *arguments]
    with (
        Path("told").open("w", encoding="utf-8", buffering=1) as sys.stderr,
        patch("flows.bench.open_scorer", open_formula_scorer),
    ):
        main()
