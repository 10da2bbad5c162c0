"""The loopback API with replies that take as long as a distribution says."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from tests.benchmarks.capacity_model import Latency
from tests.formula_api import FormulaAPI


def _serve(told: Connection, latency: Latency) -> None:
    api, drawn, one_at_a_time = FormulaAPI(), latency.draws(11), threading.Lock()

    def delay() -> float:
        with one_at_a_time:
            return next(drawn)

    api.delay = delay
    told.send(api.base)
    told.recv()


@contextmanager
def served(latency: Latency) -> Iterator[str]:
    """The loopback API in a process of its own; its base URL."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, latency), daemon=True)
    process.start()
    yield ours.recv()
    ours.send(None)
    process.join()
