"""Incremental scoring: what is kept by prefix changes what is computed, never what comes out."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from scoring import Candidate, WeakSettings
from scoring.log_ratio import LogRatio
from scoring.prefixes import Prefixes, Reading
from tests.tiny_model import save_tiny_adapter, save_tiny_model

TEXTS = [
    "The movie was a wonderful surprise, and I loved every minute of it.  Twice!",
    "def f(x):\n    return [\n        y ** 2 for y in x if y % 2 == 0\n    ]  # 🍲\n\t\tpass",
    "本当に美味しいラーメンでした。また行きたいです。 Wirklich köstlich 🍲🏳️‍🌈, não é?",
    "1234567890 12 345   \n\n\n  trailing spaces   ",
    "e\u0301toile <|im_end|> naïve — “quotes” … ﷽",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weak pair of random weights with the built-in tokenizer, whose adapter is no small change."""
    folder = tmp_path_factory.mktemp("pair")
    save_tiny_adapter(folder / "adapter", save_tiny_model(folder / "reference"))
    return folder


def pair_of(folder: Path, **settings: object) -> LogRatio:
    here = {"reference": str(folder / "reference"), "adapter": str(folder / "adapter"), "device": "cpu"}
    return LogRatio(WeakSettings.model_validate({**here, "number_format": "float32", **settings}))


@pytest.fixture(scope="module")
def pairs(folder: Path) -> dict[str, LogRatio]:
    sizes = {"plain": 0, "keeping": 2**26, "forgetting": 20_000}
    return {name: pair_of(folder, memory=size, batch_tokens=512) for name, size in sizes.items()}


@st.composite
def growing_answers(draw: st.DrawFn) -> list[list[Candidate]]:
    """Batches of candidates as searches make them: prefixes of texts, cut anywhere, in any order, some ended."""
    batches = []
    for _ in range(draw(st.integers(1, 5))):
        batch = []
        for _ in range(draw(st.integers(1, 6))):
            text = draw(st.sampled_from(TEXTS))
            split, end = sorted(draw(st.tuples(st.integers(1, len(text)), st.integers(1, len(text)))))
            batch.append(Candidate(text[:split], text[split:end], draw(st.booleans())))
        batches.append(batch)
    return batches


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(growing_answers())
def test_any_split_of_any_text_scores_as_in_two_plain_passes(
    pairs: dict[str, LogRatio], batches: list[list[Candidate]]
) -> None:
    for batch in batches:
        expected = [pairs["plain"].score([candidate])[0] for candidate in batch]
        for name in ("keeping", "forgetting"):
            for one, other in zip(pairs[name].score(batch), expected, strict=True):
                assert one.value == pytest.approx(other.value, abs=1e-3)
                assert one.parts == pytest.approx(other.parts, abs=1e-3)
            assert pairs[name].prefixes.bytes <= pairs[name].prefixes.limit


def test_the_tokens_read_are_those_that_are_new_and_one_before(folder: Path) -> None:
    pair = pair_of(folder)
    words = [f" word{i}" for i in range(20)]
    tokens = [len(pair._pair.reader.row(Candidate("Once", "".join(words[:i]), False)).ids) for i in range(21)]
    for i in range(1, 21):
        before = pair.tokens_read
        pair.score([Candidate("Once", "".join(words[:i]), False)])
        assert pair.tokens_read - before == (tokens[i] - tokens[i - 1] + 1 if i > 1 else tokens[1])


def test_logits_are_made_of_contiguous_states(folder: Path) -> None:
    """Of a slice torch copies the vocabulary's weights for each row in bfloat16."""
    pair, seen = pair_of(folder), list[bool]()
    both: Any = pair._pair.models.both
    both.get_output_embeddings().register_forward_pre_hook(lambda _, states: seen.append(states[0].is_contiguous()))
    pair.score([Candidate("The film was shown", text, False) for text in (" again", " in a small town by the sea")])
    assert seen and all(seen)


def test_siblings_share_what_nothing_has_read_yet(folder: Path) -> None:
    pair = pair_of(folder)
    start = " and then" * 40
    siblings = [Candidate("Once", f"{start} {end}", False) for end in ("one", "two", "three", "four")]
    longest = max(len(pair._pair.reader.row(s).ids) for s in siblings)
    scores = pair.score(siblings)
    assert pair.tokens_read < 1.5 * longest
    plain = pair_of(folder, memory=0)
    assert [s.value for s in scores] == pytest.approx([s.value for s in plain.score(siblings)], abs=1e-3)
    assert plain.tokens_read > 3 * longest


def test_the_built_in_pair_scores_as_in_two_plain_passes() -> None:
    plain, keeping = (LogRatio(WeakSettings(number_format="float32", device="cpu", memory=m)) for m in (0, 2**28))
    for text, split in itertools.product(TEXTS, (1, 5)):
        ends = range(split, len(text) + 1, 17)
        one = plain.score([Candidate(text[:split], text[split:end], end == ends[-1]) for end in ends])
        for end, score in zip(ends, one, strict=True):
            (kept,) = keeping.score([Candidate(text[:split], text[split:end], end == ends[-1])])
            assert kept.value == pytest.approx(score.value, abs=1e-3)
            assert kept.parts == pytest.approx(score.parts, abs=1e-3)


@pytest.mark.parametrize("kind", ["dora", "ia3", "sliding"])
def test_pairs_that_cannot_share_a_pass_or_be_gone_on_from_score_the_same(tmp_path: Path, kind: str) -> None:
    """What is not plain LoRA is not mixed in one batch with its base; a sliding window forgets what was kept."""
    reference = save_tiny_model(tmp_path / "reference", sliding=kind == "sliding")
    save_tiny_adapter(tmp_path / "adapter", reference, dora=kind == "dora", ia3=kind == "ia3")
    pair = pair_of(tmp_path)
    models: Any = pair._pair.models
    assert (models.remembers, models.both is not None) == ((False, True) if kind == "sliding" else (True, False))
    tokenizer = AutoTokenizer.from_pretrained(reference)
    for end in (10, 30, 70):
        text = TEXTS[0][:end]
        ids, start = tokenizer(text)["input_ids"], len(tokenizer("The")["input_ids"])
        (score,) = pair.score([Candidate("The", text[3:], False)])
        log_probs = []
        for context in (torch.enable_grad(), models.tuned.disable_adapter()):
            with context, torch.no_grad():
                logits = torch.log_softmax(models.tuned(input_ids=torch.tensor([ids])).logits[0], -1)
            log_probs.append(sum(logits[i - 1, ids[i]].item() for i in range(start, len(ids))))
        assert score.value == pytest.approx(log_probs[0] - log_probs[1], abs=1e-3)


def reading(tokens: int, value: float = 0.0) -> Reading:
    filled = torch.full((2, 1, 1, tokens, 4), value)
    return Reading(filled, filled, torch.full((2, tokens), value, dtype=torch.double))


def kept_ids(prefixes: Prefixes, prompt: str, ids: list[int]) -> list[float]:
    return [value for part in prefixes.find(prompt, ids) for value in part.log_probs[0].tolist()]


def test_a_segment_is_cut_where_texts_part() -> None:
    prefixes = Prefixes(10**6)
    prefixes.keep("p", [1, 2, 3, 4], reading(4, 1.0))
    prefixes.keep("p", [1, 2, 7], reading(1, 2.0))
    assert kept_ids(prefixes, "p", [1, 2, 3, 4, 5]) == [1.0] * 4
    assert kept_ids(prefixes, "p", [1, 2, 7, 4]) == [1.0, 1.0, 2.0]
    assert kept_ids(prefixes, "p", [1, 3]) == [1.0]
    assert kept_ids(prefixes, "q", [1, 2]) == []
    assert prefixes.bytes == 5 * reading(1).bytes


def test_what_was_unused_longest_is_forgotten_first_and_leaves_before_what_they_go_on_from() -> None:
    prefixes = Prefixes(6 * reading(1).bytes)
    prefixes.keep("p", [1, 2], reading(2))
    for token in (3, 4, 5):
        prefixes.keep("p", [1, 2, token, token], reading(2))
    assert prefixes.length("p", [1, 2, 3, 3]) == 4  # used again
    prefixes.shrink()
    assert [prefixes.length("p", [1, 2, token, token]) for token in (3, 4, 5)] == [4, 2, 4]
    prefixes.limit = 0
    prefixes.shrink()
    assert (prefixes.bytes, prefixes.length("p", [1])) == (0, 0)


@pytest.fixture(params=range(5))
def operations(request: pytest.FixtureRequest) -> Iterator[tuple[list[int], int]]:
    rng = random.Random(request.param)
    return iter([([rng.randrange(3) for _ in range(rng.randrange(1, 9))], rng.randrange(4)) for _ in range(300)])


def test_any_keeping_and_forgetting_counts_its_bytes(operations: Iterator[tuple[list[int], int]]) -> None:
    prefixes = Prefixes(12 * reading(1).bytes)
    for ids, kind in operations:
        length = prefixes.length("p", ids)
        if length < len(ids):
            prefixes.keep("p", ids, reading(len(ids) - length))
        assert prefixes.length("p", ids) == len(ids)
        if kind == 0:
            prefixes.shrink()
            assert prefixes.bytes <= prefixes.limit
    prefixes.limit = 0
    prefixes.shrink()
    assert prefixes.bytes == 0
