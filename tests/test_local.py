"""A strong model on this machine: exact distributions, distinct first tokens, and how likely a given text is."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from flows.audit import audit
from flows.bench import open_bench
from flows.config import parse_config
from flows.plan import shape_of
from providers import (
    Blame,
    CallFailed,
    ContinuationRequest,
    Reply,
    StrongModel,
    StrongModelMisconfigured,
    StrongSettings,
)
from providers import open_strong_model as open_strong
from scoring import Candidate, WeakSettings, model_dir, open_pair
from scoring.log_ratio import LogRatio
from scoring.weighted import WeightedSum
from tests.tiny_model import save_tiny_adapter, save_tiny_gguf, save_tiny_model, save_tiny_pair

PROMPT, ANSWER = "The film that we saw last night was", " really"


@pytest.fixture(scope="module")
def folder() -> Path:
    return model_dir("embedded")


@pytest.fixture(scope="module")
def strong(folder: Path) -> Iterator[StrongModel]:
    opened = open_strong(StrongSettings(model=f"local/{folder}"))
    yield opened
    asyncio.run(opened.close())


def request(**given: Any) -> ContinuationRequest:
    return ContinuationRequest(PROMPT, ANSWER, **{"n": 4, "max_tokens": 6, "seed": 3, "logprobs": 5} | given)


@cache
def plain_model(folder: Path) -> tuple[Any, Any]:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return tokenizer, model


@torch.inference_mode()
def exact(folder: Path, text: str) -> torch.Tensor:
    """Log-probabilities (vocabulary) of what comes after a text, by transformers alone."""
    tokenizer, model = plain_model(folder)
    return torch.log_softmax(model(**tokenizer(text, return_tensors="pt")).logits[0, -1], dim=-1)


async def test_what_a_token_is_told_with_is_the_models_own_distribution(strong: StrongModel, folder: Path) -> None:
    reply = await strong.send(request(temperature=0.5, top_k=20))
    whole = exact(folder, PROMPT + ANSWER)
    tokenizer, _ = plain_model(folder)
    entropy = -float((whole.exp() * whole).sum()) / math.log(2)
    for continuation in reply.continuations:
        assert continuation.tokens is not None
        assert continuation.text == "".join(token.text for token in continuation.tokens)
        first = continuation.tokens[0]
        (token_id,) = tokenizer(first.text)["input_ids"]
        assert first.logprob == pytest.approx(float(whole[token_id]), abs=1e-3)
        assert first.entropy == pytest.approx(entropy, abs=1e-3)
        assert [p for _, p in first.top] == pytest.approx(whole.topk(5).values.tolist(), abs=1e-3)
        last = exact(folder, PROMPT + ANSWER + "".join(token.text for token in continuation.tokens[:-1]))
        (token_id,) = tokenizer(continuation.tokens[-1].text)["input_ids"]
        assert continuation.tokens[-1].logprob == pytest.approx(float(last[token_id]), abs=1e-3)


async def test_choices_depend_on_the_seed_and_their_place_alone(strong: StrongModel) -> None:
    four, again, two = [[c.text for c in (await strong.send(request(n=n))).continuations] for n in (4, 4, 2)]
    assert four == again and four[:2] == two and len(set(four)) > 1
    assert [c.text for c in (await strong.send(request(seed=4))).continuations] != four


def first_texts(reply: Reply) -> list[str]:
    return [continuation.tokens[0].text for continuation in reply.continuations if continuation.tokens]


async def test_first_tokens_are_distinct_where_that_is_wanted(strong: StrongModel) -> None:
    plain = first_texts(await strong.send(request(n=8, temperature=0.3)))
    distinct = first_texts(await strong.send(request(n=8, temperature=0.3, distinct=True)))
    assert len(set(plain)) < 8 and len(set(distinct)) == 8
    assert distinct[0] == plain[0]
    greedy = await strong.send(request(n=3, temperature=0.0, distinct=True))
    firsts = [c.tokens[0] for c in greedy.continuations if c.tokens]
    assert [token.text for token in firsts] == [text for text, _ in firsts[0].top[:3]]
    few = first_texts(await strong.send(request(n=4, top_k=2, distinct=True)))
    assert len(few) == 4 and len(set(few)) == 2


async def test_a_text_is_as_likely_as_it_was_when_it_was_written(strong: StrongModel) -> None:
    (written,) = (await strong.send(request(n=1, temperature=0.0, max_tokens=12))).continuations
    reply = await strong.send(request(n=1, max_tokens=1, draft=written.text))
    (read,) = reply.continuations
    assert written.tokens and read.tokens and read.text == written.text
    assert [token.text for token in read.tokens] == [token.text for token in written.tokens]
    assert [t.logprob for t in read.tokens] == pytest.approx([t.logprob for t in written.tokens], abs=1e-3)
    assert reply.usage.output == 0


async def test_an_answer_ends_at_a_stop_string_and_at_its_limit(strong: StrongModel) -> None:
    (whole,) = (await strong.send(request(n=1, temperature=0.0, max_tokens=12))).continuations
    assert whole.finish == "length" and whole.tokens and len(whole.tokens) == 12
    stop = whole.text[9:13]
    (cut,) = (await strong.send(request(n=1, temperature=0.0, max_tokens=12, stop=(stop,)))).continuations
    assert cut.finish == "stop" and cut.text == whole.text[: whole.text.index(stop)]


async def test_what_does_not_fit_is_refused_and_costs_nothing(tmp_path: Path) -> None:
    save_tiny_pair(tmp_path)
    strong = open_strong(StrongSettings(model=f"local/{tmp_path / 'model'}"))
    with pytest.raises(CallFailed, match="context") as caught:
        await strong.send(request(max_tokens=100_000))
    assert caught.value.blame is Blame.REQUEST and not caught.value.billed
    await strong.close()


async def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(StrongModelMisconfigured, match="cannot be loaded"):
        open_strong(StrongSettings(model=f"local/{tmp_path}"))


async def test_an_adapter_on_the_strong_model_makes_it_the_tuned_one(tmp_path: Path) -> None:
    pair = save_tiny_pair(tmp_path)
    asked = ContinuationRequest(PROMPT, "", 1, 8, temperature=0.0, logprobs=5)
    plain, adapted = [
        open_strong(StrongSettings(model=f"local/{pair.reference}", adapter=adapter))
        for adapter in (None, pair.adapter)
    ]
    ((before,), (found,)) = [(await strong.send(asked)).continuations for strong in (plain, adapted)]
    for strong in (plain, adapted):
        await strong.close()
    assert found.text == "".join(pair_scorer(pair).draft(PROMPT, 8).tokens) != before.text


@pytest.mark.parametrize("adapter", ["nowhere", "other"])
def test_an_adapter_that_does_not_fit_the_strong_model_is_told(tmp_path: Path, adapter: str) -> None:
    pair = save_tiny_pair(tmp_path)
    save_tiny_adapter(tmp_path / "other", save_tiny_model(tmp_path / "wide", hidden_size=64))
    with pytest.raises(StrongModelMisconfigured, match="is no adapter on") as told:
        open_strong(StrongSettings(model=f"local/{pair.reference}", adapter=str(tmp_path / adapter)))
    assert told.value.where == "strong.adapter"


def test_an_api_takes_no_adapter() -> None:
    with pytest.raises(StrongModelMisconfigured, match=r"strong\.adapter"):
        open_strong(StrongSettings(model="hosted_vllm/x", api_base="http://127.0.0.1:9/v1", adapter="a"))


def test_the_adapter_shapes_a_tree() -> None:
    def shape(**strong: Any) -> dict[str, Any]:
        config = parse_config({"strong": {"model": "local/smollm2"} | strong}, "of a test")
        return shape_of(config, config.methods[0])

    assert shape(adapter="a") != shape(adapter="b") != shape()
    assert "adapter" not in shape()["strong"]


async def test_smollm2_is_the_weak_pairs_reference(folder: Path) -> None:
    asked: list[str] = []

    def find(name: str) -> Path:
        asked.append(name)
        return model_dir(name)

    opened = open_strong(StrongSettings(model="local/smollm2"), find)
    (found,) = (await opened.send(request(n=1, max_tokens=1))).continuations
    await opened.close()
    assert asked == ["embedded"] and found.tokens
    top = exact(folder, PROMPT + ANSWER).topk(5).values.tolist()
    assert [p for _, p in found.tokens[0].top] == pytest.approx(top, abs=1e-3)


def test_a_local_model_has_no_address(folder: Path) -> None:
    with pytest.raises(StrongModelMisconfigured, match=r"strong\.api_base"):
        open_strong(StrongSettings(model=f"local/{folder}", api_base="http://127.0.0.1:9/v1"))


def test_an_api_is_not_asked_for_distinct_first_tokens() -> None:
    with pytest.raises(StrongModelMisconfigured, match="distinct_first_tokens"):
        open_strong(StrongSettings(model="hosted_vllm/x", api_base="http://127.0.0.1:9/v1", distinct_first_tokens=True))


async def test_a_search_of_a_local_model_stands_an_audit_and_knows_exact_entropies(tmp_path: Path) -> None:
    pair = save_tiny_pair(tmp_path)
    config = parse_config(
        {
            "strong": {"model": f"local/{pair.reference}", "distinct_first_tokens": True},
            "weak": pair.model_dump(mode="json"),
            "methods": [{"name": "aligntree", "limits": {"iterations": 6}, "chunk_tokens": 3, "children": 3}],
            "sampling": {"max_tokens": 12},
        },
        "of the test",
    )
    async with open_bench(config, str(tmp_path / "r.db")) as bench:
        run = await bench.begin([PROMPT])
        await bench.carry_out(run)
        (search,) = bench.record.searches(run)
        assert search.status == "done" and not audit(bench.record, run).faults
        history = bench.record.history(search.id)
    entropies = [row for rows in history.scores.values() for row in rows if row.name == "entropy"]
    assert {row.parts["rung"] for row in entropies} == {"exact"}
    # Random weights: almost every token is as likely as any other.
    assert all(0.9 * math.log2(49_152) < row.value <= math.log2(49_152) + 0.1 for row in entropies)


EFT = "The film that we saw last night was"


def pair_scorer(pair: WeakSettings) -> LogRatio:
    scorer = open_pair(pair)
    assert isinstance(scorer, LogRatio)
    return scorer


async def test_emulated_fine_tuning_of_the_reference_by_its_own_pair_is_the_tuned_model(tmp_path: Path) -> None:
    """l_reference + 1 (log p_tuned - log p_reference) is log p_tuned, up to what softmax takes away again."""
    pair = save_tiny_pair(tmp_path)
    scorer = pair_scorer(pair)
    strong = open_strong(StrongSettings(model=f"local/{pair.reference}", eft=1.0), steers=scorer.steering())
    reply = await strong.send(ContinuationRequest(EFT, "", 2, 8, temperature=0.0, logprobs=5))
    await strong.close()
    drafted = scorer.draft(EFT, 8)
    for continuation in reply.continuations:
        assert continuation.text == "".join(drafted.tokens) and continuation.tokens
        (of_tuned,) = scorer._read([Candidate(EFT, continuation.text, False)])
        told = sum(token.logprob for token in continuation.tokens)
        assert told == pytest.approx(float(of_tuned.log_probs[0].sum()), abs=1e-2)


async def test_a_half_of_the_log_ratio_is_half_the_way_in_logits(tmp_path: Path) -> None:
    pair = save_tiny_pair(tmp_path)
    steering = pair_scorer(pair).steering()
    strong = open_strong(StrongSettings(model=f"local/{pair.reference}", eft=0.5), steers=steering)
    (found,) = (await strong.send(ContinuationRequest(EFT, "", 1, 1, logprobs=5, seed=1))).continuations
    await strong.close()
    tokenizer, model = plain_model(Path(pair.reference))
    ids = tokenizer(EFT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        plain = model(input_ids=ids).logits[0, -1].log_softmax(-1)
    wanted = (plain + 0.5 * steering.begin()(ids)[0]).log_softmax(-1)
    assert found.tokens
    assert [p for _, p in found.tokens[0].top] == pytest.approx(wanted.topk(5).values.tolist(), abs=1e-3)


async def test_a_pair_with_other_tokens_steers_nobody(tmp_path: Path) -> None:
    save_tiny_gguf(tmp_path / "bytes.gguf")
    pair = save_tiny_pair(tmp_path)
    settings = StrongSettings(model=f"local/{tmp_path / 'bytes.gguf'}", eft=1.0)
    with pytest.raises(StrongModelMisconfigured, match="other tokens"):
        open_strong(settings, model_dir, pair_scorer(pair).steering())


def test_the_pair_steers_whatever_else_an_answer_is_worth(tmp_path: Path) -> None:
    scorer = pair_scorer(save_tiny_pair(tmp_path))
    assert WeightedSum(scorer, ()).steering().vocabulary == scorer.steering().vocabulary


def test_a_model_that_cannot_end_is_told(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "endless")
    for file in ("config.json", "generation_config.json", "tokenizer_config.json"):
        if (folder / file).is_file():
            told = json.loads((folder / file).read_text(encoding="utf-8"))
            told = {name: value for name, value in told.items() if not name.startswith("eos_token")}
            (folder / file).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(StrongModelMisconfigured, match="no end-of-sequence token"):
        open_strong(StrongSettings(model=f"local/{folder}"))


def test_an_api_is_not_steered() -> None:
    with pytest.raises(StrongModelMisconfigured, match=r"strong\.eft"):
        open_strong(StrongSettings(model="hosted_vllm/x", api_base="http://127.0.0.1:9/v1", eft=1.0))


async def test_a_steered_search_is_recorded_and_stands_an_audit(tmp_path: Path) -> None:
    pair = save_tiny_pair(tmp_path)
    config = parse_config(
        {
            "strong": {"model": f"local/{pair.reference}", "eft": 1.0},
            "weak": pair.model_dump(mode="json"),
            "methods": [{"name": "base"}, {"name": "wsd", "window": 2}],
            "sampling": {"max_tokens": 6, "temperature": 0.0},
        },
        "of the test",
    )
    async with open_bench(config, str(tmp_path / "r.db")) as bench:
        run = await bench.begin([EFT])
        await bench.carry_out(run)
        answers = {search.method: search.answer for search in bench.record.searches(run)}
        assert not audit(bench.record, run).faults
    base, wsd = answers["base"], answers["wsd"]
    assert base and wsd and base["text"] == wsd["text"]  # both are the tuned model's likeliest words
