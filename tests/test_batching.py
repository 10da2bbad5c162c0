"""One batch for everybody: order, fairness, cancellation and errors of requests that are scored together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import pytest

from scoring import BatchScorer, Candidate, Score, ScoringError


class SlowScorer:
    """Scores by length, once it may; remembers its batches; refuses the text 'bad'."""

    name, scale = "length", "characters"
    traits: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began, self.may = threading.Event(), threading.Event()

    def score(self, candidates: Sequence[Candidate]) -> list[Score]:
        self.batches.append([c.answer for c in candidates])
        self.began.set()
        assert self.may.wait(10)
        if any(c.answer == "bad" for c in candidates):
            raise ScoringError("cannot be scored", where="bad", mend="Do not ask")
        return [Score(float(len(c.answer))) for c in candidates]


def of(*answers: str) -> list[Candidate]:
    return [Candidate("p", answer, False) for answer in answers]


async def started(
    scorer: SlowScorer, batches: BatchScorer, *requests: Sequence[Candidate]
) -> list[asyncio.Task[list[Score]]]:
    """Requests under way, the first of them being scored alone."""
    tasks = [asyncio.create_task(batches.score(requests[0]))]
    await asyncio.to_thread(scorer.began.wait, 10)
    tasks += [asyncio.create_task(batches.score(request)) for request in requests[1:]]
    await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_meanwhile_is_scored_together_and_everybody_gets_their_own() -> None:
    scorer = SlowScorer()
    batches = BatchScorer(scorer)
    tasks = await started(scorer, batches, of("a"), of("bb", "ccc"), of("dddd"), of())
    scorer.may.set()
    assert [[score.value for score in await task] for task in tasks] == [[1], [2, 3], [4], []]
    assert scorer.batches == [["a"], ["bb", "ccc", "dddd"]]
    batches.close()


async def test_a_long_request_is_joined_by_no_more_and_the_others_follow_in_order() -> None:
    scorer = SlowScorer()
    batches = BatchScorer(scorer)
    tasks = await started(scorer, batches, of("a"), of(*["b"] * 300), of("c"), of("d"))
    scorer.may.set()
    await asyncio.gather(*tasks)
    assert [len(batch) for batch in scorer.batches] == [1, 300, 2]
    batches.close()


async def test_a_request_that_nobody_waits_for_is_not_scored() -> None:
    scorer = SlowScorer()
    batches = BatchScorer(scorer)
    first, second, third = await started(scorer, batches, of("a"), of("b"), of("c"))
    first.cancel(), second.cancel()
    await asyncio.sleep(0)
    scorer.may.set()
    assert [score.value for score in await third] == [1]
    assert scorer.batches == [["a"], ["c"]]
    batches.close()


async def test_an_error_reaches_those_alone_that_caused_it() -> None:
    scorer = SlowScorer()
    batches = BatchScorer(scorer)
    first, bad, good = await started(scorer, batches, of("a"), of("bad"), of("cc"))
    scorer.may.set()
    assert [score.value for score in await good] == [2]
    with pytest.raises(ScoringError, match="cannot be scored"):
        await bad
    assert (await first, len(scorer.batches)) == ([Score(1.0)], 4)
    batches.close()


async def test_closing_lets_go_of_who_waits() -> None:
    scorer = SlowScorer()
    batches = BatchScorer(scorer)
    tasks = await started(scorer, batches, of("a"), of("b"))
    scorer.may.set()
    batches.close()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(one, asyncio.CancelledError) for one in found)


async def test_a_scorer_is_loaded_and_run_on_one_thread() -> None:
    threads = set[int]()

    class Threaded(SlowScorer):
        def __init__(self) -> None:
            super().__init__()
            threads.add(threading.get_ident())

        def score(self, candidates: Sequence[Candidate]) -> list[Score]:
            threads.add(threading.get_ident())
            return [Score(0.0) for _ in candidates]

    batches = await BatchScorer.open(Threaded)
    await batches.score(of("a"))
    assert len(threads) == 1 and threads != {threading.get_ident()}
    batches.close()


async def test_a_scorer_that_does_not_load_leaves_no_thread_behind() -> None:
    def fails() -> SlowScorer:
        raise ScoringError("is not there", where="weak", mend="Name another")

    with pytest.raises(ScoringError, match="is not there"):
        await BatchScorer.open(fails)
    await asyncio.sleep(0.1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("scorer")]
