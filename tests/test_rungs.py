"""What an endpoint withholds, one thing at a time: a search comes to its answer without it, and the record says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from flows import RunConfig, align, resume
from flows.bench import open_bench
from flows.errors import RunInterrupted
from providers import StrongModelMisconfigured, StrongSettings, open_strong_model
from store import CallKey
from tests.formula_api import MODEL, PROBED, Fault, FormulaAPI
from tests.formula_scorer import TellingScorer, value
from tests.hostile import FAULTS, changed, each
from tests.on_record import Seen, last_search, trees

PROMPT = "The tide comes in"
RECORD = "r.db"
ALIGNTREE = {"name": "aligntree", "limits": {"iterations": 3}, "children": 4, "chunk_tokens": 4, "widening": None}
CHAT = {"model": f"openai/{MODEL}", "endpoint": {"mode": "prefill"}}
Config = Callable[..., RunConfig]


async def searched(config: RunConfig, record: str = RECORD) -> Seen:
    await align([PROMPT], config, record=record)
    return last_search(record)


def is_right(seen: Seen) -> bool:
    """The answer is whole, made of recorded chunks, and worth what the scorer says."""
    nodes, node = seen.history.nodes, seen.answer["node"]
    ended, chunks = nodes[node].finish == "stop", list[str]()
    while node in nodes:
        chunks.insert(0, nodes[node].text)
        node = nodes[node].parent_id
    text = "".join(chunks)
    told = seen.answer["complete"], seen.answer["text"], seen.answer["value"]
    return bool(told == (True, text, value(text, ended)))


def always(api: FormulaAPI, name: str) -> None:
    api.faults, api.probe_faults = [FAULTS[name]()] * 99, [FAULTS[name]()] * PROBED


async def test_with_nothing_withheld_priors_and_entropy_are_the_strong_models_own(formula_config: Config) -> None:
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert is_right(seen)
    assert (seen.rungs("prior"), seen.rungs("entropy")) == ({"logprobs"}, {"top-5 geometric"})
    assert seen.finding["logprobs"] == 5


@pytest.mark.parametrize(
    ("scorer", "prior", "entropy"), [(TellingScorer, "weak", "weak"), (None, "uniform", "none")], ids=["weak", "none"]
)
async def test_without_logprobs_priors_and_entropy_come_from_the_weak_pair_where_it_tells_them(
    api: FormulaAPI, formula_config: Config, monkeypatch: pytest.MonkeyPatch, scorer: Any, prior: str, entropy: str
) -> None:
    if scorer:
        monkeypatch.setattr("flows.bench.open_scorer", lambda *_: scorer())
    always(api, "no logprobs")
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert is_right(seen)
    assert {request["logprobs"] for request in api.requests} == {5}
    assert (seen.rungs("prior"), seen.rungs("entropy")) == ({prior}, {entropy})
    assert seen.finding["logprobs"] == 0


async def test_without_logprobs_priors_of_chunks_that_repeat_are_their_frequencies(
    api: FormulaAPI, formula_config: Config
) -> None:
    always(api, "no logprobs")
    seen = await searched(formula_config(methods=[ALIGNTREE | {"chunk_tokens": 1, "children": 16}]))
    children = dict(seen.tells["grown"][0]["children"])
    priors = {(n, r.value, r.parts["rung"]) for n in children for r in seen.history.scores[n] if r.name == "prior"}
    assert priors == {(node, count / 16, "frequency") for node, count in children.items()}


async def test_without_top_lists_priors_are_the_strong_models_and_entropy_is_not_known(
    api: FormulaAPI, formula_config: Config
) -> None:
    bare = changed(each(lambda choice: choice["logprobs"].pop("top_logprobs")))
    api.faults, api.probe_faults = [bare] * 99, [bare] * PROBED
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert is_right(seen)
    assert (seen.rungs("prior"), seen.rungs("entropy")) == ({"logprobs"}, {"none"})
    assert seen.finding["logprobs"] == 0


async def test_a_parameter_that_a_model_does_not_take_is_told_before_anything_is_sent(api: FormulaAPI) -> None:
    """Closed models that think take no logprobs, says LiteLLM's table."""
    settings = StrongSettings(model="openai/gpt-5-mini", api_base=api.base, allow_approximate=True)
    strong = open_strong_model(settings)
    try:
        with pytest.raises(StrongModelMisconfigured, match=r"not sent.*logprobs.*strong\.endpoint\.logprobs=0"):
            await strong.probe()
    finally:
        await strong.close()
    assert not api.probes


@pytest.mark.parametrize(("most", "requests"), [(2, [4, 2]), (1, [4, 1, 1, 1])])
async def test_fewer_choices_than_asked_for_are_topped_up_each_request_on_record(
    api: FormulaAPI, formula_config: Config, most: int, requests: list[int]
) -> None:
    """The probe was given as many as it asked for."""
    async with open_bench(formula_config(methods=[ALIGNTREE]), RECORD) as bench:
        run_id = await bench.begin([PROMPT])
        api.most_choices = most
        await bench.carry_out(run_id)
    seen = last_search(RECORD)
    assert is_right(seen)
    assert seen.finding["choices"] == 4
    assert [request["n"] for request in api.requests] == requests * len(seen.history.asks)
    sent = [CallKey(ask, part, 0) for ask in seen.history.asks for part in range(len(requests))]
    assert sorted(seen.history.calls) == sent
    assert {tell["calls"] for tell in seen.tells["grown"]} == {len(requests)}
    assert {sum(count for _, count in tell["children"]) for tell in seen.tells["grown"]} == {4}


async def test_where_n_is_ignored_each_choice_is_asked_for_alone(api: FormulaAPI, formula_config: Config) -> None:
    api.most_choices = 1
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert is_right(seen)
    assert seen.finding["choices"] == 1
    assert {request["n"] for request in api.requests} == {1}
    assert len({request["seed"] for request in api.requests}) == len(api.requests)
    assert {tell["calls"] for tell in seen.tells["grown"]} <= {4, 1}


@pytest.mark.parametrize(("slots", "tried"), [(4, [16, 8, 4]), (3, [16, 8, 4, 2]), (1, [16, 8, 4, 2, 1])])
async def test_where_many_choices_are_refused_as_many_are_asked_for_as_are_taken(
    api: FormulaAPI, formula_config: Config, slots: int, tried: list[int]
) -> None:
    """Each try of the probe is paid for and on record."""
    api.slots = slots
    refused, best = len(tried) - 1, {"name": "best_of_n", "n": 8}
    budget = {"requests": PROBED + refused + 8 // tried[-1]}
    config = formula_config(methods=[best], budget=budget, strong={"choices_per_request": 16})
    seen = await searched(config)
    assert is_right(seen)
    assert [request["n"] for request in api.probes[5:]] == [*tried, tried[-1]]
    assert seen.finding["choices"] == tried[-1]
    assert [request["n"] for request in api.requests] == [tried[-1]] * (8 // tried[-1])


async def test_a_key_that_is_refused_is_not_tried_with_fewer_choices(api: FormulaAPI, formula_config: Config) -> None:
    api.probe_faults = [Fault(401)] * 9
    with pytest.raises(StrongModelMisconfigured):
        await searched(formula_config(strong={"endpoint": {"mode": "whole"}, "choices_per_request": 16}))
    assert len(api.probes) == 1


async def test_where_n_is_ignored_from_some_time_on_a_limit_of_calls_holds(
    api: FormulaAPI, formula_config: Config
) -> None:
    config = formula_config(methods=[ALIGNTREE | {"limits": {"calls": 7}}])
    async with open_bench(config, RECORD) as bench:
        run_id = await bench.begin([PROMPT])
        api.most_choices = 1
        await bench.carry_out(run_id)
    seen = last_search(RECORD)
    assert is_right(seen)
    assert len(api.requests) == len(seen.history.calls) == 7


@pytest.mark.parametrize(("strong", "heeded"), [({}, False), ({"endpoint": {"seed": ""}}, None)])
async def test_without_a_seed_what_is_on_record_stands_and_a_run_begun_anew_draws_other_chunks(
    api: FormulaAPI, formula_config: Config, strong: dict[str, Any], heeded: bool | None
) -> None:
    """An endpoint that takes a seed and does not heed it, and one that takes none."""
    api.seeds = False
    config = formula_config(methods=[ALIGNTREE], strong=strong)
    api.faults = [None, None, Fault(401)]
    with pytest.raises(RunInterrupted):
        await align([PROMPT], config, record=RECORD)
    before = last_search(RECORD)
    await resume(record=RECORD)
    seen = last_search(RECORD)
    assert is_right(seen)
    assert seen.finding["seed"] is heeded
    assert all(("seed" in request) == (heeded is not None) for request in api.requests)
    assert seen.history.nodes.items() >= before.history.nodes.items()
    assert len(api.requests) == len(seen.history.calls)
    await align([PROMPT], config, record="anew.db")
    ((_, _, asks, nodes, *_),) = trees("anew.db").values()
    assert asks[0] == seen.history.asks[0]
    assert nodes.keys().isdisjoint(seen.history.nodes)


@pytest.mark.parametrize(("withheld", "logprobs"), [("no usage", 5), ("no usage", 0), ("usage zero", 5)])
async def test_without_usage_tokens_are_counted_with_a_tokenizer_and_marked_as_estimated(
    api: FormulaAPI, formula_config: Config, withheld: str, logprobs: int
) -> None:
    config = formula_config(methods=[ALIGNTREE], strong={"logprobs": logprobs})
    told = await searched(config, "told.db")
    always(api, withheld)
    seen = await searched(config)
    assert is_right(seen)
    assert (seen.answer, seen.history.nodes) == (told.answer, told.history.nodes)
    for reply, right in zip(seen.history.replies.values(), told.history.replies.values(), strict=True):
        assert (reply.estimated, right.estimated) == (True, False)
        assert 0 <= reply.output_tokens - right.output_tokens <= (0 if logprobs else 4)  # ", so" is two for a tokenizer
    assert seen.history.replies[CallKey(0, 0, 0)].input_tokens == len(PROMPT.split())
    assert sum(t.outcome["tokens"] for t in seen.history.tells) == sum(
        r.output_tokens for r in seen.history.replies.values()
    )
    assert any("stop" in finishes for finishes in seen.finishes)
    assert (seen.finding["usage"]["estimated"], told.finding["usage"]["estimated"]) == (True, False)


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_empty_text_that_ended_is_the_end_of_the_answer(
    api: FormulaAPI, formula_config: Config, at_once: bool
) -> None:
    api.faults = [*[None] * (not at_once), *[FAULTS["empty text, ended"]()] * 99]
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert is_right(seen)
    assert (seen.answer["text"] == "") == at_once
    assert seen.history.nodes[seen.answer["node"]].text == ""
    assert not seen.tells["failed"]


REFUSED = Fault(400, b'{"error": {"code": "content_filter", "message": "The prompt triggered the filter."}}')
SILENT = changed(each(lambda c: c["message"].update(content=None) or c.update(finish_reason="content_filter")))
DECLINED = changed(each(lambda c: c["message"].update(content=None, refusal="No.") or c.update(finish_reason="stop")))
FILTERS = {
    "filtered text": (FAULTS["content filter"](), {}, "content filter took"),
    "a request that is refused": (REFUSED, {}, "HTTP 400.*content_filter"),
    "no text, in a chat": (SILENT, CHAT, "content filter took"),
    "a refusal, in a chat": (DECLINED, CHAT, "content filter took"),
}


@pytest.mark.parametrize("name", FILTERS)
async def test_where_a_content_filter_takes_everything_the_search_fails_and_says_so(
    api: FormulaAPI, formula_config: Config, name: str
) -> None:
    fault, strong, why = FILTERS[name]
    api.faults = [fault] * 99
    seen = await searched(formula_config(methods=[ALIGNTREE], strong=strong))
    assert nothing_came(seen, why)
    assert seen.finishes in ([["filter"] * 4], [[]])


async def test_a_node_at_which_a_content_filter_takes_everything_is_left_for_others(
    api: FormulaAPI, formula_config: Config
) -> None:
    api.faults = [None, FAULTS["content filter"]()]
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert went_elsewhere(seen, "content filter took")
    assert seen.finishes[1] == ["filter"] * 4


async def test_a_choice_that_a_content_filter_took_is_on_record_and_no_child(
    api: FormulaAPI, formula_config: Config
) -> None:
    api.faults = [changed(lambda body: body["choices"][0].update(finish_reason="content_filter"))] * 99
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert is_right(seen)
    assert all(finishes[0] == "filter" and "filter" not in finishes[1:] for finishes in seen.finishes)
    assert all(sum(count for _, count in tell["children"]) == 3 for tell in seen.tells["grown"])


async def test_where_every_text_is_cut_at_length_0_the_search_fails_and_says_so(
    api: FormulaAPI, formula_config: Config
) -> None:
    """As of models whose thoughts take all the tokens."""
    api.faults = [FAULTS["empty text, cut"]()] * 99
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert nothing_came(seen, "no text")
    assert seen.finishes == [["length"] * 4]


async def test_a_node_at_which_every_text_is_cut_at_length_0_is_left_for_others(
    api: FormulaAPI, formula_config: Config
) -> None:
    api.faults = [None, FAULTS["empty text, cut"]()]
    seen = await searched(formula_config(methods=[ALIGNTREE]))
    assert went_elsewhere(seen, "no text")
    assert seen.finishes[1] == ["length"] * 4


def nothing_came(seen: Seen, why: str) -> bool:
    """The search's end and its one outcome say why; what it took is counted."""
    (failed,) = seen.tells["failed"]
    answer = seen.answer["node"], seen.answer["complete"], seen.answer["why"]
    took = sum(reply.output_tokens for reply in seen.history.replies.values()), len(seen.history.calls)
    counted = (failed["tokens"], failed["calls"]) == took
    return counted and bool(re.search(why, failed["reason"])) and answer == (None, False, failed["reason"])


def went_elsewhere(seen: Seen, why: str) -> bool:
    """One outcome failed and says why; nothing was asked of its node again; others came to an answer."""
    (failed,) = (tell for tell in seen.history.tells if tell.kind == "failed")
    assert failed.ask is not None
    node = seen.history.asks[failed.ask].node_id
    again = [ask for ask in seen.history.asks.values() if ask.node_id == node and ask.number != failed.ask]
    return is_right(seen) and bool(re.search(why, failed.outcome["reason"])) and not again
