"""What Prefect shows of a run at its end: answers, cost, a report."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from prefect import task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.logging import get_run_logger

from flows.errors import BadConfig
from flows.report import write_report
from flows.run import Summary
from store import Record

REPORTS: Final = "ALIGNTREE_REPORTS"
"""The environment variable that names the folder of reports; none: flow runs write none."""
REPORTS_URL: Final = "ALIGNTREE_REPORTS_URL"
"""Where that folder is served; none: links are of the worker's own files."""


def reports() -> Path | None:
    """The folder that the environment names. Raises BadConfig where it cannot be written to."""
    if not (given := os.environ.get(REPORTS)):
        return None
    folder = Path(given)
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise BadConfig("is no folder that can be written to", where=f"{REPORTS}={given}", mend="Make it, or unset it")
    return folder.absolute()


async def report_of(record: Record, run_id: str) -> str | None:
    """Writes the run's report where there is a folder for it; returns the link to it."""
    if (folder := reports()) is None:
        return None
    path = folder / f"{run_id}.html"
    try:
        await asyncio.to_thread(write_report, record, record.run(run_id), path)
    except OSError as failure:  # a full disk: the run is worth more
        get_run_logger().warning("no report of run %s: %s", run_id, failure)
        return None
    served = os.environ.get(REPORTS_URL)
    return f"{served.rstrip('/')}/{path.name}" if served else path.as_uri()


@task(name="publish", cache_policy=NO_CACHE, persist_result=False)
async def publish(summary: Summary, report: str | None) -> None:
    """The run's answers as a table artifact, its cost as a note; with links to its report where there is one."""
    rows = [
        {
            "prompt": answer.prompt[:200],
            "method": answer.method,
            "status": answer.status,
            "answer": answer.text[:500],
            "value": answer.value,
            "gold": answer.gold,
        }
        | ({"report": f"{report}#search={number}"} if report else {})
        for number, answer in enumerate(summary.answers, start=1)
    ]
    told = f"Answers of run {summary.run_id}" + (f": [report]({report})" if report else "")
    await acreate_table_artifact(rows, key="answers", description=told)
    totals = summary.totals
    note = (
        f"Run `{summary.run_id}`: {sum(a.status == 'done' for a in summary.answers)} of {len(rows)} searches done, "
        f"{totals.calls} calls, {totals.nodes} nodes, {totals.input_tokens} input tokens, "
        f"{totals.output_tokens} output tokens."
    ) + "".join(f"\n\n**Warning**: {warning}." for warning in summary.warnings)
    await acreate_markdown_artifact(note, key="cost")
    _tell_of_budgets(summary)


def _tell_of_budgets(summary: Summary) -> None:
    """An event, for automations that alert: flow runs that met a limit end well."""
    met = [answer.why for answer in summary.answers if answer.why.startswith("budget.")]
    if met:
        run = {"prefect.resource.id": f"aligntree.run.{summary.run_id}"}
        emit_event("aligntree.budget-met", run, payload={"searches": len(met), "why": met[0]})
