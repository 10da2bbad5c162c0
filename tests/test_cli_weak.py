"""The verbs about weak pairs, from prompts to figures, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows import RunConfig
from flows.gold import judge
from tests.conftest import Told
from tests.tiny_model import save_tiny_model

KIND, UNKIND = (" a joy and a delight", " so lovely and warm"), (" dull and far too long", " a waste, just terrible")
OPENINGS = ("The film was", "Our room was", "The soup is", "My week was", "The park seemed", "This song is")


def write_samples(file: str) -> None:
    gold = judge("vader")
    lines = [{"prompt": p, "text": t, "gold": gold(p + t)} for p in OPENINGS for t in (*KIND, *UNKIND)]
    Path(file).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_from_prompts_to_preferences_to_an_adapter_to_its_figures(aligntree: Callable[..., Told]) -> None:
    save_tiny_model(Path("tiny"))
    Path("prompts.txt").write_text("\n".join(OPENINGS), encoding="utf-8")
    making = ("preferences", "-f", "prompts.txt", "-o", "made", "--reference", "tiny", "--set", "tokens=12")
    status, out, err = aligntree(*making, "--set", "choices=32", "--set", "margin=0.1")
    assert (status, "prompts 6/6" in err) == (0, True), err
    assert "from 192 samples of 6 prompts" in out
    assert "aligntree tune made/preferences.jsonl -o ADAPTER --reference tiny" in out
    made = Path("made/preferences.jsonl").read_text(encoding="utf-8")
    assert json.loads(made.split("\n")[0]).keys() >= {"prompt", "chosen", "rejected"}
    quick = ("--set", "epochs=3", "--set", "learning_rate=0.02", "--set", "batch=4")
    status, out, err = aligntree("tune", "made/preferences.jsonl", "-o", "tuned", "--reference", "tiny", *quick)
    assert (status, "steps" in err, "loss" in err) == (0, True, True), err
    assert "--set weak.reference=tiny --set weak.adapter=tuned" in out
    write_samples("samples.jsonl")
    pair = ("--set", "weak.reference=tiny", "--set", "weak.adapter=tuned")
    status, out, err = aligntree("doctor", "--weak", "samples.jsonl", *pair)
    assert (status, "texts 24/24" in err, "preference accuracy" in out) == (0, True, True), err
    status, out, _ = aligntree("doctor", "--weak", "samples.jsonl", *pair, "--json", "-q")
    figures = json.loads(out)
    assert (figures["prompts"], figures["texts"], figures["pairs"]) == (6, 24, 24)
    assert figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"]
    status, out, _ = aligntree("average", "tuned", "tuned", "-o", "mean", "--json")
    assert (status, json.loads(out)["folder"]) == (0, "mean")
    status, out, _ = aligntree(*making, "--set", "choices=32", "--set", "margin=0.1", "--json", "-q")
    assert (json.loads(out)["samples"], json.loads(out)["folder"]) == (
        192,
        "made",
    )  # as it was: nothing is sampled anew


@pytest.fixture
def recipe(formula_config: Callable[..., RunConfig]) -> str:
    config = formula_config(methods=[{"name": "best_of_n", "n": 4}, {"name": "base"}], gold="vader")
    Path("mine.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json())), encoding="utf-8")
    return "mine.yaml"


def test_export_writes_every_whole_answer_of_a_run(aligntree: Callable[..., Told], recipe: str) -> None:
    _, out, _ = aligntree("align", "The tide", "A letter", "-r", recipe, "--json", "-q")
    chosen = {(a["method"], a["prompt"]): (a["text"], a["value"], a["gold"]) for a in json.loads(out)["answers"]}
    status, out, _ = aligntree("export")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, len(lines)) == (0, 2 * (4 + 1))
    for (method, prompt), answer in chosen.items():
        of = [line for line in lines if (line["method"], line["prompt"]) == (method, prompt)]
        assert answer in [(line["text"], line["value"], line["gold"]) for line in of]
        assert answer[1] == max(line["value"] for line in of)
        assert len({line["text"] for line in of}) == len(of) == (4 if method == "best_of_n" else 1)
    assert aligntree("export", "-o", "answers.jsonl")[1] == "10 answers in answers.jsonl\n"
    assert Path("answers.jsonl").read_text(encoding="utf-8") == out


PAIR = '{"prompt": "It was", "chosen": " good", "rejected": " bad"}\n'

BAD_INPUT: dict[str, tuple[list[str], list[str]]] = {
    "no such file": (["tune", "none.jsonl", "-o", "x"], ["none.jsonl", "cannot be read"]),
    "no such setting": (["tune", "good.jsonl", "-o", "x", "--set", "heat=1"], ["heat: no such setting", "settings.md"]),
    "out of range": (["tune", "good.jsonl", "-o", "x", "--set", "beta=0"], ["beta = 0", "greater than 0"]),
    "no such reference": (["tune", "good.jsonl", "-o", "x", "--reference", "nowhere"], ["nowhere", "config.json"]),
    "bad template": (
        ["tune", "good.jsonl", "-o", "x", "--set", "weak.template={{ pro }}"],
        ["template", "'pro' is undefined"],
    ),
    "equal texts": (["tune", "equal.jsonl", "-o", "x"], ["equal.jsonl, line 2", "chosen and rejected are equal"]),
    "no prompts": (["preferences", "-f", "empty.txt", "-o", "x"], ["nothing to continue"]),
    "one choice": (["preferences", "-f", "some.txt", "-o", "x", "--set", "choices=1"], ["choices = 1"]),
    "samples without gold": (["doctor", "--weak", "good.jsonl"], ["good.jsonl, line 1", "text"]),
    "no samples": (["doctor", "--weak", "none.jsonl"], ["none.jsonl", "cannot be read"]),
    "half a character": (["preferences", "-f", "half.jsonl", "-o", "x"], ["prompt 1", "half a character"]),
    "a file as folder": (["preferences", "-f", "some.txt", "-o", "some.txt"], ["some.txt", "holds something else"]),
    "no such margin": (["doctor", "--weak", "samples.jsonl", "--margin", "3"], ["3 of gold apart"]),
    "no record": (["export"], ["aligntree.db"]),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_told_in_a_line_and_nothing_is_written(aligntree: Callable[..., Told], case: str) -> None:
    arguments, told = BAD_INPUT[case]
    Path("good.jsonl").write_text(PAIR, encoding="utf-8")
    Path("equal.jsonl").write_text(PAIR + PAIR.replace("bad", "good"), encoding="utf-8")
    Path("empty.txt").write_text("", encoding="utf-8")
    Path("some.txt").write_text("It was", encoding="utf-8")
    Path("half.jsonl").write_text('{"prompt": "a\\ud800"}', encoding="utf-8")
    write_samples("samples.jsonl")
    status, _, err = aligntree(*arguments)
    assert status == 2 and len(err.splitlines()) == 1, err
    assert all(part in err for part in told), err
    assert not Path("x").exists() and not Path("aligntree.db").exists()
