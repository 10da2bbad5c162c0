"""The Prefect flow: one task per prompt's search, resumable by our run id, its summary published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.logging.handlers import APILogHandler

from flows import RunConfig, align_flow
from flows.bench import open_bench
from flows.errors import BadConfig
from flows.flow import check_server, through_prefect
from flows.run import summarize
from store import Record
from tests.formula_api import PROBED, Fault, FormulaAPI


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], str]:
    """Reads a file of the folder of reports, which is served."""
    monkeypatch.setenv("ALIGNTREE_REPORTS", str(tmp_path))
    monkeypatch.setenv("ALIGNTREE_REPORTS_URL", "https://team.example/reports/")
    return lambda name: (tmp_path / name).read_text(encoding="utf-8")


async def test_a_flow_run_is_one_run_with_one_task_per_prompt(
    prefect: None, api: FormulaAPI, formula_config: Callable[..., RunConfig], written: Callable[[str], str]
) -> None:
    # An outage in the midst: the task's retry goes on from the record.
    config = formula_config(strong={"retry_for": 0})
    async with open_bench(config, "r.db") as bench:
        run_id = await bench.begin(["The tide", "A letter", "The tide"])
        api.faults = [Fault(503)]
        await through_prefect(bench, run_id)
        summary, rows = summarize(bench.record, run_id, config), bench.record.searches(run_id)
    assert summary.finished
    async with get_client() as client:
        name = f"run {config.strong.model} {run_id}"
        (flow_run,) = [run for run in await client.read_flow_runs() if run.name == name]
        assert set(flow_run.tags) == {"recipe:run", f"model:{config.strong.model}"}
        tasks = [t for t in await client.read_task_runs() if t.flow_run_id == flow_run.id]
        assert not any(t.tags for t in tasks)  # the server would be asked for slots of each tag
        names = sorted(t.name for t in tasks)
        searches = sorted(f"search {answer.search_id}" for answer in summary.answers)
        assert [name for name in names if name.startswith("search")] == searches
        assert flow_run.state is not None
        assert flow_run.state.is_completed()
        artifacts = {a.key: a for a in await client.read_artifacts() if a.flow_run_id == flow_run.id}
        assert set(artifacts) == {"answers", "cost", "progress"}
        assert artifacts["progress"].data == 100
        report = f"https://team.example/reports/{run_id}.html"
        assert report in (artifacts["answers"].description or "")
        assert f"{report}#search=2" in str(artifacts["answers"].data)
        assert run_id in written(f"{run_id}.html")
        assert "searches 3/3" in (artifacts["progress"].description or "")
        await APILogHandler.aflush()
        logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run.id])))
        told = [log.message for log in logs]
    for answer, row in zip(summary.answers, rows, strict=True):  # each search and the node that it chose
        assert any(answer.search_id in line and (row.answer or {})["node"][:8] in line for line in told)


async def test_a_deployed_flow_needs_the_run_id_only(
    prefect: None, api: FormulaAPI, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_bench(formula_config(), "r.db") as bench:
        run_id = await bench.begin(["The tide"])
    monkeypatch.setenv("ALIGNTREE_RECORD", "r.db")
    assert await align_flow(run_id[-8:]) == run_id
    api.close()  # once it has ended nothing is asked or loaded
    assert await align_flow(run_id) == run_id
    record = Record.open("r.db")
    assert record.run().statuses == {"done": 1}
    record.close()


async def test_a_folder_of_reports_that_is_not_there_is_told_before_anything_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALIGNTREE_REPORTS", "nowhere")
    with pytest.raises(BadConfig, match="ALIGNTREE_REPORTS=nowhere: is no folder"):
        await check_server()


async def test_a_budget_that_is_met_is_an_event_to_alert_on(
    prefect: None, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, str], dict[str, Any]]] = []
    monkeypatch.setattr("flows.publishing.emit_event", lambda event, run, payload: told.append((event, run, payload)))
    for limit in (100, PROBED + 1):
        async with open_bench(formula_config(budget={"requests": limit}), f"{limit}.db") as bench:
            run_id = await bench.begin(["The tide"])
            await through_prefect(bench, run_id)
    ((event, run, payload),) = told
    assert (event, run) == ("aligntree.budget-met", {"prefect.resource.id": f"aligntree.run.{run_id}"})
    assert payload["why"].startswith(f"budget.requests = {PROBED + 1}")
