"""The recipes for the papers' tasks and for a closed endpoint: each searches as it says, or tells what it lacks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scoring
from flows.config import load_config
from scoring import WeakModelMissing, model_dir
from store import Record
from tests.conftest import Told
from tests.formula_api import MODEL, FormulaAPI

POSTS = ["SUBREDDIT: r/tea\nTITLE: My kettle\nPOST: It leaks.", "SUBREDDIT: r/cats\nTITLE: Stairs\nPOST: He sings."]


@pytest.fixture
def searched(aligntree: Callable[..., Told], api: FormulaAPI) -> Callable[..., dict[str, Any]]:
    """Carry out a recipe against the loopback API, on short answers."""

    def search(recipe: str, prompts: list[str], *settings: str) -> dict[str, Any]:
        Path("prompts.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts), encoding="utf-8")
        given = (f"strong.api_base={api.base}", "sampling.max_tokens=12", *settings)
        told = [part for setting in given for part in ("--set", setting)]
        status, out, err = aligntree("align", "-f", "prompts.jsonl", "-r", recipe, *told, "--json", "-q")
        assert status == 0, err
        summary: dict[str, Any] = json.loads(out)
        return summary

    return search


def test_tldr_summarises_posts_by_every_method_and_ends_at_the_line(
    searched: Callable[..., dict[str, Any]], api: FormulaAPI
) -> None:
    few = ("methods.1.n=4", "methods.3.limits.iterations=4")
    summary = searched("tldr", POSTS, f"strong.model=hosted_vllm/{MODEL}", *few)
    found = [(answer["prompt"], answer["method"], answer["status"]) for answer in summary["answers"]]
    methods = ("base", "best_of_n", "beam", "aligntree")
    assert sorted(found) == sorted((post, method, "done") for post in POSTS for method in methods)
    assert all(request["prompt"].startswith(tuple(f"{post}\n\nTL;DR:" for post in POSTS)) for request in api.requests)
    assert all((request["stop"], request["top_k"]) == (["\n"], 50) for request in api.requests)


def test_tldr_has_the_papers_settings() -> None:
    config = load_config("tldr")
    paper = config.methods[3].model_dump()
    assert (paper["limits"]["iterations"], paper["children"], paper["chunk_tokens"]) == (100, 3, 4)
    assert (paper["exploration"], paper["entropy_weight"], config.sampling.max_tokens) == (1.5, 0.2, 128)


def test_instructions_are_answered_and_exported_for_alpaca_eval(
    searched: Callable[..., dict[str, Any]], aligntree: Callable[..., Told], api: FormulaAPI
) -> None:
    summary = searched("instructions", ["Name a tea.", "Why is it wet?"], f"strong.model=hosted_vllm/{MODEL}")
    assert all(
        "user<|end_header_id|>\n\nName a tea.<|eot_id|>" in r["prompt"] or "wet" in r["prompt"] for r in api.requests
    )
    assert aligntree("export", "--as", "alpaca_eval", "-o", "outputs.json")[0] == 0
    outputs = json.loads(Path("outputs.json").read_text(encoding="utf-8"))
    assert [(o["instruction"], o["output"]) for o in outputs] == [(a["prompt"], a["text"]) for a in summary["answers"]]
    assert {o["generator"] for o in outputs} == {f"hosted_vllm/{MODEL} {m}" for m in ("base", "best_of_n", "beam")}


def test_closed_searches_within_its_dollars(
    searched: Callable[..., dict[str, Any]], api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "k-123")
    api.seeds = False  # Claude takes none: each request is drawn anew
    own = (f"strong.api_base={api.base.removesuffix('/v1')}", "strong.api_key_env=SOME_KEY")
    many = ("methods.0.width=8", "methods.0.children=16", "methods.0.chunk_tokens=1")  # which the API never ends early
    summary = searched("closed", ["Name a tea."], *own, *many, "budget.usd=0.002")
    (answer,) = summary["answers"]
    assert answer["why"].startswith("budget.usd = 0.002: the next request could take")
    assert 0 < summary["totals"]["price"] <= 2_000_000
    assert {request["model"] for request in api.requests} == {"claude-haiku-4-5"}


@pytest.mark.parametrize(
    ("recipe", "mend"),
    [
        ("instructions", "hf download HuggingFaceH4/"),
        ("tldr", "aligntree tune makes one"),
    ],
)
def test_a_recipe_that_lacks_its_pair_says_how_to_get_it_before_money_or_rows(
    recipe: str, mend: str, aligntree: Callable[..., Told], api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.bench.open_scorer", scoring.open_scorer)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(Path("cache").absolute()))
    status, out, err = aligntree("align", "x", "-r", recipe, "--set", f"strong.api_base={api.base}", "-q")
    assert (status, out, err.count("\n"), mend in err) == (2, "", 1, True), err
    assert api.requests == []
    record = Record.open("aligntree.db")
    try:
        assert record.runs() == []
    finally:
        record.close()


def test_a_model_of_the_hub_is_found_where_it_was_downloaded_and_never_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Path("cache").absolute()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    with pytest.raises(WeakModelMissing, match=r"no download of that name.*hf download some-org/a\.model"):
        model_dir("some-org/a.model")
    snapshot = cache / "models--some-org--a.model" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0123", encoding="utf-8")
    assert model_dir("some-org/a.model") == snapshot
    own = Path("some-org/a.model")
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}", encoding="utf-8")
    assert model_dir("some-org/a.model") == own  # what is here comes first
    for name in ("nowhere", "a/b/c", "../up"):
        with pytest.raises(WeakModelMissing, match=r"config\.json not found"):
            model_dir(name)
