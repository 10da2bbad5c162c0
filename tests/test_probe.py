"""The probe as a part of the record: reserved, paid for, audited, held for a day; and what is told of a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml
from sqlalchemy import func, select, text

from flows import RunConfig, align
from flows.audit import audit
from flows.bench import open_bench
from flows.probing import warnings_of
from providers import CallFailed, StrongSettings, open_strong_model
from store import OutOfBudget, Record
from store.database import connected
from store.schema import probe_calls
from store.settings import record_url as parse_url
from tests.conftest import Told
from tests.formula_api import PROBED, Fault, FormulaAPI

BASE = [{"name": "base"}]
PRICED = {"input_price": "1", "output_price": "2"}


async def test_a_probe_is_on_record_and_on_the_budget_like_any_call(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    summary = await align(["The tide"], formula_config(methods=BASE, strong=PRICED), record=record_url)
    assert summary.totals.calls == PROBED + 1 == len(api.probes) + len(api.requests)
    asked = sum(request["n"] * request["max_tokens"] for request in api.probes)
    assert summary.totals.output_tokens >= asked * 0.5  # some end before their limit
    with connected(parse_url(record_url)) as connection:
        spent = connection.execute(
            text("SELECT spent, reserved FROM budgets WHERE unit = 'nano_usd' AND scope = 'all'")
        ).one()
        rows = connection.execute(text("SELECT count(*), count(ok), sum(worst_tokens) FROM probe_calls")).one()
    assert spent == (summary.totals.price, 0)
    assert rows[:2] == (PROBED, PROBED)
    record = Record.open(record_url)
    assert audit(record, summary.run_id).faults == ()
    record.close()


async def test_what_a_probe_found_holds_for_a_day_and_for_the_same_endpoint_alone(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    config = formula_config(methods=BASE)
    for prompt in ("The tide", "A letter"):
        summary = await align([prompt], config, record=record_url)
    assert len(api.probes) == PROBED and summary.totals.calls == 1
    await align(["A boat"], formula_config(methods=BASE, strong={"template": "Q: {{ prompt }}"}), record=record_url)
    assert len(api.probes) == 2 * PROBED
    with connected(parse_url(record_url)) as connection:
        connection.execute(text("UPDATE probes SET created = created - 86400001"))
    await align(["A hill"], config, record=record_url)
    assert len(api.probes) == 3 * PROBED


async def test_a_probe_that_the_budget_does_not_cover_is_cut_off_and_no_run_begun(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    with pytest.raises(OutOfBudget, match="requests = 3"):
        await align(["The tide"], formula_config(budget={"requests": 3}), record=record_url)
    assert len(api.probes) == 3 and not api.requests
    record = Record.open(record_url)
    assert record.runs() == []
    record.close()


async def test_a_probe_that_failed_is_settled_and_asked_again_by_the_next_run(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    api.probe_faults = [Fault(503)]
    with pytest.raises(CallFailed, match="HTTP 503"):
        await align(["The tide"], formula_config(methods=BASE, strong={"retry_for": 0}), record=record_url)
    with connected(parse_url(record_url)) as connection:
        left = connection.execute(text("SELECT sum(reserved), count(*) FROM budgets WHERE scope = 'all'")).one()
    assert left[0] == 0
    summary = await align(["The tide"], formula_config(methods=BASE), record=record_url)
    assert summary.finished and len(api.probes) == 5 + PROBED


async def test_a_probe_is_tried_again_as_any_request_is_each_time_on_record(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str
) -> None:
    api.probe_faults = [Fault(429), Fault(503)]
    assert (await align(["The tide"], formula_config(methods=BASE), record=record_url)).finished
    with connected(parse_url(record_url)) as connection:
        counted = select(func.count(), func.count().filter(probe_calls.c.ok.is_(True))).select_from(probe_calls)
        assert connection.execute(counted).one() == (PROBED + 2, PROBED)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE probe_calls SET output_tokens = output_tokens + 1 WHERE number = 2",
        "DELETE FROM probe_calls WHERE number = 6",
        "UPDATE probes SET finding = '{}'",
    ],
)
async def test_a_changed_probe_is_found(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], record_url: str, change: str
) -> None:
    summary = await align(["The tide"], formula_config(methods=BASE), record=record_url)
    with connected(parse_url(record_url)) as connection:
        connection.execute(text(change))
    record = Record.open(record_url)
    assert any(fault.where.startswith("probe ") for fault in audit(record, summary.run_id).faults)
    record.close()


async def test_nodes_of_an_emulated_mode_are_marked_as_approximate(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    strong = {"model": "openai/formula", "allow_approximate": True}
    summary = await align(["The tide"], formula_config(strong=strong), record="r.db")
    assert summary.finished
    assert summary.warnings == (
        "openai/formula cannot continue an unfinished answer: its continuations are emulated, approximate",
    )
    record = Record.open("r.db")
    history = record.history(summary.answers[0].search_id)
    priors = [score for scores in history.scores.values() for score in scores if score.name == "prior"]
    assert {score.node_id for score in priors} == set(history.nodes)
    assert all(score.parts["approximate"] for score in priors)
    record.close()


def test_a_retired_model_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    config = RunConfig(strong=StrongSettings(model="text-completion-openai/gpt-3.5-turbo-instruct"))
    strong = open_strong_model(config.strong)
    assert strong.retires == date(2026, 9, 28)
    assert "was retired on 2026-09-28" in warnings_of(config, strong, date(2026, 11, 21))[0]
    assert "will be retired on 2026-09-28" in warnings_of(config, strong, date(2026, 8, 1))[0]
    assert warnings_of(config, strong, date(2026, 1, 1)) == []


async def test_the_doctor_tells_what_an_endpoint_does(
    aligntree: Callable[..., Told], api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    own = ["--set", f"strong.api_base={api.base}", "--set", "strong.input_price=0.5", "--set", "strong.output_price=2"]
    for _ in range(2):  # each time anew
        status, out, err = await asyncio.to_thread(aligntree, "doctor", "text-completion-openai/formula", *own)
        assert status == 0, err
        for told in ("completion", "mid-word", "breaks the word", "heeded", "0.5 USD per million", "no date is known"):
            assert told in out
    assert len(api.probes) == 2 * PROBED
    status, out, _ = await asyncio.to_thread(aligntree, "doctor", "text-completion-openai/formula", *own, "--json")
    assert json.loads(out)["finding"]["choices"] == 16  # as the recipe asks
    status, _, err = await asyncio.to_thread(aligntree, "doctor")
    assert status == 2 and "MODEL" in err
    status, _, err = await asyncio.to_thread(aligntree, "doctor", "openai/gpt-4o", *own)
    assert status == 2 and "--allow-approximate" in err


async def test_the_bench_probes_before_a_run_is_begun(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    async with open_bench(formula_config(methods=BASE), "r.db") as bench:
        assert len(api.probes) == PROBED
        assert bench.finding["strong"]["mode"] == "completion"
        assert await bench.begin(["The tide"]) != await bench.begin(["A letter"])


def test_the_settings_of_an_endpoint_come_from_yaml(aligntree: Callable[..., Told], api: FormulaAPI) -> None:
    config = {
        "strong": {
            "model": "openai/formula", "api_base": api.base, "endpoint": {"mode": "prefill", "logprobs": 3, "seed": ""},
        },
        "methods": BASE, "sampling": {"max_tokens": 4},
    }  # fmt: skip
    Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    status, _, err = aligntree("align", "The tide", "-r", "mine.yaml", "-q")
    assert status == 0, err
    assert all("seed" not in r and r["top_logprobs"] == 3 for r in [*api.probes, *api.requests])
