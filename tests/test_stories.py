"""Curiosity search: its prompts, and one whole loop on a tiny model: search, pairs, tuning, search again."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from flows import RunConfig, align
from flows.audit import audit
from flows.config import load_config
from flows.export import nodes, preferences, write
from flows.gold import judge
from flows.prompts import read_prompts
from scoring import Candidate, TuneSettings, WeakSettings, open_pair, tune
from scoring.preferences import read_preferences
from store import Record
from tests.tiny_model import save_tiny_pair

OPENINGS = ("The fox had brought a key", "Nobody opened the door")


def story(pair: WeakSettings, *settings: str) -> RunConfig:
    """The recipe, for a model of random weights: all it writes has about ln 49152 nats per token."""
    tiny = f"strong.model=local/{pair.reference}", f"weak.reference={pair.reference}"
    small = "sampling.max_tokens=8", "methods.0.limits.tokens=64", "methods.0.chunk_tokens=2", "self_test=null"
    values = "values.0.mean=10.8", "values.0.deviation=0.05"
    return load_config("story", [*tiny, *values, *small, *settings], "aligntree")


async def test_what_a_search_preferred_tunes_the_model_that_searches_again(tmp_path: Path) -> None:
    pair, adapter = save_tiny_pair(tmp_path), tmp_path / "tuned"
    first = await align(OPENINGS, story(pair), record="r.db")
    record = Record.open("r.db")
    found = list(preferences(record, record.run(first.run_id), 0.05))
    assert {line["prompt"] for line in found} == set(OPENINGS)
    write(found, "preferences", tmp_path / "pairs.jsonl")
    settings = TuneSettings(loss="sigmoid", likelihood=0.2, learning_rate=2e-2, epochs=4, batch=4)
    tune(tmp_path / "pairs.jsonl", adapter, pair, settings)

    ratio = open_pair(pair.model_copy(update={"adapter": str(adapter)}))
    read = [one for _, one in read_preferences(tmp_path / "pairs.jsonl")]
    chosen = ratio.score([Candidate(one.prompt, one.chosen, one.chosen_complete) for one in read])
    rejected = ratio.score([Candidate(one.prompt, one.rejected, one.rejected_complete) for one in read])
    assert fmean(score.value for score in chosen) > fmean(score.value for score in rejected)

    second = await align(OPENINGS, story(pair, f"strong.adapter={adapter}"), record="r.db")
    assert not audit(record, first.run_id).faults and not audit(record, second.run_id).faults
    before, after = (record.searches(summary.run_id) for summary in (first, second))
    assert not {search.key for search in before} & {search.key for search in after}
    assert [answer.text for answer in first.answers] != [answer.text for answer in second.answers]
    parts = next(nodes(record, record.run(second.run_id)))["parts"]
    assert {"curiosity", "curiosity.surprisal", "coherence", "coherence.fit", "coherence.repetition"} <= parts.keys()
    record.close()


def test_held_out_openings_are_none_that_is_tuned_on() -> None:
    tuned_on, held_out = read_prompts((), "story"), read_prompts((), "story_held_out")
    assert len(set(tuned_on)) == 24 and len(set(held_out)) == 16
    assert not set(tuned_on) & set(held_out)


@pytest.mark.parametrize(
    ("text", "share"), [("One two, three.", 1.0), ("a b a b a", 0.5), ("La la LA la", 1 / 3), ("word", 1.0)]
)
def test_distinct_is_the_share_of_word_pairs_that_are_not_said_again(text: str, share: float) -> None:
    assert judge("distinct")(text) == pytest.approx(share)
