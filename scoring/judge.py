"""An LLM judge: what a language model says an answer is worth, as a number on a scale.

Where its endpoint tells the likeliest tokens, the value is the expected score, sum over i of p(i) i, of the integers of
the scale that are found in the score's place, their probabilities made to sum to 1: G-Eval (Liu et al. 2023, arXiv
2303.16634), scoring function, equation 1. It tells answers apart to which the same integer would be given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, field_validator

from scoring.base import Candidate, Score
from scoring.settings import compiled

_RUBRIC = """\
Judge how well an answer goes on from its prompt: whether it is helpful, correct, coherent and well written.

Prompt:
{{ prompt }}

Answer:
{{ answer }}

Rate the answer by one integer from {{ low }} (worst) to {{ high }} (best). Write that integer and nothing else.
Score:"""


class Rubric(BaseModel):
    """What a judge is asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    template: str = Field(
        _RUBRIC,
        description="Jinja template of what the judge is sent, with {{ prompt }} and {{ answer }}, and the ends of the "
        "scale in {{ low }} and {{ high }}; it has to ask for one integer of the scale and nothing else.",
    )
    scale: tuple[int, int] = Field((1, 10), description="Lowest and highest score, integers.")

    @field_validator("template")
    @classmethod
    def _shows_the_answer(cls, template: str) -> str:
        compiled(template, prompt="x", answer="y", low="1", high="2")
        if _rendered(template, "x", "y", (1, 2)) == _rendered(template, "x", "z", (1, 2)):
            raise ValueError("{{ answer }} is not in it: all answers would be judged alike")
        return template

    @field_validator("scale")
    @classmethod
    def _rises(cls, scale: tuple[int, int]) -> tuple[int, int]:
        low, high = scale
        if not 0 <= low < high < _MOST:
            raise ValueError(
                f"[{low}, {high}] is no scale: give two integers from 0 on, the lower first, as in [1, 10]"
            )
        return scale

    def text(self, candidate: Candidate) -> str:
        """What the judge is sent for a candidate."""
        return _rendered(self.template, candidate.prompt, candidate.answer, self.scale)


_MOST = 10**6


def _rendered(template: str, prompt: str, answer: str, scale: tuple[int, int]) -> str:
    low, high = scale
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    return environment.from_string(template).render(prompt=prompt, answer=answer, low=low, high=high)


class Place(Protocol):
    """A token as it was written, its log-probability (nats), and the likeliest ones in its place with theirs."""

    @property
    def text(self) -> str: ...

    @property
    def logprob(self) -> float: ...

    @property
    def top(self) -> Sequence[tuple[str, float]]: ...


class Opinion(Protocol):
    """What a judge wrote, and its tokens where the endpoint tells them."""

    @property
    def text(self) -> str: ...

    @property
    def tokens(self) -> Sequence[Place] | None: ...


Ask = Callable[[Sequence[str]], Awaitable[Sequence[Opinion | str]]]
"""Sends each text to the judge; brings what it said of each, or why it said nothing."""


class LLMJudge:
    """Scores candidates by what a model says of each; `ask` is the way to it. Raises what `ask` raises."""

    def __init__(self, rubric: Rubric, ask: Ask) -> None:
        self._rubric, self._ask = rubric, ask

    async def score(self, candidates: Sequence[Candidate]) -> list[Score | str]:
        """One for each candidate, in order: its score, or why it has none."""
        said = await self._ask([self._rubric.text(candidate) for candidate in candidates])
        return [one if isinstance(one, str) else read_opinion(one, self._rubric.scale) for one in said]


def read_opinion(opinion: Opinion, scale: tuple[int, int]) -> Score | str:
    """The score that was given, or why there is none.

    Its value is the expected score where tokens are told, else the integer that was written first. Parts: `score`, that
    integer; `mass`, the probability of all integers of the scale that were found (none without tokens).
    """
    found = _NUMBER.search(opinion.text)
    score = _integer(found.group(), scale) if found else None
    if found is None or score is None:
        return f"the judge wrote {opinion.text[:60]!r}, and no integer from {scale[0]} to {scale[1]}"
    masses: dict[int, float] = {}
    for number, mass in _found(opinion, found, scale):
        masses[number] = masses.get(number, 0.0) + mass
    total = math.fsum(masses.values())
    if not total > 0:  # nor where it is no number
        return Score(float(score), {"score": float(score)})
    expected = math.fsum(number * mass for number, mass in masses.items()) / total
    return Score(expected, {"score": float(score), "mass": total})


_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")


def _integer(digits: str, scale: tuple[int, int]) -> int | None:
    """None: no integer, or not of the scale."""
    if not digits.isdecimal() or len(digits) > _LONGEST:
        return None
    return int(digits) if scale[0] <= int(digits) <= scale[1] else None


_LONGEST = 9
"""Digits."""

_DIGITS = re.compile(f"[0-9]{{1,{_LONGEST + 1}}}")


class _Step(NamedTuple):
    """A token of the number that was written: the digits before it, its own, and what came before them in the token."""

    place: Place
    before: str
    own: str
    lead: str
    is_last: bool


def _found(opinion: Opinion, number: re.Match[str], scale: tuple[int, int]) -> Iterator[tuple[int, float]]:
    """Integers of the scale that could have been written in place of the `number`, and how likely each was.

    A number may be written in several tokens: another one parts from it at one of them.
    """
    reached = 1.0
    for step in _steps(opinion, number):
        chosen = step.place.text
        likely = {**dict(step.place.top), chosen: step.place.logprob}
        longer = {token: _begun(token, step) for token in likely}
        for token, logprob in likely.items():
            digits = longer[token] or step.before  # a token of another kind ends the number
            found = _integer(digits, scale)
            if token == chosen:
                is_whole = step.is_last
            else:
                is_whole = not longer[token] or not _may_go_on(digits, set(longer.values()), scale)
            if found is not None and is_whole:
                yield found, reached * _probability(logprob)
        reached *= _probability(step.place.logprob)


def _steps(opinion: Opinion, number: re.Match[str]) -> Iterator[_Step]:
    tokens = opinion.tokens or ()
    begin = "".join(token.text for token in tokens).find(opinion.text)
    if begin < 0:  # they are not what the text is made of
        return
    start, end, at = begin + number.start(), begin + number.end(), 0
    for token in tokens:
        first, at = at, at + len(token.text)
        if start < at and first < end:
            lead = max(start - first, 0)
            before = number.group()[: max(first - start, 0)]
            yield _Step(token, before, token.text[lead : end - first], token.text[:lead], at >= end)


def _begun(token: str, step: _Step) -> str:
    """The number so far, had this token been there; empty where it is no part of one."""
    if token == step.place.text:
        return step.before + step.own
    digits = _DIGITS.match(token.removeprefix(step.lead).strip())
    return step.before + digits.group() if digits else ""


def _may_go_on(digits: str, written: set[str], scale: tuple[int, int]) -> bool:
    """It may be the beginning of a longer number of the scale (1 of 10), which is not among those `written`."""
    first = last = int(digits)
    while first and first * 10 <= scale[1]:
        first, last = first * 10, last * 10 + 9
        if any(str(number) not in written for number in range(max(first, scale[0]), min(last, scale[1]) + 1)):
            return True
    return False


def _probability(logprob: float) -> float:
    return math.exp(min(logprob, 0.0))
