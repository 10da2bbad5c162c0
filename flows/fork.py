"""A new run that goes on from a node of an old one under other settings: what led to the node is inherited, unpaid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.bench import Bench, open_bench_of
from flows.config import RunConfig, parse_config
from flows.errors import BadConfig
from flows.explain import find_node
from flows.methods import MethodConfig, called, version
from flows.plan import config_of, method_config, search_key, shape_of
from flows.records import open_record
from flows.run import Summary, Through, summarize
from flows.tally import Tally
from store import NewSearch, Record, RunRow, SearchRow, fingerprint

_MAY_CHANGE = {"name", "methods", "budget", "searches_at_once"}


async def fork(
    node: str,
    settings: Sequence[str],
    run: str | None = None,
    *,
    record: str | None = None,
    tally: Tally | None = None,
    through: Through = Bench.carry_out,
) -> Summary:
    """Go on from `node` (the beginning of its id) with `settings` over those of its search, which is methods.0.

    The new run has one search, told all that the old one was told up to the outcome that brought the node; its record
    begins there. Raises NoSuchNode, and BadConfig where a setting is neither of the method nor of the budget.
    """
    with open_record(record) as opened:
        row = opened.run(run)
        search, node = find_node(opened, row, node)
        config = _config(row, search, settings)
        new = _new_search(opened, config, search, node)
    async with open_bench_of(row.id, record, tally=tally, fork=config) as bench:
        run_id = await bench.begin_with([new])
        await through(bench, run_id)
        return summarize(bench.record, run_id, config)


def _config(run: RunRow, search: SearchRow, settings: Sequence[str]) -> RunConfig:
    old = config_of(run)
    alone: dict[str, Any] = old.model_dump(mode="json")
    alone |= {"methods": [method_config(old, search).model_dump(mode="json")], "seeds": [search.seed]}
    before = parse_config(alone, "of the search")
    config = parse_config(alone, "to fork by", settings)
    changed = {name for name in type(config).model_fields if getattr(config, name) != getattr(before, name)}
    if wrong := changed - _MAY_CHANGE:
        raise BadConfig(
            "a fork goes on with the same models and prompts", where=f"--set {min(wrong)}",
            mend=f"Set something of {', '.join(sorted(_MAY_CHANGE))}, or begin a new run",
        )  # fmt: skip
    if len(config.methods) != 1 or config.methods[0].name != before.methods[0].name:
        raise BadConfig(
            f"a fork goes on with {before.methods[0].name}", where="methods", mend="Change settings of methods.0 only"
        )
    return config


def _new_search(record: Record, config: RunConfig, search: SearchRow, node: str) -> NewSearch:
    history = record.history(search.id)
    ask = history.nodes[node].ask
    inherited = next(i for i, tell in enumerate(history.tells, 1) if tell.ask == ask)
    method: MethodConfig = config.methods[0]
    shape = fingerprint(shape_of(config, method))
    return NewSearch(
        search_key(search.prompt, search.occurrence, shape, search.seed, (search.id, inherited)),
        search.prompt, search.occurrence, called(method), version(method), method.model_dump(mode="json"), shape,
        search.seed, search.id, inherited,
    )  # fmt: skip
