"""What the strong model's endpoint was found to do: as the record has it of the last day, else by a probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta
from importlib.metadata import version
from itertools import count
from typing import Any

from flows.config import RunConfig
from flows.pace import Pace
from flows.rows import failure_row, reply_row, request_row
from providers import CallFailed, ContinuationRequest, Reply, StrongModel
from providers.policy import retrying
from store import Cost, Record, fingerprint


async def finding_of(
    record: Record, run_id: str, config: RunConfig, strong: StrongModel, *, fresh: bool = False
) -> Mapping[str, Any]:
    """As found within a day, unless it is to be `fresh`. Raises ProviderError: what to mend before anything else is
    paid for; OutOfBudget.

    Each request of a probe is reserved in the budget of the run to come, `run_id`, and on record before it is sent.
    """
    await strong.check()
    key = _key(config)
    if not fresh and (known := record.known_finding(key)) is not None:
        return known
    probing, numbers = await record.probe(run_id, key, config.budget.scopes()), count()
    pace = Pace(record, config.strong)

    async def once(request: ContinuationRequest) -> Reply:
        number, worst = next(numbers), Cost(*strong.worst_case(request))
        await pace.wait(worst)
        await probing.intend(number, request_row(request), worst)
        try:
            reply = await strong.send(request)
        except CallFailed as failed:
            await probing.settle(number, failure_row(failed), billed=failed.billed)
            raise
        await probing.settle(number, reply_row(reply))
        await pace.took(worst, reply.usage.input + reply.usage.output)
        return reply

    async def send(request: ContinuationRequest) -> Reply:
        async for trial in retrying(config.strong.retry_for, answered=True):
            with trial:
                return await once(request)
        raise AssertionError("retrying returns or raises")

    found = asdict(await strong.probe(send))
    await probing.end(found)
    return found


def warnings_of(config: RunConfig, strong: StrongModel, today: date) -> list[str]:
    """What a user should know before relying on this model."""
    told = []
    if strong.retires and strong.retires <= today:
        told.append(f"{strong.name} was retired on {strong.retires}: calls may fail, or bring another model's text")
    elif strong.retires and strong.retires - today <= _SOON:
        told.append(f"{strong.name} will be retired on {strong.retires}")
    if config.strong.allow_approximate and strong.mode == "emulated":
        told.append(f"{strong.name} cannot continue an unfinished answer: its continuations are emulated, approximate")
    if strong.mode == "whole" and any(method.name == "aligntree" for method in config.methods):
        told.append(
            f"{strong.name} gives whole answers only: aligntree samples a tree of rollouts, and selects nothing"
        )
    return told


_SOON = timedelta(days=90)


def _key(config: RunConfig) -> str:
    """Of all that shapes what a probe finds."""
    asked = {"model", "endpoint", "api_base", "system", "template", "logprobs", "choices_per_request"}
    if config.strong.eft is not None:  # how likely a given text is to it is not told then
        asked.add("eft")
    return fingerprint([version("aligntree"), config.strong.model_dump(mode="json", include=asked)])
