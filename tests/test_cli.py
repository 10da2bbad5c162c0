"""The command: the main job from the shell, and bad input told in a line before money or rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows import RunConfig, cli, resume
from store import Record
from tests.conftest import Told
from tests.formula_api import Fault, FormulaAPI


@pytest.fixture
def recipe(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> str:
    """A recipe file against the loopback API."""
    deep = {"name": "aligntree", "limits": {"iterations": 3}, "children": 2, "widening": None}
    config = formula_config(methods=[{"name": "base"}, deep], gold="vader")
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    return "mine.yaml"


def test_help_answers_at_once() -> None:
    command = str(Path(sys.executable).parent / "aligntree")
    seconds = []
    for _ in range(5):  # of CPU time: other tests run beside this one
        before = os.times()
        told = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(seconds) < 0.4
    assert all(
        verb in told.stdout
        for verb in ("align", "resume", "compare", "runs", "show", "export", "preferences", "tune", "doctor", "demo")
    )


def test_align_runs_shows_and_lists(aligntree: Callable[..., Told], recipe: str) -> None:
    status, out, err = aligntree("align", "The tide is out", "-r", recipe, "--set", "methods.1.limits.iterations=2")
    assert status == 0, err
    assert out.count("The tide") == 2
    assert "searches 2/2" in err
    status, out, _ = aligntree("align", "A letter", "-r", recipe, "--method", "aligntree", "--json", "--quiet")
    summary = json.loads(out)
    assert (summary["finished"], len(summary["answers"])) == (True, 1)
    status, out, _ = aligntree("runs", "--json")
    listed = json.loads(out)
    assert [run["id"] for run in listed] == sorted((run["id"] for run in listed), reverse=True)
    assert listed[0]["id"] == summary["run_id"]
    assert listed[1]["config"]["methods"][1]["limits"]["iterations"] == 2
    status, out, _ = aligntree("runs")
    assert summary["run_id"][-12:] in out
    status, out, _ = aligntree("show")
    assert status == 0
    assert "A letter" in out
    assert " V " in out
    assert "* " in out  # the chosen path
    status, out, _ = aligntree("show", listed[1]["id"][-8:])
    assert "--search 1" in out
    status, out, _ = aligntree("show", listed[1]["id"], "--search", "2", "--depth", "1")
    assert "children" in out


def test_prompts_come_from_a_text_file_jsonl_and_standard_input(
    aligntree: Callable[..., Told], recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    Path("prompts.txt").write_text("One\n\nTwo\n", encoding="utf-8")
    Path("prompts.jsonl").write_text('{"prompt": "Three\\nlines"}\n', encoding="utf-8")
    base = ("align", "-r", recipe, "-m", "base", "--json", "-q")
    found = [json.loads(aligntree(*base, "-f", file)[1]) for file in ("prompts.txt", "prompts.jsonl")]
    monkeypatch.setattr(sys, "stdin", io.StringIO("Four\n"))
    found.append(json.loads(aligntree(*base, "-f", "-")[1]))
    assert [[a["prompt"] for a in s["answers"]] for s in found] == [["One", "Two"], ["Three\nlines"], ["Four"]]


def test_resume_of_a_finished_run_prints_it_again_and_asks_nothing(
    aligntree: Callable[..., Told], recipe: str, api: FormulaAPI
) -> None:
    _, first, _ = aligntree("align", "The tide", "-r", recipe, "-q")
    paid = len(api.requests)
    status, again, _ = aligntree("resume", "-q")
    assert (status, again, len(api.requests)) == (0, first, paid)


async def test_the_python_face_does_what_the_command_does(formula_config: Callable[..., RunConfig]) -> None:
    from flows import align

    summary = await align(["The tide"], formula_config(), record="r.db")
    assert await resume(summary.run_id, record="r.db") == summary


def rows() -> int:
    """Runs in the default record; 0 where there is none."""
    if not Path("aligntree.db").is_file():
        return 0
    record = Record.open("aligntree.db")
    try:
        return len(record.runs())
    finally:
        record.close()


BAD_INPUT: dict[str, tuple[list[str], int, list[str]]] = {
    "unknown key": (["align", "x", "--set", "sampling.heat=1"], 2, ["sampling.heat", "docs/settings.md"]),
    "value out of range": (["align", "x", "--set", "sampling.max_tokens=0"], 2, ["sampling.max_tokens = 0", "greater"]),
    "unknown method": (["align", "x", "--method", "magic"], 2, ["magic", "'aligntree'"]),
    "unknown recipe": (["align", "x", "--recipe", "nowhere"], 2, ["nowhere", "sentiment"]),
    "missing recipe file": (["align", "x", "--recipe", "nowhere.yaml"], 2, ["nowhere.yaml"]),
    "bad setting": (["align", "x", "--set", "heat"], 2, ["--set", "KEY=VALUE"]),
    "empty prompt": (["align", "x", " "], 2, ["prompt 2", "empty"]),
    "no prompt": (["align"], 2, ["nothing to continue"]),
    "missing prompt file": (["align", "-f", "nowhere.txt"], 2, ["nowhere.txt"]),
    "prompt file of no text": (["align", "-f", "latin.txt"], 2, ["latin.txt", "UTF-8"]),
    "line without prompt": (["align", "-f", "bad.jsonl"], 2, ["bad.jsonl, line 2", "prompt"]),
    "unreachable server": (
        ["align", "x", "--set", "strong.api_base=http://127.0.0.1:9/v1"],
        1,
        ["127.0.0.1:9", "api_base"],
    ),
    "wrong key": (["align", "x", "--set", "strong.api_key_env=WRONG"], 2, ["key was refused", "WRONG"]),
    "model that is not there": (["align", "x", "--set", "strong.model=hosted_vllm/other"], 2, ["'other'", "formula"]),
    "chat model": (
        ["align", "x", "--set", "strong.model=openai/gpt-4o"],
        2,
        ["openai/gpt-4o", "--allow-approximate"],
    ),
    "key in the URL": (["align", "x", "--set", "strong.api_base=http://me:pass@h/v1"], 2, ["api_base", "api_key_env"]),
    "key in the URL's query": (["align", "x", "--set", "strong.api_base=http://h/v1?k=me:pass"], 2, ["api_base"]),
    "key for its variable": (["align", "x", "--set", "strong.api_key_env=sk-wrong-key"], 2, ["strong.api_key_env"]),
    "password with an at sign": (["align", "x", "--record", "mysql://u:p@me:pass@h/d"], 2, ["sqlite:///PATH"]),
    "record port that is no number": (["align", "x", "--record", "postgresql://h:abc/d"], 2, ["sqlite:///PATH"]),
    "setting below a text": (["align", "x", "--set", "name.a.b=1"], 2, ["--set name.a.b=1"]),
    "seed too large": (["align", "x", "--set", "seeds=[99999999999999999999]"], 2, ["seeds.0"]),
    "one price of two": (["align", "x", "--set", "strong.input_price=1"], 2, ["strong", "both or neither"]),
    "methods that are no list": (["align", "x", "--set", "methods=5"], 2, ["methods = 5"]),
    "key in the recipe": (
        ["align", "x", "--set", "strong.api_key=sk-wrong-key"],
        2,
        ["strong.api_key: no such setting"],
    ),
    "bad template": (["align", "x", "--set", "strong.template='{{ prompt'"], 2, ["strong.template", "Jinja"]),
    "budget without price": (["align", "x", "--set", "budget.usd=1"], 2, ["price", "input_price"]),
    "unknown record": (["align", "x", "--record", "mysql://h/d"], 2, ["sqlite:///PATH"]),
    "no record to show": (["show", "--record", "nowhere.db"], 2, ["no such record"]),
    "no run to resume": (["resume", "--record", "nowhere.db"], 2, ["no such record"]),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_told_in_a_line_before_money_or_rows(
    name: str, aligntree: Callable[..., Told], recipe: str, api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, expected, mentioned = BAD_INPUT[name]
    Path("latin.txt").write_bytes("déjà vu".encode("latin-1"))
    Path("bad.jsonl").write_text('{"prompt": "x"}\n{"text": "x"}\n', encoding="utf-8")
    if name == "wrong key":
        monkeypatch.setenv("WRONG", "sk-wrong-key")
        api.key = "sk-right-key"
    given = [*arguments, "-r", recipe] if arguments[0] == "align" and "--recipe" not in arguments else arguments
    status, out, err = aligntree(*given)
    assert status == expected
    (line,) = [text for text in err.splitlines() if not text.startswith("loading models")]
    assert line.startswith("error: ")
    for mention in mentioned:
        assert mention in line
    for secret in ("sk-wrong-key", "me:pass"):
        assert secret not in out + err
    assert api.requests == []
    assert rows() == 0


def test_a_missing_weak_model_and_a_newer_record_are_told_before_money_or_rows(
    aligntree: Callable[..., Told], recipe: str, api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import create_engine, text

    import scoring

    monkeypatch.setattr("flows.bench.open_scorer", scoring.open_scorer)
    status, _, err = aligntree("align", "x", "-r", recipe, "-q", "--set", "weak.adapter=nowhere")
    assert (status, err.count("\n"), "built-in adapters: sentiment" in err) == (2, 1, True)
    assert rows() == 0
    engine = create_engine("sqlite:///aligntree.db")
    with engine.begin() as connection:
        connection.execute(text("UPDATE aligntree_version SET version_num = '9999'"))
    engine.dispose()
    status, _, err = aligntree("align", "x", "-r", recipe, "-q")
    assert (status, err.count("\n"), "'9999' is newer" in err) == (2, 1, True)
    assert api.requests == []


def test_a_run_whose_searches_all_fail_exits_with_1(
    aligntree: Callable[..., Told], recipe: str, api: FormulaAPI
) -> None:
    usual = api.take
    api.take = lambda request: usual(request) or Fault(400)  # type: ignore[method-assign]
    status, _, err = aligntree("align", "x", "-r", recipe, "-q")
    assert (status, "2 of 2 searches brought no answer" in err) == (1, True)


async def test_no_prompts_are_told_before_the_probe(formula_config: Callable[..., RunConfig], api: FormulaAPI) -> None:
    from flows import align
    from flows.errors import BadPrompts

    for prompts in ([], ["x", ""]):
        with pytest.raises(BadPrompts):
            await align(prompts, formula_config(), record="r.db")
    assert api.requests == []


def test_jsonl_may_hold_unicode_line_separators_and_begin_with_a_byte_order_mark() -> None:
    from flows.prompts import read_prompts

    Path("prompts.jsonl").write_text('\ufeff{"prompt": "a\u2028b"}\r\n', encoding="utf-8")
    assert read_prompts([], "prompts.jsonl") == ["a\u2028b"]


def test_a_prefect_server_that_does_not_answer_is_told_before_money_or_rows(
    aligntree: Callable[..., Told], recipe: str, api: FormulaAPI
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        status, _, err = aligntree("align", "x", "-r", recipe, "-q")
    assert (status, "127.0.0.1:9" in err, "--no-prefect" in err) == (1, True, True)
    assert (api.requests, rows()) == ([], 0)


def test_debug_shows_the_traceback(aligntree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.errors import BadPrompts

    monkeypatch.setenv("ALIGNTREE_DEBUG", "")  # restored afterwards, whatever --debug sets
    monkeypatch.setattr(sys, "argv", ["aligntree", "--debug", "align"])
    with pytest.raises(BadPrompts):
        cli.main()
