"""Deployments: one command makes one, its parameters are the config, and no secret is ever one of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from prefect.utilities.callables import parameter_schema

from flows import RunConfig, align_new, load_config
from flows.deploying import deployment
from flows.errors import BadConfig
from flows.flow import PrefectUnreachable, check_server
from store import Record
from tests.conftest import Told
from tests.formula_api import FormulaAPI

ROOT = Path(__file__).parent.parent
CRON = "17 2 * * *"


@pytest.fixture
def recipe(formula_config: Callable[..., RunConfig]) -> str:
    config = formula_config(name="nightly", strong={"api_key_env": "MY_KEY"})
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    Path("prompts.txt").write_text("The tide\nA letter\n", encoding="utf-8")
    return "mine.yaml"


@pytest.fixture
def server(prefect: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The session's server as the environment tells it."""
    url = get_current_settings().api.url
    assert url is not None
    monkeypatch.setenv("PREFECT_API_URL", url)
    return url


def names_of(schema: dict[str, Any], at: dict[str, Any], prefix: str = "") -> set[str]:
    """All settings in a parameter's schema, under their whole names; those of lists and choices merged."""
    found = set[str]()
    target = schema["definitions"][at["$ref"].rpartition("/")[2]] if "$ref" in at else at
    for name, setting in target.get("properties", {}).items():
        found |= {f"{prefix}{name}"} | names_of(schema, setting, f"{prefix}{name}.")
    for part in (*at.get("anyOf", ()), *at.get("oneOf", ()), *([at["items"]] if "items" in at else ())):
        found |= names_of(schema, part, prefix)
    return found


def settings_of(value: Any, prefix: str = "") -> set[str]:
    if isinstance(value, dict):
        return {prefix + k for k in value}.union(*(settings_of(v, f"{prefix}{k}.") for k, v in value.items()))
    return set[str]().union(*(settings_of(v, prefix) for v in value)) if isinstance(value, list) else set()


def test_the_form_of_a_deployment_has_every_setting_and_no_secret() -> None:
    schema = parameter_schema(align_new).model_dump_for_openapi()
    told = names_of(schema, schema["properties"]["config"])
    for name in ("sentiment", "comparison", "gpt-3.5-turbo-instruct"):
        assert settings_of(load_config(name).model_dump(mode="json")) - told == set()
    assert schema["required"] == ["prompts", "config"]
    secret = {name for name in told if any(word in name.lower() for word in ("key", "secret", "password", "token"))}
    assert {name.rpartition(".")[2] for name in secret if "token" not in name} == {"api_key_env"}
    assert "record" not in schema["properties"]


async def test_deploy_makes_a_scheduled_deployment_that_refuses_a_bad_config(
    server: str, aligntree: Callable[..., Told], recipe: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")

    def deploy(*more: str) -> Told:
        return aligntree("deploy", recipe, "--file", "prompts.txt", "--work-pool", "machines", *more)

    status, _, err = await asyncio.to_thread(deploy)
    assert (status, "prefect work-pool create machines" in err) == (2, True), err
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="machines", type="process"))
        for cron in (CRON, "0 3 * * *"):  # the second changes it
            status, out, err = await asyncio.to_thread(deploy, "--cron", cron)
            assert status == 0, err
        assert "align-new/nightly" in out
        made = await client.read_deployment_by_name("align-new/nightly")
        assert made.work_pool_name == "machines"
        assert [s.schedule.cron for s in made.schedules] == ["0 3 * * *"]  # type: ignore[union-attr]
        assert made.entrypoint == "flows.scheduled.align_new"
        assert RunConfig.model_validate(made.parameters["config"]) == load_config(recipe)
        assert made.parameters["prompts"] == str(tmp_path / "prompts.txt")
        assert "sk-very-secret" not in made.model_dump_json()
        assert set(made.tags) == {"recipe:nightly", "model:text-completion-openai/formula"}
        for wrong in ({"searches_at_once": 0}, {"heat": 1}, {"strong": {"api_key_env": "sk-1 2"}}):
            with pytest.raises(PrefectHTTPStatusError):
                await client.create_flow_run_from_deployment(made.id, parameters={"config": wrong})


async def test_a_run_is_shared_by_as_many_flow_runs_as_the_deployment_says(
    server: str, aligntree: Callable[..., Told], recipe: str
) -> None:
    given = ["deploy", recipe, "--file", "prompts.txt", "--work-pool", "sharing", "--set", "name=shared"]
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="sharing", type="process"))
        status, _, err = await asyncio.to_thread(aligntree, *given, "--shards", "3")
        assert status == 0, err
        first, others = [await client.read_deployment_by_name(f"{flow}/shared") for flow in ("align-new", "align")]
        assert first.parameters["shards"] == 3
        assert (others.entrypoint, others.work_pool_name) == ("flows.flow.align_flow", "sharing")
        assert others.parameters == {}  # it is told the run's id
        with pytest.raises(PrefectHTTPStatusError):
            await client.create_flow_run_from_deployment(first.id, parameters={"shards": 0})
    status, _, err = await asyncio.to_thread(aligntree, *given, "--shards", "0")
    assert (status, "--shards" in err) == (2, True), err


def test_only_a_deployed_flow_is_shared(
    prefect: None, formula_config: Callable[..., RunConfig], recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIGNTREE_RECORD", str(Path("r.db").absolute()))
    with pytest.raises(BadConfig, match="shards = 3: this flow run is of no deployment"):
        asyncio.run(align_new("prompts.txt", formula_config(), shards=3))
    assert not Path("r.db").exists()


async def test_what_a_work_pool_runs_is_not_served_and_the_other_way_round(
    server: str, aligntree: Callable[..., Told], recipe: str
) -> None:
    given = [recipe, "--file", "prompts.txt", "--set", "name=one_or_other"]
    deploy = ["deploy", *given, "--work-pool", "mine"]
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="mine", type="process"))
        status, _, err = await asyncio.to_thread(aligntree, *deploy)
        assert status == 0, err
        status, out, err = await asyncio.to_thread(aligntree, "serve", *given)
        assert (status, out) == (2, "")
        assert "align-new/one_or_other: is a deployment of work pool mine already" in err
        made = await client.read_deployment_by_name("align-new/one_or_other")
        await client.delete_deployment(made.id)
        served = await asyncio.to_thread(deployment, load_config(recipe, ["name=one_or_other"]), "prompts.txt", None)
        await served.aapply()  # as serving does
        status, _, err = await asyncio.to_thread(aligntree, *deploy)
        assert (status, "is a deployment of aligntree serve already" in err) == (2, True), err


BAD: dict[str, tuple[list[str], str]] = {
    "cron": (["--cron", "at night"], "--cron 'at night': is no cron line"),
    "prompts": (["--file", "none.txt"], "none.txt: cannot be read"),
    "name": (["--set", "name=a/b"], "name = a/b: holds '/'"),
    "setting": (["--set", "searches_at_once=0"], "searches_at_once = 0"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_deployed_is_told_in_a_line(aligntree: Callable[..., Told], recipe: str, case: str) -> None:
    more, told = BAD[case]
    given = ["deploy", recipe, "--work-pool", "machines", *more]
    status, _, err = aligntree(*given, *([] if case == "prompts" else ["--file", "prompts.txt"]))
    assert (status, told in err) == (2, True), err
    assert len(err.strip().splitlines()) == 1


async def test_a_schedule_needs_a_server() -> None:
    none, gone = temporary_settings(restore_defaults={PREFECT_API_URL}), temporary_settings({PREFECT_API_URL: _NOBODY})
    with none, pytest.raises(PrefectUnreachable, match=r"PREFECT_API_URL: is not set\. Start a server"):
        await check_server(needed=True)
    with gone, pytest.raises(PrefectUnreachable, match=r"does not answer .*Start it$"):
        await check_server(needed=True)


_NOBODY = "http://127.0.0.1:9/api"


def test_the_deployment_in_prefect_yaml_is_the_built_in_recipe() -> None:
    (made,) = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert RunConfig.model_validate(made["parameters"]["config"]) == load_config("sentiment")
    module, _, name = made["entrypoint"].rpartition(".")
    assert (module, name) == (align_new.fn.__module__, align_new.fn.__name__)
    assert set(made["tags"]) == {"recipe:sentiment", "model:embedded"}


_SERVE = """
import sys
from flows import deploying
from tests import formula_flows  # scores by formula; so do its flow runs' processes
made = deploying.deployment
def by_formula(*given):
    found = made(*given)
    found.entrypoint = "tests.formula_flows.align_new"
    return found
deploying.deployment = by_formula
from flows.cli import main
main()
"""


@contextmanager
def serving(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PREFECT_RUNNER_POLL_FREQUENCY": "1", "PYTHONPATH": str(ROOT)}
    with Path("served").open("w", encoding="utf-8") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "serve", *arguments], env=environment, stdout=told, stderr=told, text=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def served() -> str:
    return Path("served").read_text(encoding="utf-8")


async def test_one_command_serves_a_schedule_from_one_process(
    server: str, api: FormulaAPI, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    more = "--file", "prompts.txt", "--cron", CRON, "--record", "served.db", "--set", "name=served"
    with serving(recipe, *more) as process:
        while "serving align-new/served" not in served():
            assert process.poll() is None, served()
            await asyncio.sleep(0.2)
        async with get_client() as client:
            made = None
            while made is None or made.paused:
                await asyncio.sleep(0.2)
                found = await client.read_deployments()
                made = next((d for d in found if d.name == "served"), None)
            flow_run: FlowRun = await client.create_flow_run_from_deployment(made.id)
            while not (flow_run.state and flow_run.state.is_final()):
                assert process.poll() is None
                await asyncio.sleep(0.5)
                flow_run = await client.read_flow_run(flow_run.id)
    assert flow_run.state.is_completed(), served()
    record = Record.open("served.db")
    assert record.run().statuses == {"done": 2}
    record.close()
    assert "sk-very-secret" not in served()
