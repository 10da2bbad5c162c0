"""The tutorial's commands, carried out in its order: the loopback API stands for the strong models, a formula for the
weak pair. `llama.cpp`'s server is the real one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from providers import embedded
from store import Record
from tests.conftest import Told
from tests.docs_checks import write_recipes
from tests.formula_api import MODEL, FormulaAPI
from tests.markdown import ROOT, Command, blocks, commands

PAGE = ROOT / "docs/tutorial.md"
_SERVED = "http://127.0.0.1:8080/v1"
_REAL_PAIR = {"preferences", "tune"}  # and doctor --weak: test_tuning and test_cli_weak run these on a real pair


@pytest.fixture
def surroundings(api: FormulaAPI, monkeypatch: pytest.MonkeyPatch) -> FormulaAPI:
    """The built-in model is the loopback API; the recipes of the page lie here, and lead to it as well."""
    monkeypatch.setattr(embedded, "_NAME", MODEL)
    monkeypatch.setattr(embedded, "model_file", lambda: Path("none"))
    monkeypatch.setattr(embedded, "_start", lambda _: SimpleNamespace(listening_address=api.base.removesuffix("/v1")))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-a-test")
    write_recipes(PAGE)
    mine, closed = Path("mine.yaml"), Path("closed.yaml")
    mine.write_text(mine.read_text().replace(_SERVED, api.base).replace("/gemma", f"/{MODEL}"))
    closed.write_text(closed.read_text().replace("strong:\n", f"strong:\n  api_base: {api.base.removesuffix('/v1')}\n"))
    Path("openings.txt").write_text("The tide\nA letter\n")
    return api


def test_the_tutorial_does_what_it_says(surroundings: FormulaAPI, aligntree: Callable[..., Told]) -> None:
    done = [verb for command in commands(PAGE) if (verb := carry_out(command, aligntree))]
    assert {"runs", "show", "replay", "explain", "report", "align", "resume", "audit", "doctor", "export"} <= {*done}
    assert Path("report.html").stat().st_size > 100_000
    opened = Record.open("aligntree.db")
    assert {run.name for run in opened.runs()} == {"sentiment", "mine", "closed"}
    assert all(set(run.statuses) == {"done"} for run in opened.runs())
    opened.close()


def test_the_demo_tells_each_opening_twice_and_where_it_is_on_record(
    surroundings: FormulaAPI, aligntree: Callable[..., Told]
) -> None:
    status, out, err = aligntree("demo", "--no-prefect", "-q")
    assert status == 0, err
    opened = Record.open("aligntree.db")
    run = opened.run()
    searches = opened.searches(run.id)
    opened.close()
    assert [search.method for search in searches] == ["base", "aligntree"] * 8
    assert all(out.count(f"│ {method} ") == 8 + 1 for method in ("base", "aligntree"))  # and the means
    assert f"a tree: aligntree show {run.id} --search 2" in out


def carry_out(command: Command, aligntree: Callable[..., Told]) -> str | None:
    """Returns the verb that was run."""
    words = list(command.words)
    if command.program == "printf":
        Path("prompts.txt").write_text(words[0].replace("\\n", "\n"))
    if (command.program, words) == ("make", ["demo"]):
        words = ["align", "The movie was"]  # one of its openings
    elif command.program != "aligntree" or words[0] in _REAL_PAIR or "--weak" in words:
        return None
    words = [a_node() if word == "NODE" else word.replace("/gemma", f"/{MODEL}") for word in words]
    status, _, err = aligntree(*words)
    assert status == 0, f"{command}\n{err}"
    return words[0]


def a_node() -> str:
    opened = Record.open("aligntree.db")
    search = opened.searches(opened.run().id)[1]
    node = next(iter(opened.history(search.id).nodes))
    opened.close()
    return node[:8]


def test_the_tutorials_server_continues_texts(aligntree: Callable[..., Told]) -> None:
    """serve.py as the page has it, but on a free port, and `doctor` on it."""
    (block,) = blocks(PAGE, "python")
    assert "8080" in block.text
    Path("serve.py").write_text(block.text.replace("8080", "0"))
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen([sys.executable, "serve.py"], stdout=subprocess.PIPE, text=True, env=surroundings)
    try:
        assert server.stdout is not None
        address = next(found[1] for line in server.stdout if (found := re.match(r"serving (http\S+)", line)))
        write_recipes(PAGE)
        doctor = ("doctor", "text-completion-openai/gemma", "--recipe", "mine.yaml")
        _, told, err = aligntree(*doctor, "--set", f"strong.api_base={address}/v1")
    finally:
        server.kill()
        server.wait()
    page = PAGE.read_text(encoding="utf-8")
    seen = re.findall(r"^│ (?:mode|continued|choices|likeliest).*│$", told, re.M)
    assert len(seen) == 8, err
    assert all(line in page for line in seen)
