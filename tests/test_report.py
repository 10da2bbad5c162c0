"""The page of a run: what is in it is what the record says, and nothing of it is taken for HTML."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from flows import RunConfig, align
from flows.errors import RunInterrupted
from flows.explain import explain
from flows.fork import fork
from flows.methods import AlignTree, Refine, called
from flows.replay import replayed
from flows.report import write_report
from flows.report.searches import search_tree
from flows.run import summarize
from flows.steps import steps
from store import Record, RunRow, SearchRow, upgrade_record
from tests.conftest import Told
from tests.formula_api import Fault, FormulaAPI
from tests.report_page import Page, body, put_texts_on_record
from tests.test_judge import judge_at
from tests.test_upgrade import OLD

ALIGNTREE = {"name": "aligntree", "limits": {"iterations": 6}, "children": 2, "chunk_tokens": 2}
METHODS = [
    {"name": "base"},
    ALIGNTREE,
    ALIGNTREE | {"label": "abreast", "in_flight": 3, "limits": {"iterations": 9}},
    {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 3},
    {"name": "best_of_n", "n": 3},
    {"name": "wsd", "window": 3, "gamma": 0.5},
    {"name": "refine", "n": 2, "turns": 2},
]


def page_of(record: str = "r.db") -> Page:
    with closing(Record.open(record)) as opened:
        assert write_report(opened, opened.run(), Path("report.html")) == Path("report.html").stat().st_size
    assert not Path("report.html.part").exists()
    return Page(Path("report.html"))


def assert_told_as_replayed(record: Record, run: RunRow, row: SearchRow, told: dict[str, Any]) -> None:
    method = replayed(record, run, row)
    nodes, by_number = method.tree.nodes, [node["id"] for node in told["nodes"]]
    assert by_number == list(nodes)
    for node, says in zip(nodes.values(), told["nodes"], strict=True):
        assert (says["text"], says["finish"], says["revision"]) == (node.text, node.finish, node.revision)
        assert (says["value"], says["parts"]) == (node.value, dict(node.parts))
        assert (says["returns"], says["visits"], says["level"]) == (node.best, node.visits, node.level)
        assert says["parent"] == (None if node.parent is None else by_number.index(node.parent.id))
        assert (says["prior"] or {"value": 1.0})["value"] == node.prior
        if node.parent is not None:
            assert says["prior"]["rung"]
        if node.entropy:
            assert says["entropy"]["value"] == node.entropy
            assert says["entropy"]["bounds"][0] <= node.entropy <= says["entropy"]["bounds"][1]
    told_steps = steps(record, run, row)
    assert [step | {"node": None} for step in told["steps"]] == [vars(step) | {"node": None} for step in told_steps]
    assert [by_number[step["node"]] for step in told["steps"] if step["node"] is not None] == [
        step.node for step in told_steps if step.node
    ]
    visits: dict[int, int] = {}
    for after, changed in enumerate(told["visits"]):
        visits |= dict(changed)
        there = [number for number, node in enumerate(told["nodes"]) if node["step"] <= after]
        assert sorted(visits) == there
        if after:
            assert len(there) - 1 == told["steps"][after - 1]["nodes"]
    assert visits == {number: node["visits"] for number, node in enumerate(told["nodes"])}
    chosen = method.result().node
    assert told["chosen"] == (None if chosen is None else by_number.index(chosen))


async def test_what_is_embedded_is_what_replay_and_summary_say(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(
        methods=METHODS, gold="vader", sampling={"stop": ["cold"]}, strong={"input_price": 1.0, "output_price": 2.0}
    )
    summary = await align(["The tide", "The tide"], config, record="r.db")
    page = page_of()
    overview = page.data["overview"]
    record = Record.open("r.db")
    run = record.run()
    assert overview["finished"] and overview["prompts"] == 2
    for row, search, answer in zip(record.searches(run.id), overview["searches"], summary.answers, strict=True):
        assert {name: search[name] for name in ("text", "value", "gold", "why")} == {
            name: getattr(answer, name) for name in ("text", "value", "gold", "why")
        }
        told = page.data[f"tree-{row.position}"]
        assert_told_as_replayed(record, run, row, told)
        assert told["nodes"][told["chosen"]]["id"] == (row.answer or {})["node"]
    assert overview["totals"].items() >= vars(summary.totals).items()
    assert [of["method"] for of in overview["methods"]] == [*map(called, config.methods)]
    for of in overview["methods"]:
        golds = [answer.gold for answer in summary.answers if answer.method == of["method"]]
        assert of["gold"] == pytest.approx(sum(gold or 0 for gold in golds) / 2)
    assert [row["prompt"] for row in overview["rows"]] == ["The tide", "The tide"]
    for row in overview["rows"]:
        cells = [overview["searches"][number] for number in row["cells"]]
        assert {cell["prompt"] for cell in cells} == {row["prompt"]}
        assert [cell["method"] for cell in cells] == [of["method"] for of in overview["methods"]]
    assert dict(overview["probe"])["mode"] == "completion"
    record.close()


async def test_the_call_of_a_node_is_the_one_that_brought_it(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(methods=[ALIGNTREE], strong={"input_price": 1.0, "output_price": 2.0})
    summary = await align(["The tide"], config, record="r.db")
    page = page_of()
    tree, calls = page.data["tree-0"], page.data["calls-0"]
    for node in tree["nodes"][1:]:
        brought = "".join(body(call) for call in calls[node["call"]])
        assert json.dumps(node["text"])[1:-1] in brought
    spent = [call["reply"] for of_ask in calls.values() for call in of_ask]
    probe = page.data["overview"]["totals"]["price"] - sum(reply["price"] for reply in spent)
    assert probe > 0 and all(reply["price"] > 0 for reply in spent)
    assert summary.totals.price == page.data["overview"]["totals"]["price"]


async def test_a_node_is_told_with_the_prior_and_entropy_that_explain_tells(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    await align(["The tide"], formula_config(methods=[ALIGNTREE]), record="r.db")
    nodes = page_of().data["tree-0"]["nodes"]
    record = Record.open("r.db")
    by_id = {node["id"]: node for node in nodes}
    for node in nodes[1:]:
        explained = explain(record, record.run(), node["id"])
        for choice in (choice for level in explained.levels for choice in level.choices if choice.node):
            assert by_id[choice.node]["prior"]["value"] == choice.prior
        above = nodes[node["parent"]]
        assert explained.levels[-1].entropy == above["entropy"]["value"]
    record.close()


async def test_a_fork_tells_what_it_inherited_with_the_calls_that_paid_for_it(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    await align(["The tide"], formula_config(methods=[ALIGNTREE | {"in_flight": 2}]), record="r.db")
    record = Record.open("r.db")
    (parent,) = record.searches(record.run().id)
    node = next(node for node in record.history(parent.id).nodes.values() if node.ask == 3)
    await fork(node.id[:12], ["methods.0.limits.iterations=9"], record="r.db")
    run = record.run()
    (row,) = record.searches(run.id)
    page = page_of()
    tree, calls = page.data["tree-0"], page.data["calls-0"]
    assert_told_as_replayed(record, run, row, tree)
    inherited = [node for node in tree["nodes"][1:] if node["step"] == 0]
    assert inherited and {node["call"].split("/")[0] for node in inherited} == {parent.id}
    assert all(calls[node["call"]] for node in tree["nodes"][1:])
    record.close()


@pytest.mark.parametrize("mode", ["completion", "whole"])
async def test_a_judged_answer_is_told_with_the_judges_call(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], mode: str
) -> None:
    """Also where whole answers were sampled and cut into chunks."""
    strong = {"model": "openai/formula", "endpoint": {"mode": "whole"}} if mode == "whole" else {}
    longer = ALIGNTREE | {"limits": {"iterations": 8}, "children": 3, "chunk_tokens": 4}
    config = formula_config(methods=[longer], strong=strong, judge=judge_at(api.base))
    await align(["The tide"], config, record="r.db")
    page = page_of()
    tree, calls = page.data["tree-0"], page.data["calls-0"]
    record = Record.open("r.db")
    run = record.run()
    assert_told_as_replayed(record, run, record.searches(run.id)[0], tree)
    record.close()
    judged = [node for node in tree["nodes"] if node["judge"] is not None]
    assert judged
    for node in judged:
        ask, part = node["judge_call"]
        (call,) = [call for call in calls[ask] if call["part"] == part]
        assert call["reply"]["failure"] is None and body(call)


async def test_a_run_that_was_cut_off_is_told_as_far_as_it_came(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    api.faults = [None, None, *[Fault(503)] * 200]
    with pytest.raises(RunInterrupted):
        await align(
            ["The tide", "A letter"], formula_config(methods=METHODS[:2], strong={"retry_for": 0}), record="r.db"
        )
    page = page_of()
    overview = page.data["overview"]
    assert not overview["finished"] and overview["statuses"].keys() & {"interrupted", "waiting"}
    record = Record.open("r.db")
    run = record.run()
    for row in record.searches(run.id):
        assert_told_as_replayed(record, run, row, page.data[f"tree-{row.position}"])
    failed = [
        call
        for calls in page.data.values()
        if isinstance(calls, dict)
        for of in calls.values()
        if isinstance(of, list)
        for call in of
        if isinstance(call, dict) and call.get("reply", {}).get("failure")
    ]
    assert failed and failed[0]["reply"]["failure"]["status"] == 503
    record.close()


async def test_a_run_that_has_not_begun_its_work_has_a_page(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None:
        return None

    await align(["The tide"], formula_config(methods=METHODS), record="r.db", through=nothing)
    page = page_of()
    assert page.data["overview"]["statuses"] == {"waiting": len(METHODS)}
    assert [len(page.data[f"tree-{number}"]["nodes"]) for number in range(len(METHODS))] == [1] * len(METHODS)


@pytest.mark.parametrize(("method", "settings"), [(AlignTree, ALIGNTREE), (Refine, METHODS[-1])])
async def test_a_search_of_another_version_is_drawn_from_its_rows(
    api: FormulaAPI,
    formula_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
    method: type[AlignTree] | type[Refine],
    settings: dict[str, Any],
) -> None:
    await align(["The tide"], formula_config(methods=[settings]), record="r.db")
    record = Record.open("r.db")
    run = record.run()
    (row,) = record.searches(run.id)
    before = search_tree(record, run, row)
    monkeypatch.setattr(method, "VERSION", method.VERSION + 1)
    after = search_tree(record, run, row)
    assert "version" in after["note"] and before["note"] is None
    assert after["chosen"] == before["chosen"] and not after["steps"]
    unknown = {"step": 0, "visits": 0, "returns": 0.0}
    assert [node | unknown for node in after["nodes"]] == [node | unknown for node in before["nodes"]]
    record.close()


@pytest.mark.parametrize("old", OLD, ids=lambda file: file.stem)
def test_runs_of_earlier_schemas_have_a_page(old: Path) -> None:
    with closing(sqlite3.connect("r.db")) as connection:
        connection.executescript(old.read_text(encoding="utf-8"))
    upgrade_record("r.db")
    page = page_of()
    for number, search in enumerate(page.data["overview"]["searches"]):
        tree = page.data[f"tree-{number}"]
        assert len(tree["nodes"]) - 1 == search["nodes"] and tree["chosen"] is not None
        assert "".join(node["text"] for node in path_to(tree, tree["chosen"])) == search["text"]


def path_to(tree: dict[str, Any], number: int | None) -> list[dict[str, Any]]:
    """From the root down."""
    if number is None:
        return []
    node = tree["nodes"][number]
    return [*path_to(tree, node["parent"]), node]


HOSTILE = [
    "</script><script>document.title = 'attacked'</script>",
    "<!-- <script> -->",
    "<img src=x onerror=\"document.title = 'attacked'\">",
    "]]>\u2028\u2029 {{ 7 * 7 }} {% raw %} ' & \" \\",
    "\u202eright to left\u202c \u0634\u062c\u0631\u0629 \u05e2\u05e5 \u2067\u200f",
    "NUL \x00, half \ud83d, \x1a0000, \x7f\x9b",
    "\U0001f333 tree",
]


async def test_no_text_is_taken_for_html() -> None:
    prompt = "</script>" + HOSTILE[3]
    await put_texts_on_record("r.db", prompt, HOSTILE)
    page = page_of()
    assert [node["text"] for node in page.data["tree-0"]["nodes"][1:]] == HOSTILE
    assert page.data["overview"]["searches"][0]["prompt"] == prompt
    blocks = page.texts("script", "application/json")
    assert len(blocks) == 3 and len(page.texts("script")) == 1
    assert all(block.isascii() and not re.search("[<>&']", block) for block in blocks)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


async def test_an_answer_of_a_megabyte_is_told_whole() -> None:
    long = "A word and <b>. " * 65_536
    await put_texts_on_record("r.db", "The tide", [long])
    page = page_of()
    assert page.data["tree-0"]["nodes"][1]["text"] == page.data["overview"]["searches"][0]["text"] == long


async def test_the_page_asks_nobody_for_anything() -> None:
    await put_texts_on_record("r.db", "See https://example.org/x.js", ['<script src="https://example.org/x.js">'])
    page = page_of()
    assert {name for _, name, _ in page.attributes}.isdisjoint({"src", "href", "srcset", "action", "data", "style"})
    (style,), (script,) = page.texts("style"), page.texts("script")
    assert not re.search(r"url\(|@import|@font-face", style)
    (policy,) = [
        value or "" for tag, name, value in page.attributes if name == "content" and "default-src" in (value or "")
    ]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )  # with the hashes of what is in the file: nothing else runs, and nothing is fetched


async def test_keys_are_not_on_the_page(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-0123456789abcdef"
    api.key = key
    monkeypatch.setenv("FORMULA_KEY", key)
    api.faults = [Fault(500, json.dumps({"error": {"message": f"key {key}"}}).encode())]
    await align(["The tide"], formula_config(methods=[ALIGNTREE], strong={"api_key_env": "FORMULA_KEY"}), record="r.db")
    page = page_of()
    calls = [call for of_ask in page.data["calls-0"].values() for call in of_ask]
    assert any(call["reply"]["failure"] for call in calls)
    assert key not in page.text and not any(key in body(call) for call in calls)


def test_the_vendored_library_is_the_one_that_is_written_down() -> None:
    vendor = files("flows.report") / "vendor"
    noted = json.loads((vendor / "vendored.json").read_text())
    assert noted.keys() == {entry.name for entry in vendor.iterdir() if entry.name.endswith(".js")}
    for name, of in noted.items():
        content = (vendor / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == of["sha256"]
        assert f"v{of['version']} ".encode() in content[:100]
        assert "Permission to use, copy, modify" in (vendor / of["license_file"]).read_text()


async def test_the_command(
    aligntree: Callable[..., Told], api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    summary = await align(["The tide"], formula_config(methods=[ALIGNTREE]), record="aligntree.db")
    status, out, err = await asyncio.to_thread(aligntree, "report", "-o", "mine.html")
    assert status == 0, err
    assert summary.run_id in out and "mine.html" in out
    assert Page(Path("mine.html")).data["overview"]["run"] == summary.run_id
    status, _, err = await asyncio.to_thread(aligntree, "report", "no-such-run")
    assert status == 2 and "aligntree runs" in err
    with closing(Record.open("aligntree.db")) as record:
        assert summarize(record, summary.run_id, formula_config()).finished
