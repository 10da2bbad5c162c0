"""The probe: does an endpoint continue an unfinished answer, and what of what it is asked does it do?

Five unfinished answers are continued for a few tokens; then the choices of one request, its top lists and its seed are
looked at. Seven tiny requests, one more each time that fewer choices are tried, which the caller puts on record and on
the budget like any other.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from providers.base import ContinuationRequest, Finding, Reply, Send, Usage
from providers.endpoints import Endpoint
from providers.errors import Blame, CallFailed, StrongModelMisconfigured, StrongModelUnreachable
from providers.modes import sent_answer
from providers.settings import StrongSettings

_TOKENS = 8


@dataclass(frozen=True)
class Case:
    """An unfinished answer."""

    name: str
    prompt: str
    answer: str


CASES = (
    Case("mid-sentence", "Question: What is the capital of France?\nAnswer: ", "The capital of France is"),
    Case("mid-word", "Question: What is the capital of France?\nAnswer: ", "The capital of France is Par"),
    Case("after a space", "Question: What is the capital of France?\nAnswer: ", "The capital of France is "),
    Case("code", "Write a Python function that adds two numbers.\n", "def add(a, b):\n    return a"),
    Case("Chinese", "问:法国的首都是哪里?\n答:", "法国的首都是巴"),
)
FIRST = CASES[0]

_GREETS = re.compile(
    r"\s*(?:(?:sure|certainly|of course|absolutely|great|okay|ok|hello|hi|here(?:'s|\u2019s| is| are)|as an ai)\b"
    r"|\u5f53\u7136|\u597d\u7684|\u4f60\u597d|\u4ee5\u4e0b)",
    re.IGNORECASE,
)


def seen(case: Case, text: str, sent: str) -> str:
    """What a reply does with an unfinished answer, of which `sent` went out."""
    signs = {
        "no text": not text,
        "repeats": text.startswith(sent),
        "restarts": _folded(text).startswith(_folded(case.answer)[:12]),
        "greets": _GREETS.match(text),
        "breaks the word": case.name == "mid-word" and text[:1].isspace(),
        "doubles the space": case.name == "after a space" and text[:1] == " ",
    }
    return next((what for what, sign in signs.items() if sign), "continues")


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).casefold()


async def probe(send: Send, settings: StrongSettings, endpoint: Endpoint) -> Finding:
    """Ask, look, judge. Raises StrongModelMisconfigured where answers are begun anew, and what a failed call tells.

    Of an endpoint for whole answers only the choices, top lists and seed are looked at.
    """
    cases = () if endpoint.mode == "whole" else CASES
    replies = await _all(send, [_unfinished(case, settings) for case in cases])
    texts = {case: reply.continuations[0].text for case, reply in zip(cases, replies, strict=True)}
    found = {case.name: seen(case, text, sent_answer(case.answer, endpoint.mode)) for case, text in texts.items()}
    repeats = all(what in ("repeats", "no text") for what in found.values()) and "repeats" in found.values()
    if cases and not repeats:
        _judge(found, texts, settings, endpoint)
    several = await _several(send, settings, endpoint)
    first, replies = several[0].continuations, replies + several
    told = first[0].tokens
    return Finding(
        model=settings.model,
        mode=endpoint.mode,
        choices=len(first),
        logprobs=len(told[0].top) if told else 0,
        repeats=repeats,
        seed=_same(several) if endpoint.seed else None,
        cases=found,
        usage=_sum([reply.usage for reply in replies]),
        latency=round(median(reply.latency for reply in replies), 3),
        likelihoods=endpoint.prompt_logprobs,
    )


def _unfinished(case: Case, settings: StrongSettings) -> ContinuationRequest:
    return ContinuationRequest(
        case.prompt,
        case.answer,
        1,
        _TOKENS,
        temperature=0.0,
        seed=1,
        logprobs=settings.logprobs,
        system=settings.system,
    )


async def _several(send: Send, settings: StrongSettings, endpoint: Endpoint) -> list[Reply]:
    """The same twice: as many choices as later requests ask for, else the most that are taken of a half, a quarter, ...

    llama.cpp refuses more choices than it has slots, others give fewer.
    """
    n = min(settings.choices_per_request, endpoint.n or settings.choices_per_request)
    answer = "" if endpoint.mode == "whole" else FIRST.answer

    def request(n: int) -> ContinuationRequest:
        return ContinuationRequest(
            FIRST.prompt, answer, n, _TOKENS, seed=1, logprobs=settings.logprobs, system=settings.system
        )

    while True:
        try:
            reply = await send(request(n))
            break
        except CallFailed as failed:
            if n == 1 or not _may_be_of_choices(failed):
                raise _at_start(failed) from None
            n //= 2
    return [reply, *await _all(send, [request(n)])]


def _may_be_of_choices(failed: CallFailed) -> bool:
    """Refused as it was put, by the server or by LiteLLM before it was sent; not for its key or its model."""
    return failed.blame is Blame.REQUEST or (failed.blame is Blame.SETTINGS and failed.status is None)


def _sum(usages: Sequence[Usage]) -> Usage:
    return Usage(
        input=sum(usage.input for usage in usages),
        output=sum(usage.output for usage in usages),
        cached=sum(usage.cached for usage in usages),
        estimated=any(usage.estimated for usage in usages),
    )


def _same(replies: Sequence[Reply]) -> bool:
    one, other = ([c.text for c in reply.continuations] for reply in replies)
    return one == other


async def _all(send: Send, requests: Sequence[ContinuationRequest]) -> list[Reply]:
    """Every reply is waited for, as each is paid for, before the first failure is told."""
    brought = await asyncio.gather(*map(send, requests), return_exceptions=True)
    for failure in brought:
        if isinstance(failure, CallFailed):
            raise _at_start(failure) from None
        if isinstance(failure, BaseException):
            raise failure
    return [reply for reply in brought if not isinstance(reply, BaseException)]


def _judge(found: Mapping[str, str], texts: Mapping[Case, str], settings: StrongSettings, endpoint: Endpoint) -> None:
    bad = next((case for case in CASES if found[case.name] in ("restarts", "repeats", "greets")), None)
    if bad is None and set(found.values()) != {"no text"}:
        return
    case = bad or FIRST
    raise StrongModelMisconfigured(
        f"does not continue an unfinished answer in mode {endpoint.mode}: after {case.answer!r} it wrote "
        f"{texts[case]!r}",
        where=f"strong model {settings.model}",
        mend="Set strong.endpoint.mode to one that it offers (docs/models.md); strong.endpoint.mode=whole for whole "
        "answers only; or emulated with --allow-approximate, whose draws are not the model's own continuations",
    )


def _at_start(failed: CallFailed) -> CallFailed | StrongModelUnreachable | StrongModelMisconfigured:
    """A failed probe is the user's to mend unless it is the weather's."""
    if failed.status is None and failed.blame is not Blame.SETTINGS:
        return StrongModelUnreachable(
            failed.what, where=failed.where, mend="Start the server, or correct strong.api_base"
        )
    if failed.blame is Blame.WEATHER:
        return failed
    mend = failed.mend or "Lower strong.logprobs, or check strong.model and strong.endpoint.mode"
    return StrongModelMisconfigured(failed.what, where=failed.where, mend=mend)
