"""The terminal: progress, JSON, lists, completion and errors, as a person and as a program meet them."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import pytest
import typer
import yaml

from flows import RunConfig
from flows.cli import VERBS, app
from flows.progress import Watch, run_line
from flows.tally import Tally
from store import Record, Spent
from tests.conftest import Told
from tests.formula_api import FormulaAPI

COMMAND = (
    "import sys\n"
    "from flows.cli import main\n"
    "try: main()\n"
    "finally:\n"
    "  heavy = {'torch', 'prefect', 'litellm', 'transformers', 'numpy'} & set(sys.modules)\n"
    "  if heavy: print('heavy', heavy)"
)


@pytest.fixture
def recipe(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> str:
    """A recipe file against the loopback API, with prices."""
    deep = {"name": "aligntree", "limits": {"iterations": 3}, "children": 2, "widening": None}
    config = formula_config(
        name="mine", methods=[{"name": "base"}, deep], gold="vader", strong={"input_price": 1, "output_price": 2}
    )
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    return "mine.yaml"


def test_every_verb_that_prints_data_has_json_and_every_one_that_shows_progress_quiet() -> None:
    options = {
        name: {option for parameter in verb.params for option in parameter.opts}
        for name, verb in typer.main.get_group(app).commands.items()
    }
    assert len(options) == len(VERBS)
    without = {name for name, own in options.items() if "--json" not in own}
    assert without == {"serve", "export"}  # the one stays, the other's output is JSON already
    showing = {"align", "resume", "compare", "fork", "demo", "preferences", "tune", "doctor"}
    assert {name for name, own in options.items() if "--quiet" in own} == showing


def test_json_is_one_document_and_nothing_else_on_standard_output(
    aligntree: Callable[..., Told],
    recipe: str,
    formula_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(*arguments: str, status: int = 0) -> Any:
        left, out, err = aligntree(*arguments, "--json")
        assert left == status, err
        return json.loads(out, parse_constant=pytest.fail)

    begun = told("align", "The tide", "-r", recipe)
    run = begun["run_id"]
    searches = told("show")
    assert [(s["number"], s["method"], s["status"]) for s in searches["searches"]] == [
        (1, "base", "done"),
        (2, "aligntree", "done"),
    ]
    assert [s["answer"]["text"] for s in searches["searches"]] == [a["text"] for a in begun["answers"]]
    tree = told("show", run, "--search", "2")
    path = [node for node in tree["nodes"] if node["chosen"]]
    assert "".join(node["text"] for node in path) == begun["answers"][1]["text"]
    assert (tree["run"], path[-1]["value"]) == (run, begun["answers"][1]["value"])
    assert {n["level"] for n in told("show", "--search", "2", "--depth", "1")["nodes"]} == {1}
    assert told("resume", run)["answers"] == begun["answers"]
    assert told("audit")["faults"] == []
    assert told("replay", "--search", "2")[0]["number"] == 1
    assert told("explain", path[0]["node"][:12])["node"] == path[0]["node"]
    assert len(told("rerank", "--set", "weights={words: 1}")) == 2
    forked = told("fork", path[0]["node"][:12], "--set", "methods.0.limits.iterations=4")
    assert told("diff", run, forked["run_id"], status=1)
    assert told("report")["bytes"] == Path("report.html").stat().st_size
    assert aligntree("export", "--as", "run", "-o", "run.jsonl")[0] == 0
    assert forked["run_id"] in told("import", "run.jsonl", "--record", "other.db")["runs"]
    assert told("upgrade")["backup"] is None
    monkeypatch.setattr("flows.config.load_config", lambda *_: formula_config(methods=[{"name": "base"}]))
    assert len(told("demo", "--no-prefect")["answers"]) == 8
    assert {one["id"] for one in told("runs")} >= {run, forked["run_id"]}


def test_json_is_valid_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    from flows.cli.options import print_json

    print_json({"a": (float("nan"), [float("-inf"), 1.5]), "b": "half \ud83d of é"})
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=pytest.fail) == {"a": [None, [None, 1.5]], "b": "half \ud83d of é"}
    assert out.encode()


def test_runs_are_filtered_and_sorted(aligntree: Callable[..., Told], recipe: str, api: FormulaAPI) -> None:
    cheap = ("-m", "base", "-q", "--set")
    for arguments in (("a", "b", "-q", "--set", "name=large"), ("a", *cheap, "name=small"), ("a", *cheap, "name=free")):
        prices = ["strong.input_price=null", "strong.output_price=null"] if "name=free" in arguments else []
        more = [part for price in prices for part in ("--set", price)]
        assert aligntree("align", *arguments, *more, "-r", recipe)[0] == 0

    def names(*arguments: str) -> list[str]:
        return [run["name"] for run in json.loads(aligntree("runs", *arguments, "--json")[1])]

    assert names() == ["free", "small", "large"]
    assert names("--sort", "cost") == ["large", "small", "free"]
    assert names("--sort", "tokens")[0] == "large"
    assert names("--sort", "cost", "--limit", "1") == ["large"]
    assert names("--recipe", "small") == ["small"]
    assert names("--method", "aligntree") == ["large"]
    assert names("--model", "formula") == names() and names("--model", "gpt") == []
    assert names("--since", "1h") == names() and names("--since", "2999-01-01") == []
    assert names("--status", "done") == names() and names("--status", "unfinished") == []
    (large,) = json.loads(aligntree("runs", "--recipe", "large", "--json")[1])
    assert (large["status"], large["methods"]) == ("done", ["base", "aligntree"])
    record = Record.open("aligntree.db")
    try:
        total = record.totals(large["id"])
    finally:
        record.close()
    assert (large["requests"], large["nano_usd"]) == (total.calls, total.price)
    assert large["tokens"] == total.input_tokens + total.output_tokens
    (free,) = json.loads(aligntree("runs", "--recipe", "free", "--json")[1])
    assert free["nano_usd"] is None and free["tokens"] > 0
    out = aligntree("runs", "--recipe", "large")[1]
    assert large["id"][-12:] in out and "4 done" in out and str(large["tokens"]) in out


def test_a_run_that_was_cut_off_is_unfinished_and_one_whose_searches_failed_is_failed() -> None:
    from flows.listing import Listed, Wanted
    from store import RunRow

    def listed(**statuses: int) -> Listed:
        config = {"strong": {"model": "m"}, "methods": [{"name": "beam", "label": "wide"}]}
        return Listed(RunRow("r", 0, "n", config, {}, {}, {}, statuses), Spent())

    assert listed(done=3).status == "done"
    assert listed(done=3, failed=1).status == "failed"
    assert listed(done=3, failed=1, interrupted=1).status == listed(running=1).status == "unfinished"
    assert Wanted(method="wide").holds(listed()) and Wanted(method="beam").holds(listed())


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("90m", "2026-03-01T10:30"),
        ("12h", "2026-03-01T00:00"),
        ("2d", "2026-02-27T12:00"),
        ("1w", "2026-02-22T12:00"),
        ("2026-02-28", "2026-02-28T00:00"),
        ("2026-02-28T08:00+02:00", "2026-02-28T06:00"),
    ],
)
def test_since_takes_a_date_or_how_long_ago(text: str, then: str) -> None:
    from flows.listing import moment

    assert moment(text, datetime(2026, 3, 1, 12, tzinfo=UTC)) == datetime.fromisoformat(then).replace(tzinfo=UTC)


def completed(line: str, shell: str = "bash") -> list[str]:
    """What the shell is told, one a line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - (not line.endswith(" ")))}
    words |= {"_TYPER_COMPLETE_ARGS": line, "_ALIGNTREE_COMPLETE": f"complete_{shell}"}
    root = str(Path(__file__).parent.parent)
    told = subprocess.run(
        [sys.executable, "-c", COMMAND],
        env={**os.environ, **words, "PYTHONPATH": root},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout.split("\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("aligntree align --recipe s", ["sentiment", "story"]),
        ("aligntree align --recipe m", ["mine.yaml"]),
        ("aligntree serve comp", ["comparison"]),
        ("aligntree align --method be", ["best_of_n", "beam"]),
        ("aligntree compare --file held", ["held_out"]),
        ("aligntree align -f pr", ["prompts.txt"]),
        ("aligntree doctor --weak h", ["held_out"]),
        ("aligntree runs --sort c", ["cost"]),
        ("aligntree show 0", [""]),  # there is no record
    ],
)
def test_recipes_methods_and_prompts_are_completed_without_loading_anything_heavy(line: str, words: list[str]) -> None:
    for name in ("mine.yaml", "prompts.txt"):
        Path(name).touch()
    assert [word for word in completed(line) if word] == [word for word in words if word]
    assert not Path("aligntree.db").exists()


def test_run_ids_are_completed_from_the_record_without_loading_anything_heavy(
    aligntree: Callable[..., Told], recipe: str
) -> None:
    _, out, _ = aligntree("align", "a", "-r", recipe, "-m", "base", "-q", "--json", "--record", "r.db")
    run = json.loads(out)["run_id"]
    for line in ("show --record r.db ", f"resume --record r.db {run[:5]}", "explain x --record r.db --run "):
        assert run in completed(f"aligntree {line}")
    assert not any("heavy" in word for word in completed("aligntree show --record r.db "))
    assert f"{run}\tmine, text-completion-openai/formula, done" not in completed("aligntree show --record nowhere.db ")


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """What the command writes on standard error where that is a terminal."""
    reader, terminal = pty.openpty()
    root = str(Path(__file__).parent.parent)
    told = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal,
        env={**told, "TERM": "xterm", "PYTHONPATH": root, **variables},
    )  # fmt: skip
    found = left(reader, os.fdopen(terminal, "w"))
    assert child.wait() == 2
    return found


def test_errors_are_coloured_on_a_terminal_alone_and_not_under_no_color() -> None:
    assert on_a_terminal("runs").startswith("\x1b[31merror: ")
    assert on_a_terminal("runs", NO_COLOR="1").startswith("error: record sqlite:///aligntree.db: no such record")
    assert "\x1b" not in on_a_terminal("runs", NO_COLOR="1")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["align", "--foo"], "No such option: --foo. aligntree align --help tells more"),
        (["nosuch"], "No such command 'nosuch'. aligntree --help tells more"),
        (["runs", "--sort", "x"], "'x' is not one of 'when', 'cost', 'tokens', 'status'. aligntree runs --help"),
        (["runs", "--since", "x"], "--since: 'x' is no time. Such as"),
        (["explain"], "Missing argument 'node'. aligntree explain --help"),
        (["doctor"], "give MODEL, or --weak SAMPLES.jsonl. aligntree doctor --help"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_plain_line(
    aligntree: Callable[..., Told], arguments: list[str], told: str
) -> None:
    status, out, err = aligntree(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and told in err and "\x1b" not in err


def test_what_should_not_happen_is_told_in_a_line_too(
    aligntree: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ExceptionGroup("many", [KeyError("x\ny")])

    monkeypatch.setattr("flows.records.open_record", fails)
    status, out, err = aligntree("runs")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: KeyError: ") and "aligntree --debug" in err


def test_no_command_prints_the_help(aligntree: Callable[..., Told]) -> None:
    status, out, _ = aligntree()
    assert status == 0 and "Begin with: aligntree demo" in out


def test_a_reader_that_has_read_enough_is_no_error(aligntree: Callable[..., Told], recipe: str) -> None:
    aligntree("align", "a", "-r", recipe, "-m", "base", "-q")
    reader, writer = os.pipe()
    os.close(reader)
    root = str(Path(__file__).parent.parent)
    told = subprocess.run(
        [sys.executable, "-c", COMMAND, "runs", "--json"], env={**os.environ, "PYTHONPATH": root},
        stdout=writer, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (told.returncode, told.stderr) == (1, "")


def test_the_progress_line_tells_searches_nodes_a_second_tokens_money_values_and_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("flows.progress.time.monotonic", lambda: now[0])
    tally = Tally()
    line = run_line(tally)
    assert line() is None
    tally.searches, tally.most, tally.spent = 10, 500_000_000, 100_000_000  # an earlier sitting's
    assert line() == "searches 0/10  nodes 0  calls 0  tokens 0 in, 0 out  0.1000 of 0.5000 USD"
    now[0] += 20
    tally.done, tally.nodes, tally.calls, tally.input_tokens, tally.output_tokens = 2, 50, 9, 700, 300
    tally.spent, tally.best = 123_456_789, {"a": 1.0, "b": 2.5}
    assert line() == (
        "searches 2/10  nodes 50 (2.5/s)  calls 9  tokens 700 in, 300 out  0.1235 of 0.5000 USD  "
        "best value +2.50, mean +1.75  about 80 s left"
    )
    now[0] += 80
    tally.nodes, tally.most = 60, None
    told = line() or ""
    assert "nodes 60 (0.1/s)" in told and "  0.1235 USD  " in told and "about 7 min left" in told


def test_progress_is_live_on_a_terminal_plain_elsewhere_and_absent_when_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tally = Tally(searches=2, done=1)
    reader, terminal = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    for kind in ("terminal", "elsewhere", "quiet"):
        err = os.fdopen(terminal, "w") if kind == "terminal" else io.StringIO()
        monkeypatch.setattr(sys, "stderr", err)
        with Watch(run_line(tally), quiet=kind == "quiet"):
            pass
        told = err.getvalue() if isinstance(err, io.StringIO) else left(reader, err)
        assert ("searches 1/2" in told) == (kind != "quiet")
        assert ("\x1b" in told) == (kind == "terminal")
        assert kind == "terminal" or told.count("\n") == (kind == "elsewhere")


def left(reader: int, terminal: TextIO) -> str:
    """What was written on a terminal, which is closed."""
    terminal.close()
    found = b""
    try:
        while part := os.read(reader, 4096):
            found += part
    except OSError:  # the other end is closed
        pass
    os.close(reader)
    return found.decode()


def test_money_in_the_progress_line_is_what_the_record_says_when_a_run_is_gone_on_with(
    aligntree: Callable[..., Told], recipe: str
) -> None:
    aligntree("align", "a", "-r", recipe, "-m", "base", "--set", "budget.usd=1")
    (run,) = json.loads(aligntree("runs", "--json")[1])
    _, _, err = aligntree("fork", "x", "--set", "budget.usd=1")
    assert "error" in err
    _, _, err = aligntree("align", "b", "-r", recipe, "-m", "base", "--set", "budget.usd=1")
    (new, _) = json.loads(aligntree("runs", "--json")[1])
    assert f"{new['nano_usd'] / 1e9:.2g} of 1.0000 USD" in err
    assert run["nano_usd"] > 0
