"""The driver of one search: ask -> call -> record -> tell.

Life of an ask: each HTTP request has its intent on record before it is sent, and all that it follows from; what the
replies bring is scored, recorded and told, in the order asked. A fresh driver on the same record goes on from there.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flows.calls import Calls, Line
from flows.config import RunConfig
from flows.drafting import NO_ENTROPY, kept, pieces
from flows.judging import Judging
from flows.methods import (
    Ask,
    Child,
    Chunk,
    Draft,
    Estimate,
    Failed,
    Grown,
    Judge,
    Keep,
    Likelihood,
    Outcome,
    Result,
    Sample,
    chunks,
    cut_at_stop,
)
from flows.methods.ladder import weak_prior
from flows.replay import Start, replay
from flows.rows import ask_row, seconds_at_work, stopped, told
from flows.tally import Tally
from providers import Blame, CallFailed, Continuation
from scoring import BatchScorer, Candidate, Score, ScoringError
from store import History, Journal, OutOfBudget, SearchRow


@dataclass(frozen=True)
class Models:
    """What searches share: the way to the strong model, the scorer, and the judge where there is one."""

    line: Line
    batches: BatchScorer
    scorer: str
    judging: Judging | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        return self.line, *((self.judging.line,) if self.judging else ())


class Driver:
    """One search under way. Raises CallFailed, StoreError or ScoringError; all that was paid for is on record."""

    def __init__(
        self,
        row: SearchRow,
        config: RunConfig,
        begun: Start,
        journal: Journal,
        history: History,
        models: Models,
        tally: Tally,
    ) -> None:
        self._row, self._config, self._method = row, config, begun.method
        self._open_asks = begun.open_asks
        self._journal, self._history, self._models, self._tally = journal, history, models, tally
        self._calls = Calls(row, config, begun.method, journal, history, models.line, tally, begun.calls)
        self._calls.stopped = any(tell.kind == "stop" and not tell.outcome["finish"] for tell in history.tells)
        self._told = len(history.tells)
        self._recorded = set(history.nodes)  # a fork records what it inherits again where it comes again
        self._late = any(tell.kind == "stop" for tell in history.tells)
        self._began = time.monotonic() - seconds_at_work(history)

    async def run(self) -> Result:
        """Go on from the record to the end of the search."""
        open_asks = replay(self._method, self._history, self._open_asks)
        under_way = {ask.number: (ask, asyncio.create_task(self._answer(ask))) for ask in open_asks}
        try:
            while True:
                asks = self._method.ask()
                for ask in asks:
                    under_way[ask.number] = (ask, asyncio.create_task(self._answer(ask)))
                if not asks:  # else what was told goes on record with the first of their calls
                    await self._journal.flush()
                if not under_way:
                    return self._method.result()
                ask, task = under_way.pop(min(under_way))
                try:
                    outcome = await task
                except OutOfBudget as error:
                    self._stop(error.what)
                    continue
                self._keep_time()  # before the tell: as replay asks after each tell, so does this
                self._tell(ask, outcome)
        except asyncio.CancelledError:
            for _, task in under_way.values():
                task.cancel()
            raise
        finally:
            # One ask's failure does not cut off the others: what is on the wire gets its reply on record.
            await asyncio.gather(*(task for _, task in under_way.values()), return_exceptions=True)
            await self._calls.drain()

    def _tell(self, ask: Ask, outcome: Outcome) -> None:
        rows = told(self._told, ask, outcome, self._models.scorer, self._recorded, self._seconds())
        self._journal.tell(rows.tell, rows.nodes, rows.scores, ask_row(ask))
        self._recorded |= {node.id for node in rows.nodes}
        self._told += 1
        self._method.tell(ask.number, outcome)
        self._tally.nodes += len(rows.nodes)
        if self._method.tree.best is not None:
            self._tally.best[self._row.id] = self._method.tree.best

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _keep_time(self) -> None:
        """Where the time is up nothing more is begun, but for the call that finishes an answer."""
        limit = self._method.limits.seconds
        if limit is not None and not self._late and self._seconds() >= limit:
            self._stop(f"limits.seconds = {limit:g}", finish=True)

    def _stop(self, reason: str, *, finish: bool = False) -> None:
        if self._calls.stopped or (self._late and finish):
            return
        self._late, self._calls.stopped = True, not finish
        self._journal.tell(stopped(self._told, reason, finish, self._seconds()).tell)
        self._told += 1
        self._method.stop(reason, finish=finish)

    async def _answer(self, ask: Ask) -> Outcome:
        match ask:
            case Sample():
                return await self._grow(ask)
            case Judge():
                judging = self._models.judging
                if judging is None:  # pragma: no cover
                    raise AssertionError("a method asks for a judge where the config has one")
                return await judging.judge(ask, self._row.prompt, self._method.tree, self._calls)
            case Likelihood():
                return await self._calls.likelihood(ask)
            case Draft():
                drafted = await self._models.batches.draft(self._row.prompt, ask.max_tokens)
                found = pieces(ask, drafted, self._config.sampling.stop)
            case Keep():
                found = [kept(ask)]
        if not found:
            return Failed("the weak model drafted nothing")
        answer = self._method.tree.answer(self._method.tree.nodes[ask.node])
        return Grown(*await self._score(ask, answer, found, NO_ENTROPY))

    async def _grow(self, ask: Sample) -> Outcome:
        """Sample, merge and score."""
        try:
            parts = await self._calls.collect(ask)
        except CallFailed as failed:
            if failed.blame is not Blame.REQUEST:
                raise
            return Failed(failed.what, 0, self._calls.made(ask))
        continuations = [c for part in parts for c in part.continuations]
        tokens = sum(part.tokens for part in parts)
        answer, sampling = ask.answer(self._method.tree), self._config.sampling
        vocabulary = self._config.strong.vocabulary
        found = chunks(ask, continuations, vocabulary, answer, sampling.stop, sampling.temperature)
        if not found.chunks:
            return Failed(_nothing(continuations), tokens, self._calls.made(ask))
        children, entropy = await self._score(ask, answer, found.chunks, found.entropy)
        return Grown(children, entropy, tokens, self._calls.made(ask))

    async def _score(
        self, ask: Sample | Draft | Keep, answer: str, found: Sequence[Chunk], entropy: Estimate
    ) -> tuple[tuple[Child, ...], Estimate]:
        """Values, and what the weak reference model knows where the strong model withholds its probabilities."""
        prompt, stop = self._row.prompt, self._config.sampling.stop
        texts: dict[str | None, str] = {None: answer}
        for chunk in found:
            texts[chunk.id] = cut_at_stop(texts[chunk.parent] + chunk.text, stop)
        candidates = [Candidate(prompt, texts[chunk.id], chunk.finish == "stop") for chunk in found]
        parent = self._method.tree.nodes[ask.node].parts
        if entropy.rung == "none" and not answer:
            candidates.append(Candidate(prompt, "", False))
        scores = await self._models.batches.score(candidates)
        if not all(math.isfinite(score.value) for score in scores):
            raise ScoringError("gave a value that is no number", where=self._models.scorer, mend="Check the weak pair")
        if len(scores) > len(found):
            parent = scores[-1].parts
        if entropy.rung == "none" and "entropy" in parent:
            entropy = Estimate(parent["entropy"], "weak")
        parts: dict[str | None, Mapping[str, float]] = {None: parent}
        parts |= {chunk.id: score.parts for chunk, score in zip(found, scores, strict=False)}
        approximate = self._models.line.approximate
        return tuple(
            _child(chunk, score, parts[chunk.parent], approximate) for chunk, score in zip(found, scores, strict=False)
        ), entropy


def _nothing(continuations: Sequence[Continuation]) -> str:
    """Why no chunk came of them."""
    filtered = sum(continuation.finish == "filter" for continuation in continuations)
    rest = "" if filtered == len(continuations) else ", and the rest brought no text"
    if filtered:
        return f"a content filter took {filtered} of {len(continuations)} choices{rest}"
    return "the strong model brought no text"


def _child(chunk: Chunk, score: Score, parent: Mapping[str, float], approximate: bool) -> Child:
    rung = chunk.prior.rung
    prior = weak_prior(chunk.prior, parent, score.parts) if rung == "uniform" else chunk.prior
    prior = replace(prior, approximate=approximate)
    return Child(
        chunk.id, chunk.text, chunk.finish, chunk.tokens, chunk.count, prior, score.value, score.parts, chunk.parent
    )  # fmt: skip
