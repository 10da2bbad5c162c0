"""One contract for all endpoints: what goes over the wire in each mode, what is new in replies, what a probe sees."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from providers import (
    ContinuationRequest,
    StrongModel,
    StrongModelMisconfigured,
    StrongSettings,
    open_strong_model,
)
from providers.endpoints import Overrides, endpoint_of
from providers.modes import GO_ON
from providers.probe import CASES, seen
from tests.formula_api import MODEL, Fault, FormulaAPI

PROMPT, ANSWER = "The sea", " is calm"
REQUEST = ContinuationRequest(PROMPT, ANSWER, 2, 6, top_k=40, stop=("\n",), seed=7, logprobs=5, system="Be kind.")
USER = {"role": "user", "content": PROMPT}
SYSTEM = {"role": "system", "content": "Be kind."}
BEGUN = {"role": "assistant", "content": ANSWER}

MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "prefix, DeepSeek": (
        {"model": f"deepseek/{MODEL}"},
        {"messages": [SYSTEM, USER, BEGUN | {"prefix": True}], "logprobs": True, "top_logprobs": 5, "n": 2},
    ),
    "prefix, Mistral": (
        {"model": f"mistral/{MODEL}"},
        {"messages": [SYSTEM, USER, BEGUN | {"prefix": True}], "random_seed": 7, "n": 2},
    ),
    "partial, Moonshot": (
        {"model": f"moonshot/{MODEL}"},
        {"messages": [SYSTEM, USER, BEGUN | {"partial": True}], "n": 2},
    ),
    "continue_final_message, vLLM": (
        {"model": f"hosted_vllm/{MODEL}", "endpoint": {"mode": "continue_final_message"}},
        {
            "messages": [SYSTEM, USER, BEGUN], "continue_final_message": True, "add_generation_prompt": False,
            "logprobs": True, "top_logprobs": 5, "n": 2, "seed": 7, "top_k": 40,
        },
    ),
    "prefill, llama.cpp": (
        {"model": f"openai/{MODEL}", "endpoint": {"mode": "prefill", "top_k": True}},
        {
            "messages": [SYSTEM, USER, BEGUN], "logprobs": True, "top_logprobs": 5, "n": 2, "seed": 7, "top_k": 40,
        },
    ),
    "emulated, OpenAI": (
        {"model": f"openai/{MODEL}", "allow_approximate": True},
        {
            "messages": [SYSTEM, USER, BEGUN, {"role": "user", "content": GO_ON}], "logprobs": True, "top_logprobs": 5,
            "n": 2, "seed": 7,
        },
    ),
}  # fmt: skip


@asynccontextmanager
async def opened(api: FormulaAPI, **settings: Any) -> AsyncIterator[StrongModel]:
    strong = open_strong_model(StrongSettings.model_validate({"api_base": api.base, "logprobs": 5} | settings))
    try:
        yield strong
    finally:
        await strong.close()


@pytest.mark.parametrize("name", MODES)
async def test_a_chat_endpoint_is_sent_the_unfinished_answer_as_its_mode_wants_it(api: FormulaAPI, name: str) -> None:
    settings, wanted = MODES[name]
    async with opened(api, **settings) as strong:
        reply = await strong.send(REQUEST)
    (sent,) = api.requests
    common = {"model": MODEL, "max_tokens": 6, "temperature": 1.0, "top_p": 1.0, "stop": ["\n"]}
    assert sent == common | wanted
    assert len(reply.continuations) == 2
    first = reply.continuations[0]
    assert (first.tokens is not None) == ("logprobs" in wanted)
    if first.tokens is not None:
        assert "".join(token.text for token in first.tokens) == first.text and len(first.tokens[0].top) == 5


async def test_every_mode_that_continues_brings_the_same_text(api: FormulaAPI) -> None:
    """The loopback API continues a text by its content alone."""
    texts = set()
    request = ContinuationRequest(PROMPT, ANSWER, 2, 6, seed=7)
    for settings in (
        {"model": f"text-completion-openai/{MODEL}"},
        {"model": f"hosted_vllm/{MODEL}", "endpoint": {"mode": "continue_final_message"}},
        {"model": f"openai/{MODEL}", "endpoint": {"mode": "prefill"}},
        {"model": f"dashscope/{MODEL}", "endpoint": {"mode": "partial", "n": 2}},
    ):
        async with opened(api, **settings) as strong:
            texts.add(tuple(c.text for c in (await strong.send(request)).continuations))
    assert len(texts) == 1


async def test_without_an_answer_yet_the_model_begins_its_own_turn(api: FormulaAPI) -> None:
    async with opened(api, model=f"deepseek/{MODEL}") as strong:
        await strong.send(ContinuationRequest(PROMPT, "", 1, 6))
    assert api.requests[0]["messages"] == [USER]


async def test_anthropic_is_sent_no_white_space_at_the_end_and_what_comes_of_it_is_not_new(
    api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "k-123")
    own = {
        "model": f"anthropic/claude-{MODEL}-4-5",
        "api_base": api.base.removesuffix("/v1"),
        "api_key_env": "SOME_KEY",
    }
    async with opened(api, **own) as strong:
        texts = [
            (await strong.send(ContinuationRequest(PROMPT, answer, 1, 6, system="Be kind.")))
            for answer in ("Calm", "Calm ")
        ]
    first, other = (reply.continuations[0].text for reply in texts)
    assert first == " " + other
    assert [request["messages"][-1]["content"] for request in api.requests] == [[{"type": "text", "text": "Calm"}]] * 2
    assert api.requests[0]["system"] == [{"type": "text", "text": "Be kind."}]
    assert (texts[0].usage.input, texts[0].usage.cached, texts[0].usage.estimated) == (7, 2, False)


async def test_an_answer_that_comes_back_with_the_continuation_is_cut_off(api: FormulaAPI) -> None:
    """As llama.cpp's chat does; the probe sees it, for a continuation may well begin with the same words."""
    own = {"model": f"openai/{MODEL}", "endpoint": {"mode": "prefill"}}
    async with opened(api, **own) as strong:
        usual = (await strong.send(REQUEST)).continuations
    api.repeats = True
    async with opened(api, **own) as strong:
        found = await strong.probe()
        assert found.repeats and set(found.cases.values()) == {"repeats"}
        assert (await strong.send(REQUEST)).continuations == usual


async def test_the_probe_tells_what_an_endpoint_does(api: FormulaAPI) -> None:
    async with opened(api, model=f"text-completion-openai/{MODEL}", choices_per_request=3) as strong:
        found = await strong.probe()
    assert (found.mode, found.choices, found.logprobs, found.repeats, found.seed) == ("completion", 3, 5, False, True)
    assert found.cases == {
        "mid-sentence": "continues", "mid-word": "breaks the word", "after a space": "doubles the space",
        "code": "continues", "Chinese": "continues",
    }  # fmt: skip
    assert len(api.probes) == 7 and sum(r["max_tokens"] * r["n"] for r in api.probes) == 88


@pytest.mark.parametrize(
    ("reply", "told"),
    [("Sure! The capital of France is Paris.", "Sure!"), ("The capital of France is the city of", "the city of")],
)
async def test_a_model_that_begins_anew_is_refused_with_what_it_wrote(api: FormulaAPI, reply: str, told: str) -> None:
    class Anew(Fault):
        """To the first case; they arrive in any order."""

        def meet(self, handler: Any, answer: Callable[[], dict[str, Any]]) -> None:
            text = reply if handler.asked["prompt"].endswith(CASES[0].answer) else " x"
            body = {"choices": [{"index": 0, "text": text, "finish_reason": "length"}]}
            handler.reply(200, json.dumps(body).encode())

    api.probe_faults = [Anew(200)] * 5
    async with opened(api, model=f"text-completion-openai/{MODEL}") as strong:
        with pytest.raises(
            StrongModelMisconfigured, match="does not continue an unfinished answer in mode completion"
        ) as e:
            await strong.probe()
    assert told in str(e.value) and "strong.endpoint.mode" in str(e.value) and "--allow-approximate" in str(e.value)
    assert len(api.probes) == 5


def test_what_replies_do_with_an_unfinished_answer() -> None:
    by_name = {case.name: case for case in CASES}

    def of(name: str, text: str) -> str:
        return seen(by_name[name], text, by_name[name].answer)

    assert of("mid-word", "is, the") == of("after a space", "Paris") == of("Chinese", "黎。") == "continues"
    assert of("mid-word", " Paris") == "breaks the word"
    assert of("after a space", " Paris") == "doubles the space"
    assert of("code", " + b\n") == of("code", "\n\ndef add(a)") == "continues"
    assert of("code", "def add(a, b):\n  return a + b") == of("mid-sentence", "the CAPITAL of  France.") == "restarts"
    assert of("code", "def add(a, b):\n    return a + b") == "repeats"
    assert of("Chinese", "当然,巴黎") == of("mid-word", "Here's the rest: is") == "greets"
    assert of("code", "") == "no text"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model": "openai/gpt-4o"}, "can only be asked to go on.*--allow-approximate"),
        ({"model": "anthropic/claude-opus-4-6"}, "can only be asked to go on"),
        ({"model": "gpt-4o"}, "names no endpoint"),
        ({"model": "hosted_vllm/x", "api_base": None}, "needs the address"),
        ({"model": "deepseek/x", "template": "{{ prompt }}"}, "strong.template.*mode prefix"),
        ({"model": "hosted_vllm/x", "system": "Be kind."}, "strong.system.*raw text"),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused_before_any_request(
    api: FormulaAPI, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(StrongModelMisconfigured, match=told):
        open_strong_model(StrongSettings.model_validate({"api_base": api.base} | settings))
    assert api.requests == []


def test_the_table_knows_who_continues_how() -> None:
    def mode(model: str, **own: Any) -> str:
        return endpoint_of(model, Overrides(**own)).mode

    assert mode("text-completion-openai/gpt-3.5-turbo-instruct") == mode("together_ai/x/y") == "completion"
    assert mode("deepseek/deepseek-chat") == mode("mistral/mistral-large-latest") == "prefix"
    assert mode("dashscope/qwen-max") == mode("moonshot/kimi-k2") == "partial"
    assert mode("anthropic/claude-sonnet-4-5") == mode("anthropic/claude-opus-4-5-20251101") == "prefill"
    assert mode("anthropic/claude-opus-4-6") == mode("openai/gpt-5") == "emulated"
    assert mode("hosted_vllm/x", mode="continue_final_message") == "continue_final_message"
    assert mode("somebody/x", mode="prefix") == "prefix"
    assert endpoint_of("text-completion-openai/gpt-3.5-turbo-instruct", Overrides()).logprobs == 5
    assert endpoint_of("mistral/x", Overrides(seed="")).seed is None
