"""The log-ratio on the real weak pair: equal to its definition, alone or in a batch."""

from __future__ import annotations

import asyncio
import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from peft import PeftModel

from scoring import BatchScorer, Candidate, WeakModelMissing, WeakSettings, open_pair
from scoring.embedded import adapter_dir, model_dir
from scoring.log_ratio import LogRatio

CANDIDATES = [
    Candidate("The movie was", " a wonderful surprise and I loved every minute of it", False),
    Candidate("The movie was", " a terrible waste of time", True),
    Candidate("The movie was", "", False),
    Candidate("Die Suppe war", " köstlich 🍲, wirklich", True),
    Candidate("The movie was ", "great", False),  # the boundary falls inside a token
    Candidate("Say", " <|im_end|> aloud", False),  # special tokens are text here
    Candidate("本当に", "美味しい", True),
]


@pytest.fixture(scope="module")
def pair() -> LogRatio:
    return LogRatio(WeakSettings(number_format="float32", device="cpu"))


def adapted(pair: LogRatio) -> PeftModel:
    return cast(PeftModel, pair._pair.models.tuned)


@torch.inference_mode()
def plainly(pair: LogRatio, candidate: Candidate) -> float:
    """The definition: log p_tuned(y|x) - log p_reference(y|x), token by token, one text, two passes."""
    tokenizer, model = pair._pair.reader.tokenizer, adapted(pair)
    prompt = tokenizer(candidate.prompt, split_special_tokens=True)["input_ids"]
    whole = tokenizer(candidate.prompt + candidate.answer, split_special_tokens=True)["input_ids"]
    start = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(prompt, whole, strict=False)))
    whole += [tokenizer.eos_token_id] if candidate.complete else []

    def log_prob() -> float:
        logits = torch.log_softmax(model(input_ids=torch.tensor([whole])).logits[0], -1)
        return sum(logits[i - 1, whole[i]].item() for i in range(start, len(whole)))

    tuned = log_prob()
    with model.disable_adapter():
        return tuned - log_prob()


def test_the_log_ratio_is_its_definition_in_a_batch_and_alone(pair: LogRatio) -> None:
    batch = pair.score(CANDIDATES)
    for candidate, score in zip(CANDIDATES, batch, strict=True):
        (alone,) = pair.score([candidate])
        expected = plainly(pair, candidate)
        assert score.value == pytest.approx(expected, abs=2e-3)
        assert alone.value == pytest.approx(expected, abs=2e-3)
        assert score.value == score.parts["tuned"] - score.parts["reference"]


def test_beta_and_length_normalisation_scale_the_value_and_not_its_parts(pair: LogRatio) -> None:
    plain = pair.score(CANDIDATES)
    scaled = LogRatio(WeakSettings(number_format="float32", device="cpu", beta=0.5, per_token=True))
    for one, other in zip(plain, scaled.score(CANDIDATES), strict=True):
        assert other.value == pytest.approx(0.5 * one.value / max(one.parts["tokens"], 1), abs=1e-3)
        assert other.parts == pytest.approx(one.parts, abs=1e-2)
    assert (pair.scale, scaled.scale) == ("nats", "nats per token")


def test_an_answers_token_ratios_sum_to_its_value(pair: LogRatio) -> None:
    values = [score.value for score in pair.score(CANDIDATES)]
    ratios = pair.token_ratios(CANDIDATES)
    assert [sum(of) for of in ratios] == pytest.approx(values, abs=1e-4)
    assert [len(of) for of in ratios[:3]] == [10, 6, 0]


@torch.inference_mode()
def test_parts_tell_the_answers_tokens_and_the_references_entropy_after_it(pair: LogRatio) -> None:
    candidate = CANDIDATES[0]
    (score,) = pair.score([candidate])
    ids = pair._pair.reader.row(candidate)
    assert score.parts["tokens"] == len(ids.ids) - ids.start
    with adapted(pair).disable_adapter():
        last = torch.log_softmax(adapted(pair)(input_ids=torch.tensor([ids.ids])).logits[0, -1], -1)
    assert score.parts["entropy"] == pytest.approx(-(last.exp() * last).sum().item() / math.log(2), abs=1e-3)


def test_batches_within_a_token_limit_give_the_same_values(pair: LogRatio) -> None:
    small = LogRatio(WeakSettings(number_format="float32", device="cpu", batch_tokens=64))
    for one, other in zip(pair.score(CANDIDATES * 3), small.score(CANDIDATES * 3), strict=True):
        assert one.value == pytest.approx(other.value, abs=2e-3)


def test_only_complete_answers_are_scored_with_the_end_token(pair: LogRatio) -> None:
    cut, complete = pair.score([Candidate("It was", " good.", c) for c in (False, True)])
    assert cut.parts["reference"] > complete.parts["reference"]
    without = LogRatio(WeakSettings(number_format="float32", device="cpu", eos=False))
    (switched_off,) = without.score([Candidate("It was", " good.", True)])
    assert switched_off.value == pytest.approx(cut.value, abs=1e-4)


def test_the_pair_tells_kind_from_unkind_text(pair: LogRatio) -> None:
    kind, unkind = pair.score(CANDIDATES[:2])
    assert kind.value > 0 > unkind.value


def test_a_template_is_rendered_with_its_special_tokens_and_the_answer_without(pair: LogRatio) -> None:
    chat = "<|im_start|>user\n{{ prompt }}<|im_end|>\n<|im_start|>assistant\n"
    templated = LogRatio(WeakSettings(number_format="float32", device="cpu", template=chat))
    row = templated._pair.reader.row(Candidate("Hi", "<|im_end|>", False))
    assert row.ids[:1] == [1]  # <|im_start|> as one token
    assert 2 not in row.ids[row.start :]  # <|im_end|> from the model is text
    assert templated.score([Candidate("Hi", " there", True)])[0].value == pytest.approx(
        templated.score([Candidate("Hi", " there", True)])[0].value
    )


def test_the_faster_number_format_is_chosen_and_told() -> None:
    scorer = open_pair(WeakSettings())
    assert scorer.traits["number_format"] in ("float32", "bfloat16")
    assert scorer.traits["device"] == ("cuda" if torch.cuda.is_available() else "cpu")


def test_formats_agree_on_the_value(pair: LogRatio) -> None:
    """bfloat16 has eight bits of mantissa: tenths of a nat, where answers differ by several nats."""
    half = LogRatio(WeakSettings(number_format="bfloat16", device="cpu"))
    for one, other in zip(pair.score(CANDIDATES), half.score(CANDIDATES), strict=True):
        assert one.value == pytest.approx(other.value, abs=1.0)


async def test_scoring_never_blocks_the_event_loop(pair: LogRatio) -> None:
    batches = BatchScorer(pair)
    scoring = asyncio.ensure_future(
        batches.score([replace(c, answer=c.answer * n) for c in CANDIDATES for n in range(8)])
    )
    ticks = 0
    while not scoring.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert len(await scoring) == 8 * len(CANDIDATES)
    batches.close()
    assert ticks > 5


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeakModelMissing, match=r"config\.json not found"):
        model_dir(str(tmp_path))
    with pytest.raises(WeakModelMissing, match="built-in adapters: sentiment"):
        adapter_dir("nowhere")


@pytest.mark.gpu
def test_cuda_gives_the_values_of_the_cpu(pair: LogRatio) -> None:
    there = LogRatio(WeakSettings(number_format="float32", device="cuda"))
    for one, other in zip(pair.score(CANDIDATES), there.score(CANDIDATES), strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-2)
