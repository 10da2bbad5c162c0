"""The driver of one search: ask -> call -> record -> tell.

Life of an ask: each HTTP request has its intent on record before it is sent and its reply before it is used; what the
replies bring is scored, recorded and told, in the order asked. A fresh driver on the same record goes on from there.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from flows.config import RunConfig
from flows.methods import Child, Chunk, Estimate, Failed, Grown, Outcome, Result, Sample, chunks, cut_at_stop
from flows.methods.ladder import weak_prior
from flows.replay import Start, replay
from flows.rows import (
    ask_row,
    continuations_from_json,
    reply_row,
    request_row,
    seconds_at_work,
    stopped,
    told,
)
from flows.tally import Tally
from providers import Blame, CallFailed, Continuation, ContinuationRequest, Reply, StrongModel
from providers.policy import retrying, split
from scoring import Candidate, Score, ScoringError
from store import CallKey, Cost, History, Journal, OutOfBudget, ReplyRow, SearchRow

Scoring = Callable[[Sequence[Candidate]], Awaitable[list[Score]]]


@dataclass(frozen=True)
class _Part:
    """What one request of an ask brought, and the tokens that the server counted."""

    continuations: tuple[Continuation, ...]
    tokens: int


@dataclass(frozen=True)
class Models:
    """What searches share: the strong model with its slots, and the scorer's thread."""

    strong: StrongModel
    slots: asyncio.Semaphore
    choices_per_request: int
    score: Scoring
    scorer: str


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
        self._sent: dict[tuple[int, int], list[CallKey]] = {}  # recorded attempts of each ask's parts, in order
        for key in history.calls:
            self._sent.setdefault((key.ask, key.part), []).append(key)
        self._told = len(history.tells)
        self._recorded = set(history.nodes)  # a fork records what it inherits again where it comes again
        self._calls = begun.calls + len(history.calls)
        self._stopped = any(tell.kind == "stop" and not tell.outcome["finish"] for tell in history.tells)
        self._late = any(tell.kind == "stop" for tell in history.tells)
        self._began = time.monotonic() - seconds_at_work(history)
        template = config.strong.template
        environment = SandboxedEnvironment(undefined=StrictUndefined)
        self._text = environment.from_string(template).render(prompt=row.prompt) if template else row.prompt

    async def run(self) -> Result:
        """Go on from the record to the end of the search."""
        open_asks = replay(self._method, self._history, self._open_asks)
        under_way = {ask.number: (ask, asyncio.create_task(self._answer(ask))) for ask in open_asks}
        try:
            while True:
                for ask in self._method.ask():
                    under_way[ask.number] = (ask, asyncio.create_task(self._answer(ask)))
                if not under_way:
                    return self._method.result()
                ask, task = under_way.pop(min(under_way))
                try:
                    outcome = await task
                except OutOfBudget as error:
                    await self._stop(error.what)
                    continue
                await self._keep_time()  # before the tell: as replay asks after each tell, so does this
                await self._tell(ask, outcome)
        except asyncio.CancelledError:
            for _, task in under_way.values():
                task.cancel()
            raise
        finally:
            # One ask's failure does not cut off the others: what is on the wire gets its reply on record.
            await asyncio.gather(*(task for _, task in under_way.values()), return_exceptions=True)

    async def _tell(self, ask: Sample, outcome: Outcome) -> None:
        rows = told(self._told, ask, outcome, self._models.scorer, self._recorded, self._seconds())
        await self._journal.tell(rows.tell, rows.nodes, rows.scores)
        self._recorded |= {node.id for node in rows.nodes}
        self._told += 1
        self._method.tell(ask.number, outcome)
        self._tally.nodes += len(rows.nodes)
        if self._method.tree.best is not None:
            self._tally.best[self._row.id] = self._method.tree.best

    def _seconds(self) -> float:
        return round(time.monotonic() - self._began, 3)

    async def _keep_time(self) -> None:
        """Where the time is up nothing more is begun, but for the call that finishes an answer."""
        limit = self._method.limits.seconds
        if limit is not None and not self._late and self._seconds() >= limit:
            await self._stop(f"limits.seconds = {limit:g}", finish=True)

    async def _stop(self, reason: str, *, finish: bool = False) -> None:
        if self._stopped or (self._late and finish):
            return
        self._late, self._stopped = True, not finish
        await self._journal.tell(stopped(self._told, reason, finish, self._seconds()).tell)
        self._told += 1
        self._method.stop(reason, finish=finish)

    async def _answer(self, ask: Sample) -> Outcome:
        """Sample, merge and score."""
        try:
            parts = await self._collect(ask)
        except CallFailed as failed:
            if failed.blame is not Blame.REQUEST:
                raise
            return Failed(failed.what, 0, self._calls_of(ask))
        continuations = [c for part in parts for c in part.continuations]
        tokens = sum(part.tokens for part in parts)
        sampling, answer = self._config.sampling, self._answer_so_far(ask)
        vocabulary = self._config.strong.vocabulary
        found = chunks(ask, continuations, vocabulary, answer, sampling.stop, sampling.temperature)
        if not found.chunks:
            return Failed("the strong model brought no text", tokens, self._calls_of(ask))
        children, entropy = await self._score(ask, answer, found.chunks, found.entropy)
        return Grown(children, entropy, tokens, self._calls_of(ask))

    async def _score(
        self, ask: Sample, answer: str, found: Sequence[Chunk], entropy: Estimate
    ) -> tuple[tuple[Child, ...], Estimate]:
        """Values, and what the weak reference model knows where the strong model withholds its probabilities."""
        prompt, stop = self._row.prompt, self._config.sampling.stop
        texts = [cut_at_stop(answer + chunk.text, stop) for chunk in found]
        candidates = [Candidate(prompt, t, c.finish == "stop") for t, c in zip(texts, found, strict=True)]
        parent = self._method.tree.nodes[ask.node].parts
        if entropy.rung == "none" and not answer:
            candidates.append(Candidate(prompt, "", False))
        scores = await self._models.score(candidates)
        if not all(math.isfinite(score.value) for score in scores):
            raise ScoringError("gave a value that is no number", where=self._models.scorer, mend="Check the weak pair")
        if len(scores) > len(found):
            parent = scores[-1].parts
        if entropy.rung == "none" and "entropy" in parent:
            entropy = Estimate(parent["entropy"], "weak")
        return tuple(_child(chunk, s, parent) for chunk, s in zip(found, scores, strict=False)), entropy

    def _answer_so_far(self, ask: Sample) -> str:
        tree = self._method.tree
        return tree.answer(tree.nodes[ask.node])

    def _calls_of(self, ask: Sample) -> int:
        """HTTP requests made for an ask, those that failed included."""
        return sum(len(keys) for (number, _), keys in self._sent.items() if number == ask.number)

    async def _collect(self, ask: Sample) -> list[_Part]:
        """`ask.n` choices: split over requests, topped up where a server gives fewer than asked.

        Fewer where a part was refused or the money is gone, and others brought some: what was paid for is used.
        """
        got: list[_Part] = []
        part, most, missing = 0, self._models.choices_per_request, ask.n
        while missing > 0:
            sizes = split(missing, most)
            requests = (self._part(ask, part + i, size) for i, size in enumerate(sizes))
            # All are waited for, whatever one of them brings: what is paid for gets its reply on record.
            brought = await asyncio.gather(*requests, return_exceptions=True)
            failures = [failure for failure in brought if isinstance(failure, BaseException)]
            replies = [reply for reply in brought if not isinstance(reply, BaseException)]
            got += replies
            missing -= sum(len(reply.continuations) for reply in replies)
            for failure in failures:
                if not got or not _leaves_the_rest(failure):
                    raise failure
            if failures:
                break
            part += len(sizes)
            most = min(most, max(len(reply.continuations) for reply in replies))
        return got

    async def _part(self, ask: Sample, part: int, n: int) -> _Part:
        """The choices of one part: from the record where they are, else paid for, tried again if need be."""
        sent = self._sent.setdefault((ask.number, part), [])
        for key in sent:
            recorded = self._history.replies[key]
            if recorded.failure is None:
                return _Part(continuations_from_json(recorded.continuations or ()), recorded.output_tokens)
            if recorded.failure.get("blame") == Blame.REQUEST:
                raise CallFailed(recorded.failure["what"], where=self._row.id, blame=Blame.REQUEST, billed=False)
        async for trial in retrying(self._config.strong.retry_for):
            with trial:
                reply = await self._call(ask, CallKey(ask.number, part, len(sent)), n)
                return _Part(reply.continuations, reply.usage.output)
        raise AssertionError("retrying returns or raises")

    async def _call(self, ask: Sample, key: CallKey, n: int) -> Reply:
        """One HTTP request: intent, send, reply."""
        if self._stopped:
            raise OutOfBudget("the search was stopped", where=f"search {self._row.id}")
        if self._calls >= self._most_calls(ask):
            # Tried again or topped up too often: the call that finishes an answer is not theirs to take.
            raise CallFailed("limits.calls", where=f"search {self._row.id}", blame=Blame.REQUEST, billed=False)
        self._calls += 1
        request = self._request(ask, key.part, n)
        async with self._models.slots:
            worst = Cost(*self._models.strong.worst_case(request))
            await self._journal.intend(ask_row(ask), key, request_row(request), worst)
            self._sent[key.ask, key.part].append(key)
            try:
                reply = await self._models.strong.send(request)
            except CallFailed as failed:
                failure = {"what": failed.what, "status": failed.status, "blame": failed.blame, "billed": failed.billed}
                await self._journal.settle(key, ReplyRow(None, failure, failed.body), billed=failed.billed)
                raise
            await self._journal.settle(key, reply_row(reply))
        self._tally.calls += 1
        self._tally.input_tokens += reply.usage.input
        self._tally.output_tokens += reply.usage.output
        return reply

    def _most_calls(self, ask: Sample) -> float:
        """Calls that may have been made in all by the time an ask makes one more; one is kept back for finishing."""
        tree, limit = self._method.tree, self._method.limits.calls
        if limit is None:
            return math.inf
        whole = ask.unit == "tokens" and tree.nodes[ask.node].depth + ask.max_tokens >= tree.max_tokens
        return limit if tree.complete or whole else limit - 1

    def _request(self, ask: Sample, part: int, n: int) -> ContinuationRequest:
        sampling = self._config.sampling
        return ContinuationRequest(
            text=self._text + self._answer_so_far(ask),
            n=n,
            max_tokens=ask.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop=sampling.stop,
            seed=request_seed(self._row.seed, self._row.key, ask.node, ask.attempt, part),
            logprobs=self._config.strong.logprobs,
        )


def request_seed(seed: int, search_key: str, node: str, attempt: int, part: int) -> int:
    """31 bits from a hash: neighbouring requests share no choices (llama.cpp's choice j uses seed + j)."""
    digest = hashlib.sha256(f"{seed}/{search_key}/{node}/{attempt}/{part}".encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFF_FFFF


def _child(chunk: Chunk, score: Score, parent: Mapping[str, float]) -> Child:
    rung = chunk.prior.rung
    prior = weak_prior(chunk.prior, parent, score.parts) if rung == "uniform" else chunk.prior
    return Child(
        chunk.id, chunk.text, chunk.finish, chunk.tokens, chunk.count, prior, score.value, score.parts
    )  # fmt: skip


def _leaves_the_rest(failure: BaseException) -> bool:
    """The other parts of an ask stand without the one that failed so."""
    return isinstance(failure, OutOfBudget) or (isinstance(failure, CallFailed) and failure.blame is Blame.REQUEST)
