"""One HTTP request per call, replies normalised, failures told apart, and no key in anything."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio import Event
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import litellm
import pytest

import providers.http
from flows import RunConfig, align
from flows.bench import open_bench
from providers import (
    Blame,
    CallFailed,
    ContinuationRequest,
    StrongModel,
    StrongModelMisconfigured,
    StrongModelUnreachable,
    StrongSettings,
    Usage,
    open_strong_model,
)
from providers.policy import retrying, split
from providers.price import Price
from providers.probe import CASES
from providers.turns import AT_ONCE, sent
from tests.formula_api import PROBED, Fault, FormulaAPI, chat_shape, completions_shape

REQUEST = ContinuationRequest("The", " sea", 3, 4, logprobs=5, seed=7)


@asynccontextmanager
async def opened(api: FormulaAPI, **settings: Any) -> AsyncIterator[StrongModel]:
    given = {"model": "text-completion-openai/formula", "api_base": api.base, "logprobs": 5} | settings
    strong = open_strong_model(StrongSettings.model_validate(given))
    try:
        yield strong
    finally:
        await strong.close()


@pytest.mark.parametrize("route", ["text-completion-openai", "hosted_vllm", "llamafile"])
async def test_n_choices_come_from_one_request_as_it_was_asked(api: FormulaAPI, route: str) -> None:
    async with opened(api, model=f"{route}/formula") as strong:
        reply = await strong.send(ContinuationRequest("The", " sea", 3, 4, 0.7, 0.9, 40, ("\n",), 7, 5))
    assert len(reply.continuations) == 3
    (sent,) = api.requests
    assert sent | {"stream": False} == {
        "model": "formula", "prompt": "The sea", "n": 3, "max_tokens": 4, "temperature": 0.7, "top_p": 0.9,
        "top_k": 40, "stop": ["\n"], "seed": 7, "logprobs": 5, "stream": False,
    }  # fmt: skip
    assert json.loads(reply.body)["choices"][0]["text"] == reply.continuations[0].text


async def test_calls_are_made_on_a_kept_connection(api: FormulaAPI) -> None:
    async with opened(api) as strong:
        for _ in range(5):
            await strong.send(REQUEST)
    assert (len(api.requests), api.connections) == (5, 1)


async def test_of_calls_that_come_together_the_first_is_sent_before_the_last_is_prepared(
    api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way = most = 0

    async def prepared(**given: Any) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if given["extra_body"]["max_tokens"] == 1:
            under_way -= 1
            raise ValueError("which is not sent, and does not hold up the others")
        return await whole(**given)

    async def told(request: httpx.Request) -> None:
        nonlocal under_way
        under_way -= 1
        await sent(request)

    whole = litellm.atext_completion
    monkeypatch.setattr(litellm, "atext_completion", prepared)
    monkeypatch.setattr(providers.http, "sent", told)
    api.delay = lambda: 0.2  # none ends before all are sent
    async with opened(api, timeout=5) as strong:
        requests = [replace(REQUEST, max_tokens=tokens) for tokens in (4, 1, 4, 1, 4, 4, 4, 4)]
        brought = await asyncio.gather(*map(strong.send, requests), return_exceptions=True)
    assert [isinstance(one, CallFailed) for one in brought] == [request.max_tokens == 1 for request in requests]
    assert (most, under_way) == (AT_ONCE, 0)


async def test_what_a_task_asks_for_after_a_call_is_read_as_ever(api: FormulaAPI) -> None:
    """A call ends as soon as its reply is here; a list of models that the same task asks for does not."""
    async with opened(api) as strong:
        await strong.send(REQUEST)
        await strong.check()
        await strong.send(REQUEST)


async def test_litellms_own_log_is_made_where_somebody_reads_it(
    api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    import litellm
    from litellm.integrations.custom_logger import CustomLogger
    from litellm.litellm_core_utils.litellm_logging import Logging

    made, heard = list[str](), Event()
    log = Logging.async_success_handler

    async def counted(self: Logging, *given: Any, **named: Any) -> None:
        made.append(self.model)
        await log(self, *given, **named)

    async def noted(*_: object) -> None: ...

    class Reader(CustomLogger):
        async def async_log_success_event(self, *_: object, **__: object) -> None:
            heard.set()

    monkeypatch.setattr(Logging, "async_success_handler", counted)
    async with opened(api) as strong:
        await strong.send(REQUEST)
        await asyncio.sleep(0.1)
        assert made == []
        monkeypatch.setattr(litellm, "callbacks", [Reader()])
        await strong.send(REQUEST)
        await asyncio.wait_for(heard.wait(), 5)
        assert made == ["formula"]
        monkeypatch.setattr(litellm, "callbacks", [])
        monkeypatch.setattr(litellm, "_async_success_callback", [noted])  # where LiteLLM moves what is a coroutine
        await strong.send(REQUEST)
        await asyncio.sleep(0.1)
    assert made == ["formula"] * 2


async def test_both_logprob_shapes_become_the_same_tokens(api: FormulaAPI) -> None:
    found = []
    for shape in (completions_shape, chat_shape):
        api.shape = shape
        async with opened(api) as strong:
            found.append((await strong.send(REQUEST)).continuations)
    assert found[0] == found[1]
    first = found[0][0]
    assert first.tokens is not None
    assert len(first.tokens[0].top) == 5
    assert "".join(token.text for token in first.tokens) == first.text
    assert dict(first.tokens[0].top)[" good"] == -1.0


async def test_text_after_a_stop_string_is_cut_off_and_its_tokens_with_it(api: FormulaAPI) -> None:
    async with opened(api) as strong:
        whole = (await strong.send(ContinuationRequest("x", "", 1, 12, logprobs=5, seed=3))).continuations[0]
        cut = (
            await strong.send(ContinuationRequest("x", "", 1, 12, logprobs=5, seed=3, stop=(" and",)))
        ).continuations[0]
    assert " and" in whole.text  # the server ignores stop
    assert (cut.text, cut.finish) == (whole.text[: whole.text.index(" and")], "stop")
    assert cut.tokens is not None
    assert "".join(token.text for token in cut.tokens) == cut.text


async def test_usage_that_is_missing_or_too_small_is_estimated_and_marked(api: FormulaAPI) -> None:
    async with opened(api) as strong:
        told = (await strong.send(REQUEST)).usage
        api.usage = False
        counted = (await strong.send(REQUEST)).usage
    assert (told.input, told.estimated) == (7, False)
    assert counted.estimated
    assert counted.input > 0
    assert counted.output == told.output


@pytest.mark.parametrize(
    ("status", "blame", "billed"),
    [
        (429, Blame.WEATHER, False),
        (500, Blame.WEATHER, True),
        (503, Blame.WEATHER, True),
        (529, Blame.WEATHER, True),
        (400, Blame.REQUEST, False),
        (401, Blame.SETTINGS, False),
        (404, Blame.SETTINGS, False),
    ],
)
async def test_a_failed_request_is_one_request_and_tells_whose_doing_it_is(
    api: FormulaAPI, status: int, blame: Blame, billed: bool
) -> None:
    api.faults = [Fault(status, headers={"retry-after": "2"})]
    async with opened(api) as strong:
        with pytest.raises(CallFailed) as failed:
            await strong.send(REQUEST)
    assert len(api.requests) == 1
    assert (failed.value.blame, failed.value.billed, failed.value.status) == (blame, billed, status)
    assert failed.value.retry_after == 2.0


@pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"choices": []}', b'{"choices": [{"tex'])
async def test_a_reply_that_cannot_be_read_is_worth_another_try_and_possibly_billed(
    api: FormulaAPI, body: bytes
) -> None:
    api.faults = [Fault(200, body)]
    async with opened(api) as strong:
        with pytest.raises(CallFailed) as failed:
            await strong.send(REQUEST)
    assert (failed.value.blame, failed.value.billed, failed.value.body) == (Blame.WEATHER, True, body)


@pytest.mark.parametrize("reason", ["abort", None, "tool_calls"])
async def test_an_answer_that_broke_off_is_not_taken_for_a_complete_one(api: FormulaAPI, reason: str | None) -> None:
    answer = api.answer({"prompt": "x", "max_tokens": 3, "n": 1})
    answer["choices"][0]["finish_reason"] = reason
    api.faults = [Fault(200, json.dumps(answer).encode())]
    async with opened(api) as strong:
        with pytest.raises(CallFailed, match="ended by") as failed:
            await strong.send(REQUEST)
    assert failed.value.blame is Blame.WEATHER


async def test_connection_refused_cannot_have_been_billed(api: FormulaAPI) -> None:
    api.close()
    async with opened(api) as strong:
        with pytest.raises(CallFailed) as failed:
            await strong.send(REQUEST)
        assert (failed.value.blame, failed.value.billed) == (Blame.WEATHER, False)
        with pytest.raises(StrongModelUnreachable):
            await strong.probe()


async def test_a_key_that_the_server_echoes_is_nowhere_in_what_is_raised(
    api: FormulaAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    api.key = "another"
    async with opened(api, api_key_env="MY_KEY") as strong:
        for refused in (strong.send(REQUEST), strong.probe()):
            with pytest.raises((CallFailed, StrongModelMisconfigured)) as failed:
                await refused
            told = repr(failed.value) + str(failed.value) + repr(vars(failed.value))
            assert "sk-very-secret" not in told
            assert failed.value.__suppress_context__ or "sk-very-secret" not in repr(failed.value.__cause__)
            assert failed.value.exit_status == 2


async def test_the_probe_asks_for_one_choice_where_several_are_refused(api: FormulaAPI) -> None:
    api.probe_faults = [*(Fault(200, _answer(api)) for _ in CASES), Fault(400), Fault(400)]
    async with opened(api) as strong:
        assert (await strong.probe()).choices == 1
    assert [request["n"] for request in api.probes] == [1] * 5 + [4, 2, 1, 1]


def _answer(api: FormulaAPI) -> bytes:
    return json.dumps(api.answer({"prompt": "x", "max_tokens": 1, "n": 1})).encode()


async def test_a_key_that_is_not_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(StrongModelMisconfigured, match="OPENAI_API_KEY"):
        open_strong_model(StrongSettings(model="text-completion-openai/gpt-3.5-turbo-instruct"))


async def test_a_server_that_gives_fewer_choices_is_asked_for_the_rest(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(methods=[{"name": "best_of_n", "n": 7}], strong={"choices_per_request": 5})
    async with open_bench(config, "r.db") as bench:
        run_id = await bench.begin(["The sea"])
        api.most_choices = 2  # it gave five to the probe
        await bench.carry_out(run_id)
    assert sorted(r["n"] for r in api.requests[:2]) == [2, 5]
    assert sorted(r["n"] for r in api.requests[2:]) == [1, 2]  # at once, in any order
    api.requests.clear()
    await align(["The sea"], config, record="other.db")
    assert sorted(r["n"] for r in api.requests) == [1, 2, 2, 2]  # now the probe knew


async def test_what_some_requests_brought_is_used_when_others_are_refused(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(methods=[{"name": "best_of_n", "n": 16}], budget={"requests": 3 + PROBED})
    (answer,) = (await align(["The sea"], config, record="r.db")).answers
    assert (answer.status, answer.complete) == ("done", True)
    assert [r["n"] for r in api.requests] == [4, 4, 4]


async def test_a_connection_that_breaks_midway_is_no_reply(api: FormulaAPI) -> None:
    api.faults = [Fault(200, b'{"choices"', headers={"content-length": "1000", "connection": "close"})]
    async with opened(api) as strong:
        with pytest.raises(CallFailed) as failed:
            await strong.send(REQUEST)
    assert (failed.value.blame, failed.value.billed, failed.value.status) == (Blame.WEATHER, True, None)


async def test_transient_failures_are_tried_again_each_as_an_intent_of_its_own(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    from store import Record

    api.faults = [Fault(429), Fault(503)]
    summary = await align(
        ["The sea"], formula_config(methods=[{"name": "base"}], strong={"retry_for": 30}), record="r.db"
    )
    opened_record = Record.open("r.db")
    history = opened_record.history(summary.answers[0].search_id)
    opened_record.close()
    assert [(key.part, key.attempt) for key in history.calls] == [(0, 0), (0, 1), (0, 2)]
    statuses = [r.failure["status"] if r.failure else 200 for r in history.replies.values()]
    assert statuses == [429, 503, 200]


async def test_a_refused_text_is_told_to_the_method_and_not_paid_for_again(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    config = formula_config(methods=[{"name": "base"}])
    api.faults = [Fault(400)]
    summary = await align(["The sea"], config, record="r.db")
    (answer,) = summary.answers
    assert (answer.status, answer.text) == ("failed", "")
    assert "HTTP 400" in answer.why
    assert summary.totals.calls == PROBED + 1
    assert len(api.requests) == 1


def test_a_request_is_split_into_sizes_that_add_up() -> None:
    assert split(10, 4) == [4, 4, 2]
    assert split(4, 4) == [4]
    assert split(1, 16) == [1]


async def test_retrying_honours_retry_after_and_gives_up_in_time() -> None:
    waits: list[float] = []
    policy = retrying(60.0)

    async def note(seconds: float) -> None:
        waits.append(seconds)

    policy.sleep = note  # type: ignore[assignment]
    with pytest.raises(CallFailed):
        async for trial in policy:
            with trial:
                if len(waits) == 2:
                    raise CallFailed("no key", where="here", blame=Blame.SETTINGS, billed=False)
                raise CallFailed("busy", where="here", blame=Blame.WEATHER, billed=False, retry_after=1.75)
    assert len(waits) == 2
    assert all(wait >= 1.75 for wait in waits)


async def test_a_wait_longer_than_retrying_may_take_is_not_begun() -> None:
    began = time.monotonic()
    with pytest.raises(CallFailed):
        async for trial in retrying(5.0):
            with trial:
                raise CallFailed("busy", where="here", blame=Blame.WEATHER, billed=False, retry_after=86_400)
    assert time.monotonic() - began < 1


def test_price_is_exact_and_rounded_up_to_a_nano_dollar() -> None:
    price = Price(Decimal("0.0000015"), Decimal("0.000002"), Decimal("0.00000075"))
    assert price.of(Usage(input=10, output=3, cached=4)) == 9_000 + 3_000 + 6_000
    assert Price(Decimal("0.0000000001"), Decimal(0), Decimal(0)).of(Usage(input=1, output=0)) == 1


async def test_prices_come_from_the_settings_else_from_litellms_map(
    monkeypatch: pytest.MonkeyPatch, api: FormulaAPI
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    known = open_strong_model(StrongSettings(model="text-completion-openai/gpt-3.5-turbo-instruct"))
    assert known.price is not None
    assert known.price.input == Decimal("0.0000015")
    own = {"input_price": "3", "output_price": "6"}
    async with opened(api) as unknown, opened(api, **own) as given:
        assert unknown.price is None
        assert given.price == Price(Decimal("0.000003"), Decimal("0.000006"), Decimal("0.000003"))
        assert given.worst_case(REQUEST) == (7 + 8 + 12, 15 * 3_000 + 12 * 6_000)
    await known.close()
