"""The paid calls of one search: split over requests, tried again, each with its intent and its reply on record."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from flows.config import RunConfig
from flows.methods import Ask, Failed, Judge, Likelihood, Likely, Method, Sample
from flows.methods.ladder import with_entropies
from flows.pace import Pace
from flows.rows import ask_row, continuations_from_json, failure_row, reply_row, request_row
from flows.tally import Tally
from providers import Blame, CallFailed, Continuation, ContinuationRequest, Reply, StrongModel
from providers.gate import Gate
from providers.policy import retrying, split
from store import CallKey, Cost, History, Journal, OutOfBudget, SearchRow


@dataclass(frozen=True)
class Line:
    """The way to a model that searches share: its gate and pace, and the choices that one request brings.

    `retry_for`: seconds over which a failed request is tried again. `approximate`: what it brings are no continuations
    of the model's own.
    """

    strong: StrongModel
    gate: Gate
    pace: Pace
    choices_per_request: int
    retry_for: float
    approximate: bool = False


@dataclass(frozen=True)
class Part:
    """What one request of an ask brought, and the tokens that the server counted."""

    continuations: tuple[Continuation, ...]
    tokens: int


class Calls:
    """Fulfils the asks of a search: from the record where the replies are there, else paid for.

    `inherited`: calls that a fork's parent made. A request that is cancelled while it is on the wire is waited for by
    `drain`: what is paid for gets its reply on record.
    """

    def __init__(
        self,
        row: SearchRow,
        config: RunConfig,
        method: Method,
        journal: Journal,
        history: History,
        line: Line,
        tally: Tally,
        inherited: int,
    ) -> None:
        self._row, self._config, self._method = row, config, method
        self._journal, self._history, self._line, self._tally = journal, history, line, tally
        self._sent: dict[tuple[int, int], list[CallKey]] = {}  # recorded attempts of each ask's parts, in order
        for key in history.calls:
            self._sent.setdefault((key.ask, key.part), []).append(key)
        self._count = inherited + len(history.calls)
        self._on_the_wire: set[asyncio.Task[Reply]] = set()
        self.stopped = False
        """Nothing more is sent."""

    def made(self, ask: Ask) -> int:
        """HTTP requests made for an ask, those that failed included."""
        return sum(len(keys) for (number, _), keys in self._sent.items() if number == ask.number)

    async def drain(self) -> None:
        """Wait for what is on the wire still."""
        await asyncio.gather(*self._on_the_wire, return_exceptions=True)

    async def collect(self, ask: Sample) -> list[Part]:
        """`ask.n` choices: split over requests, topped up where a server gives fewer than asked.

        Fewer where a part was refused or the money is gone, and others brought some: what was paid for is used.
        """
        got: list[Part] = []
        part, most, missing = 0, self._line.choices_per_request, ask.n
        while missing > 0:
            sizes = split(missing, most)
            sent = [(part + i, self._request(ask, part + i, size)) for i, size in enumerate(sizes)]
            requests = (self._part(ask, number, request, self._line) for number, request in sent)
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

    async def likelihood(self, ask: Likelihood) -> Likely | Failed:
        """Of a draft's tokens, to the strong model."""
        node, tree = self._method.tree.nodes[ask.node], self._method.tree
        request = ContinuationRequest(
            self._row.prompt, "", 1, 1, temperature=0.0, system=self._config.strong.system, draft=tree.answer(node)
        )
        (read,) = await self.each(ask, [request], self._line)
        if isinstance(read, str):
            return Failed(read, 0, self.made(ask))
        tokens = read.continuations[0].tokens or ()
        return Likely(tuple((token.text, token.logprob) for token in tokens), self.made(ask))

    async def each(
        self, ask: Judge | Likelihood, requests: Sequence[ContinuationRequest], line: Line
    ) -> list[Part | str]:
        """What each of an ask's requests brought, in order, or why it was refused."""
        parts = (self._part(ask, number, request, line) for number, request in enumerate(requests))
        replies = await asyncio.gather(*parts, return_exceptions=True)  # all are waited for, as above
        got = any(isinstance(reply, Part) for reply in replies)
        brought: list[Part | str] = []
        for reply in replies:
            if (isinstance(reply, CallFailed) and reply.blame is Blame.REQUEST) or (
                isinstance(reply, OutOfBudget) and got
            ):
                brought.append(reply.what)
            elif isinstance(reply, BaseException):
                raise reply
            else:
                brought.append(reply)
        return brought

    async def _part(self, ask: Ask, part: int, request: ContinuationRequest, line: Line) -> Part:
        """The choices of one part: from the record where they are, else paid for, tried again if need be."""
        sent = self._sent.setdefault((ask.number, part), [])
        for key in sent:
            recorded = self._history.replies[key]
            if recorded.failure is None:
                return Part(continuations_from_json(recorded.continuations or ()), recorded.output_tokens)
            if recorded.failure.get("blame") == Blame.REQUEST:
                raise CallFailed(recorded.failure["what"], where=self._row.id, blame=Blame.REQUEST, billed=False)
        async for trial in retrying(line.retry_for):
            with trial:
                reply = await self._call(ask, CallKey(ask.number, part, len(sent)), request, line)
                return Part(reply.continuations, reply.usage.output)
        raise AssertionError("retrying returns or raises")

    async def _call(self, ask: Ask, key: CallKey, request: ContinuationRequest, line: Line) -> Reply:
        """One HTTP request. Whoever cancels this does not cancel what is begun."""
        if self.stopped:
            raise OutOfBudget("the search was stopped", where=f"search {self._row.id}")
        if self._count >= self._most(ask):
            # Tried again or topped up too often: the call that finishes an answer is not theirs to take.
            raise CallFailed("limits.calls", where=f"search {self._row.id}", blame=Blame.REQUEST, billed=False)
        self._count += 1
        worst = Cost(*line.strong.worst_case(request))
        if line.gate.is_closed or line.pace.is_limited:  # what was told does not wait for what follows from it
            await self._journal.flush()
        async with line.gate.passing():
            await line.pace.wait(worst)
            task = asyncio.create_task(self._send(ask, key, request, line, worst))
            self._on_the_wire.add(task)
            task.add_done_callback(self._on_the_wire.discard)
            return await asyncio.shield(task)

    async def _send(self, ask: Ask, key: CallKey, request: ContinuationRequest, line: Line, worst: Cost) -> Reply:
        """Intent, request, reply."""
        await self._journal.intend(ask_row(ask), key, request_row(request), worst)
        self._sent[key.ask, key.part].append(key)
        try:
            reply = await line.strong.send(request)
        except CallFailed as failed:
            self._journal.settle(key, failure_row(failed), billed=failed.billed)
            self._tally.spent += (worst.price or 0) if failed.billed else 0
            raise
        if isinstance(ask, Sample) and ask.least:  # once: chunks end by what is on record
            vocabulary = self._config.strong.vocabulary
            reply = replace(reply, continuations=with_entropies(reply.continuations, vocabulary))
        self._journal.settle(key, reply_row(reply, all_tops=isinstance(ask, Judge)))
        await line.pace.took(worst, reply.usage.input + reply.usage.output)
        self._tally.calls += 1
        self._tally.input_tokens += reply.usage.input
        self._tally.output_tokens += reply.usage.output
        self._tally.spent += reply.price or 0
        return reply

    def _most(self, ask: Ask) -> float:
        """Calls that may have been made in all by the time an ask makes one more: one is kept back for finishing, and
        those of the judge.
        """
        tree, limit = self._method.tree, self._method.limits.calls
        if limit is None:
            return math.inf
        if not isinstance(ask, Sample):
            return limit
        limit -= self._method.kept_for_judge
        reaches = tree.nodes[ask.node].depth + ask.max_tokens >= tree.max_tokens
        whole = reaches and (ask.unit == "tokens" or ask.cut > 0)
        return limit if tree.complete or whole else limit - 1

    def _request(self, ask: Sample, part: int, n: int) -> ContinuationRequest:
        sampling, tree = self._config.sampling, self._method.tree
        return ContinuationRequest(
            prompt=self._row.prompt if ask.prompt is None else ask.prompt,
            answer=ask.answer(tree),
            n=n,
            max_tokens=ask.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop=sampling.stop,
            seed=request_seed(self._row.seed, self._row.key, ask.node, ask.attempt, part),
            logprobs=self._config.strong.logprobs,
            system=self._config.strong.system,
            distinct=self._config.strong.distinct_first_tokens,
        )


def request_seed(seed: int, search_key: str, node: str, attempt: int, part: int) -> int:
    """31 bits from a hash: neighbouring requests share no choices (llama.cpp's choice j uses seed + j)."""
    digest = hashlib.sha256(f"{seed}/{search_key}/{node}/{attempt}/{part}".encode()).digest()
    return int.from_bytes(digest[:4]) & 0x7FFF_FFFF


def _leaves_the_rest(failure: BaseException) -> bool:
    """The other parts of an ask stand without the one that failed so."""
    return isinstance(failure, OutOfBudget) or (isinstance(failure, CallFailed) and failure.blame is Blame.REQUEST)
