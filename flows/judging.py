"""The judge of Stage 2: opened for a run, asked of the best whole answers, and its words made verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flows.calls import Calls, Line
from flows.judge_settings import JudgeSettings
from flows.methods import Judge, Judged, Tree, Verdict
from flows.pace import Pace
from providers import ContinuationRequest, open_judge
from providers.gate import Gate
from scoring import Candidate, LLMJudge, Opinion, Score
from store import Record


@dataclass(frozen=True)
class Judging:
    """The way to the judge, and what it is asked."""

    line: Line
    settings: JudgeSettings

    async def judge(self, ask: Judge, prompt: str, tree: Tree, calls: Calls) -> Judged:
        """A request for each candidate. Raises what ends the search; what a candidate met is in its verdict."""

        async def say(texts: Sequence[str]) -> list[Opinion | str]:
            replies = await calls.each(ask, [self._request(text) for text in texts], self.line)
            return [reply if isinstance(reply, str) else reply.continuations[0] for reply in replies]

        nodes = [tree.nodes[node] for node in ask.candidates]
        candidates = [Candidate(prompt, tree.answer(node), node.finish == "stop") for node in nodes]
        scores = await LLMJudge(self.settings, say).score(candidates)
        return Judged(tuple(map(verdict, ask.candidates, scores)), calls.made(ask))

    def _request(self, text: str) -> ContinuationRequest:
        settings = self.settings
        return ContinuationRequest(
            text, "", 1, settings.max_tokens, temperature=0.0, logprobs=settings.logprobs
        )  # fmt: skip


def verdict(node: str, score: Score | str) -> Verdict:
    """Of a candidate, by its score or the reason why it has none."""
    if isinstance(score, str):
        return Verdict(node, None, reason=score)
    return Verdict(node, score.value, score.parts)


@asynccontextmanager
async def judging(settings: JudgeSettings | None, record: Record) -> AsyncIterator[Judging | None]:
    """The judge, open; none where none is set. Raises StrongModelMisconfigured."""
    if settings is None:
        yield None
        return
    model = await asyncio.to_thread(open_judge, settings)
    try:
        gate = Gate(settings.concurrency, settings.retry_for, where=f"judge model {settings.model}")
        yield Judging(Line(model, gate, Pace(record, settings), 1, settings.retry_for), settings)
    finally:
        await model.close()
