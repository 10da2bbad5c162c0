"""A schedule: each run of it does what is new and goes on with what was cut off, and no search is paid for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from flows import RunConfig, align, align_new
from flows.audit import audit
from flows.bench import open_bench
from flows.errors import BadConfig
from flows.plan import new_searches
from flows.run import resume
from flows.wanted import wanted
from store import NewRun, Record
from tests import killing
from tests.formula_api import FormulaAPI
from tests.on_record import asked, trees

SETTINGS = {"methods": [{"name": "aligntree", "limits": {"iterations": 4}, "children": 2, "chunk_tokens": 3}]}


@pytest.fixture
def record_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    path = str(tmp_path / "r.db")
    monkeypatch.setenv("ALIGNTREE_RECORD", path)
    return path


def prompts(*lines: str) -> str:
    path = Path("prompts.txt")
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path.absolute())


@pytest.fixture
def record(record_path: str) -> Iterator[Record]:
    with closing(Record.open(record_path, create=True)) as opened:
        yield opened


async def test_a_file_that_grows_is_searched_where_it_is_new(
    prefect: None, api: FormulaAPI, formula_config: Callable[..., RunConfig], record: Record
) -> None:
    config = formula_config(**SETTINGS, name="nightly")
    (first,) = await align_new(prompts("The tide", "A letter"), config)
    api.requests.clear()
    # Put in between, and one a second time: both are new, what was there is not.
    (second,) = await align_new(prompts("The tide", "My dog", "A letter", "The tide"), config)
    assert [row.prompt for row in record.searches(second)] == ["My dog", "The tide"]
    assert [row.occurrence for row in record.searches(second)] == [0, 1]
    assert {request["prompt"][:6] for request in api.requests} == {"My dog", "The ti"}
    api.requests.clear()
    api.close()  # nothing new: no endpoint is asked, no model opened
    assert await align_new(prompts("The tide", "My dog", "A letter", "The tide"), config) == []
    assert [run.id for run in record.runs()] == [second, first]
    async with get_client() as client:
        names = {run.name for run in await client.read_flow_runs()}
    model = config.strong.model
    assert {f"nightly {model}: what is new", f"nightly {model} {first}", f"nightly {model} {second}"} <= names


@pytest.mark.parametrize("die_at", [5, 22])
async def test_a_run_whose_worker_was_killed_is_gone_on_with_by_the_next_one(
    prefect: None,
    api: FormulaAPI,
    formula_config: Callable[..., RunConfig],
    record_path: str,
    die_at: int,
) -> None:
    config = formula_config(**SETTINGS)
    await align(killing.PROMPTS, config, record="whole.db")
    whole = asked(api)
    api.requests.clear()
    code = await asyncio.to_thread(killing.run, api.base, record_path, die_at, SETTINGS, begin=True)
    assert code == -9
    with closing(Record.open(record_path)) as record:
        crashed = record.find()
        runs = await align_new(prompts(*killing.PROMPTS, "My dog"), config)
        assert runs[0] == crashed
        assert [row.prompt for row in record.searches(runs[1])] == ["My dog"]
        assert all(row.status == "done" for run in runs for row in record.searches(run))
        assert audit(record, crashed).faults == ()
    again = asked(api) - whole
    asked_again = [n for (prompt, *_), n in again.items() if "My dog" not in prompt]
    assert sum(asked_again) <= len(killing.PROMPTS)  # what each search had on the wire
    mine = trees(record_path, crashed)
    assert mine == trees("whole.db")


async def test_what_never_ends_is_left_to_a_person_after_so_many_tries(
    prefect: None, api: FormulaAPI, formula_config: Callable[..., RunConfig], record: Record
) -> None:
    config = formula_config(**SETTINGS)
    async with open_bench(config, str(record.shown)) as bench:
        run_id = await bench.begin(["The tide", "A letter"])
    poison, _ = record.searches(run_id)
    for _ in range(3):  # it is begun, and its worker is gone
        journal = await record.claim(poison.id)
        assert journal is not None
        await record.release(journal, "interrupted", None)
    path = prompts("The tide", "A letter")
    assert await align_new(path, config, tries=3) == [run_id]
    assert [row.status for row in record.searches(run_id)] == ["interrupted", "done"]
    assert not any("The tide" in request["prompt"] for request in api.requests)
    assert await align_new(path, config, tries=3) == []
    (left,) = wanted(record, new_searches(config, ["The tide", "A letter"]), 3).given_up
    assert (left.search_id, left.tries) == (poison.id, 3)
    summary = await resume(run_id, record=str(record.shown))  # a person may
    assert summary.finished


async def test_of_a_run_that_is_alive_only_what_is_free_is_claimed(
    prefect: None, formula_config: Callable[..., RunConfig], record: Record
) -> None:
    config = formula_config(**SETTINGS)
    async with open_bench(config, str(record.shown)) as bench:
        run_id = await bench.begin(["The tide", "A letter"])
    held, _ = record.searches(run_id)
    journal = await record.claim(held.id)
    assert journal is not None
    path = prompts("The tide", "A letter")
    assert await align_new(path, config) == [run_id]
    assert [row.status for row in record.searches(run_id)] == ["running", "done"]
    summary = await resume(run_id, record=str(record.shown))
    (told,) = summary.warnings
    assert told.startswith(f"1 search is held by {record.held(run_id)[0].where}, until ")
    assert await align_new(path, config) == []  # nothing is free: no models are opened
    await record.release(journal, "interrupted", None)
    assert record.held(run_id) == []


async def test_a_search_without_an_answer_is_new_again_until_it_was_tried_so_often(
    formula_config: Callable[..., RunConfig], record: Record
) -> None:
    searches = new_searches(formula_config(**SETTINGS), ["The tide"])
    for tried in range(2):
        assert len(wanted(record, searches, 2).new) == 1, tried
        run_id = await record.begin_run(NewRun("run", {}, {}, {}, {}, {}, searches))
        assert wanted(record, searches, 2).new == ()  # it is under way
        journal = await record.claim(record.searches(run_id)[0].id)
        assert journal is not None
        await record.release(journal, "failed", {})
    assert wanted(record, searches, 2).new == ()
    assert len(wanted(record, searches, 3).new) == 1


async def test_a_flow_wants_a_record_that_outlives_its_folder(
    formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadConfig, match="ALIGNTREE_RECORD: is not set"):
        await align_new.fn(prompts("The tide"), formula_config())
    monkeypatch.setenv("ALIGNTREE_RECORD", "r.db")
    with pytest.raises(BadConfig, match=r"names no absolute path: r\.db"):
        await align_new.fn(prompts("The tide"), formula_config())
