"""Ctrl-C and SIGTERM: the step is finished, nothing paid for is lost, and a line says how to go on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows import RunConfig, align, resume
from store import Record
from tests import killing
from tests.formula_api import FormulaAPI
from tests.on_record import trees

METHODS = [
    {"name": "aligntree", "limits": {"iterations": 6}, "children": 2, "chunk_tokens": 3},
    {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 4, "in_flight": 2},
]


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
@pytest.mark.parametrize("after", [2, 5, 9])
def test_a_signal_finishes_the_step_and_resume_asks_nothing_again(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], number: signal.Signals, word: str, after: int
) -> None:
    config = formula_config(methods=METHODS, strong={"choices_per_request": 2})
    asyncio.run(align(killing.PROMPTS, config, record="whole.db"))
    whole = len(api.requests)
    api.requests.clear()
    api.delay = lambda: 0.15
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    process = killing.command("align", *killing.PROMPTS, "-r", "mine.yaml", "--record", "r.db")
    while len(api.requests) < after:
        time.sleep(0.01)
    os.kill(process.pid or 0, number)
    process.join(20)
    assert process.exitcode == 128 + number
    record = Record.open("r.db")
    run = record.run()
    assert f"{word}: what was paid for is on record, go on with: aligntree resume {run.id}" in Path("told").read_text()
    histories = [record.history(search.id) for search in record.searches(run.id)]
    assert all(key in history.replies for history in histories for key in history.calls)
    assert not any(reply.failure for history in histories for reply in history.replies.values())
    assert {search.status for search in record.searches(run.id)} <= {"interrupted", "waiting", "done"}
    record.close()
    api.delay = lambda: 0.0
    assert asyncio.run(resume(record="r.db")).finished
    assert trees("r.db") == trees("whole.db")
    assert len(api.requests) == whole


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 128 + signal.SIGINT)]
)
def test_a_second_signal_does_not_wait(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], number: signal.Signals, status: int
) -> None:
    config = formula_config(methods=METHODS)
    api.delay = lambda: 5.0 if api.requests else 0.0
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    process = killing.command("align", "The tide", "-r", "mine.yaml", "--record", "r.db")
    while not api.requests:
        time.sleep(0.01)
    began = time.monotonic()
    os.kill(process.pid or 0, number)
    while "stopping" not in Path("told").read_text():
        time.sleep(0.01)
    os.kill(process.pid or 0, number)
    process.join(20)
    assert time.monotonic() - began < 4
    assert process.exitcode == status
    assert "Traceback" not in Path("told").read_text()
    api.delay = lambda: 0.0
    assert asyncio.run(resume(record="r.db")).finished
