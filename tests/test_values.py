"""Values beside the log-ratio: what each is worth by hand, how they add up, and what every scorer has to keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

from flows import RunConfig, align
from flows.audit import audit
from flows.config import parse_config
from flows.errors import BadConfig
from flows.plan import check_methods, shape_of
from flows.rerank import RerankSettings, as_searched, rerank
from scoring import BadValue, Candidate, Scorer, ValueSettings, WeakModelMissing, WeakSettings, open_pair, open_scorer
from scoring.coherence import Coherence, repetition
from scoring.conformance import ScorerConformance
from scoring.curiosity import Curiosity
from scoring.embedded import model_dir
from scoring.function import FunctionScorer
from scoring.log_ratio import LogRatio
from scoring.reward import RewardScorer
from scoring.values import CoherenceValue, CuriosityValue, FunctionValue, PairValue, RewardValue
from scoring.weighted import Part, WeightedSum
from store import Record
from tests.formula_scorer import FormulaScorer
from tests.tiny_model import save_tiny_pair

CANDIDATES = [Candidate("The sea", text, complete=False) for text in (" is calm.", " is calm. It rises", " is")]


def length(candidates: Sequence[Candidate]) -> list[float]:
    """A user's own value."""
    return [float(len(candidate.answer)) for candidate in candidates]


def fails(candidates: Sequence[Candidate]) -> list[float]:
    raise KeyError("no such word")


def too_few(candidates: Sequence[Candidate]) -> list[float]:
    return []


def no_number(candidates: Sequence[Candidate]) -> list[float]:
    return [math.nan for _ in candidates]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WeakSettings:
    return save_tiny_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Tiny reward models, by their number of labels."""

    def saved(labels: int) -> Path:
        folder = tmp_path_factory.mktemp("judge")
        tokenizer = AutoTokenizer.from_pretrained(model_dir("embedded"))
        torch.manual_seed(labels)
        shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
        heads: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_labels": labels}
        config = LlamaConfig(vocab_size=len(tokenizer), **shape, **heads)
        model: Any = LlamaForSequenceClassification(config)  # type: ignore[no-untyped-call]
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return saved


class TestLogRatio(ScorerConformance):
    @pytest.fixture(autouse=True)
    def _tiny(self, tiny: WeakSettings) -> None:
        self.pair = LogRatio(tiny)

    def scorer(self) -> Scorer:
        return self.pair


class TestCuriosity(TestLogRatio):
    def scorer(self) -> Scorer:
        return Curiosity(CuriosityValue(tokens=4), self.pair)


class TestCoherence(TestLogRatio):
    def scorer(self) -> Scorer:
        return Coherence(CoherenceValue(), self.pair)


class TestSum(TestLogRatio):
    def scorer(self) -> Scorer:
        return WeightedSum(self.pair, [Part("curious", 2.0, Curiosity(CuriosityValue(), self.pair))])


class TestAlone(TestCoherence):
    @pytest.fixture(autouse=True)
    def _tiny(self, tiny: WeakSettings) -> None:
        self.pair = LogRatio(tiny.model_copy(update={"adapter": None, "beta": 0.0}))


class TestReward(ScorerConformance):
    @pytest.fixture(autouse=True)
    def _judge(self, judge: Callable[[int], Path]) -> None:
        self.judge = RewardScorer(
            RewardValue(model=str(judge(1)), template="<s>{{ prompt }}{{ answer }}", device="cpu")
        )

    def scorer(self) -> Scorer:
        return self.judge


class TestFunction(ScorerConformance):
    def scorer(self) -> Scorer:
        return FunctionScorer(FunctionValue(call="tests.test_values:length"))


class TestFormula(ScorerConformance):
    def scorer(self) -> Scorer:
        return FormulaScorer()


def test_curiosity_is_an_inverted_u_of_mean_surprisal_less_what_makes_no_sense(tiny: WeakSettings) -> None:
    pair = LogRatio(tiny)
    (log_probs,) = pair.reference_log_probs(CANDIDATES[:1])
    surprisal = (-log_probs[-2:]).tolist()
    settings = CuriosityValue(mean=9.0, deviation=2.0, tokens=2, ceiling=10.0, penalty=0.25)
    (score,) = Curiosity(settings, pair).score(CANDIDATES[:1])
    mean = sum(surprisal) / 2
    over = sum(max(u - 10.0, 0.0) for u in surprisal) / 2
    assert score.value == pytest.approx(math.exp(-((mean - 9.0) ** 2) / 8.0) - 0.25 * over)
    assert score.parts == pytest.approx({"surprisal": mean, "incoherence": over})


def test_curiosity_reads_what_the_pair_has_read_at_one_token_each(tiny: WeakSettings) -> None:
    pair = LogRatio(tiny)
    pair.score(CANDIDATES)
    before = pair.tokens_read
    Curiosity(CuriosityValue(), pair).score(CANDIDATES)
    assert pair.tokens_read - before <= len(CANDIDATES)


def test_where_nothing_is_tuned_the_reference_says_the_same_alone(tiny: WeakSettings) -> None:
    pair, alone = LogRatio(tiny), LogRatio(tiny.model_copy(update={"adapter": None, "beta": 0.0}))
    for candidates in (CANDIDATES[2:], CANDIDATES):  # the longer ones go on from what was read
        for both, one in zip(pair.score(candidates), alone.score(candidates), strict=True):
            parts = {name: part for name, part in both.parts.items() if name != "tuned"}
            assert one.parts == pytest.approx(parts, abs=1e-4) and one.value == 0.0
    assert alone.tokens_read == pair.tokens_read


@pytest.mark.parametrize("more", [{"strong": {"model": "local/a", "eft": 1.0}}, {"methods": [{"name": "wsd"}]}])
def test_where_nothing_is_tuned_nothing_drafts_or_steers(more: dict[str, Any]) -> None:
    alone = {"weak": {"adapter": None, "beta": 0}, "values": [{"kind": "coherence"}]}
    with pytest.raises(BadConfig, match="nothing is tuned"):
        check_methods(parse_config(alone | more, "of a test"), "completion")


def test_coherence_is_what_a_prompt_adds_to_an_answers_likelihood_less_what_is_said_twice(tiny: WeakSettings) -> None:
    pair = LogRatio(tiny)
    prompt, answer = "The sea is calm.", " It rises at night, and at night it sings. It rises at night, they say."
    after, without = pair.reference_log_probs([Candidate(prompt, answer, True), Candidate("", answer, True)])
    assert len(without) == len(after) - 1
    fit = (after[1:] - without).mean().item()
    settings = CoherenceValue(enough=100.0, repetition=0.3)
    (score,) = Coherence(settings, pair).score([Candidate(prompt, answer, True)])
    assert score.parts == pytest.approx({"fit": fit, "repetition": 1 / 12})
    assert score.value == pytest.approx(fit - 0.3 / 12)
    low = CoherenceValue(enough=1e-6, repetition=0.0)
    assert Coherence(low, pair).score([Candidate(prompt, answer, True)])[0].value == pytest.approx(min(fit, 1e-6))
    assert Coherence(settings, pair).score([Candidate(prompt, "", False)])[0].value == 0.0


@pytest.mark.parametrize(
    ("prompt", "answer", "share"),
    [
        ("", " one two three", 0.0),
        ("", " one two three four five", 0.0),
        ("One two three four", " five. One, two three FOUR", 1 / 2),
        ("one two", " three four one two three four", 1 / 3),
        ("", " la" * 10, 6 / 7),
    ],
)
def test_a_run_of_four_words_is_repeated_where_it_stood_before(prompt: str, answer: str, share: float) -> None:
    assert repetition(prompt, answer) == pytest.approx(share)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), min_size=4, max_size=12))
def test_whatever_is_said_once_more_is_all_repeated(prompt: list[str], answer: list[str]) -> None:
    once = " ".join([*prompt, *answer])
    assert repetition(once, " " + " ".join(answer)) == 1.0
    assert 0.0 <= repetition(" ".join(prompt), " " + " ".join(answer)) <= 1.0


def test_a_reward_is_a_logit_or_the_log_probability_of_a_label(judge: Callable[[int], Path]) -> None:
    settings = {"template": "<s>{{ prompt }}{{ answer }}", "device": "cpu", "batch_tokens": 64}
    one, three = judge(1), judge(3)
    logits = RewardScorer(RewardValue.model_validate({"model": str(one), **settings})).score(CANDIDATES)
    assert len({score.value for score in logits}) == 3
    labels = [
        RewardScorer(RewardValue.model_validate({"model": str(three), "label": i, **settings})).score(CANDIDATES)
        for i in range(3)
    ]
    for of in zip(*labels, strict=True):
        assert sum(math.exp(score.value) for score in of) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("labels", "label", "told"), [(3, None, "has 3 labels"), (3, 3, "no number 3"), (1, 1, "has 1 labels")]
)
def test_a_label_that_a_reward_model_has_not_is_refused(
    judge: Callable[[int], Path], labels: int, label: int | None, told: str
) -> None:
    with pytest.raises(BadValue, match=told):
        RewardScorer(RewardValue(model=str(judge(labels)), label=label, device="cpu"))


def test_a_model_that_is_no_classifier_is_no_judge(tiny: WeakSettings) -> None:
    with pytest.raises(BadValue, match="it was not trained as a classifier"):
        RewardScorer(RewardValue(model=tiny.reference, label=0, device="cpu"))


def test_a_text_beyond_a_reward_models_context_is_told(judge: Callable[[int], Path]) -> None:
    scorer = RewardScorer(RewardValue(model=str(judge(1)), device="cpu"))
    scorer._context = 8
    with pytest.raises(BadValue, match=r"reads 8 tokens at most, and a text has \d+"):
        scorer.score([Candidate("The sea", " is" * 20, complete=False)])


def test_an_error_shows_no_mapping_that_may_hold_a_key() -> None:
    with pytest.raises(BadConfig) as told:
        parse_config({"values": [{"api_key": "sk-SECRET", "kind": "judge"}]}, "of a test")
    assert "SECRET" not in str(told.value)


def test_a_reward_model_that_is_not_there_is_told() -> None:
    with pytest.raises(WeakModelMissing, match="nowhere"):
        RewardScorer(RewardValue(model="nowhere"))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("tests.nowhere:length", "cannot be found"),
        ("tests.test_values:nothing", "cannot be found"),
        (".test_values:length", "cannot be found"),
        ("tests.test_values:CANDIDATES", "is no function"),
        ("tests.test_values:fails", "failed: KeyError"),
        ("tests.test_values:too_few", "gave 0 numbers for 3 candidates"),
        ("tests.test_values:no_number", "gave nan, which is no number"),
    ],
)
def test_a_function_that_gives_no_numbers_is_told(call: str, told: str) -> None:
    with pytest.raises(BadValue, match=told):
        FunctionScorer(FunctionValue(call=call)).score(CANDIDATES)


def test_parts_add_up_and_are_on_record_by_name(tiny: WeakSettings) -> None:
    more = tiny.model_dump() | {"beta": 2.0}
    values: list[ValueSettings] = [
        PairValue(**more, name="twice", weight=0.5),
        FunctionValue(call="tests.test_values:length", name="long", weight=-0.1),
    ]
    scorer, pair = open_scorer(tiny, values), open_pair(tiny)
    for candidate, of, alone in zip(CANDIDATES, scorer.score(CANDIDATES), pair.score(CANDIDATES), strict=True):
        characters = float(len(candidate.answer))
        assert of.value == pytest.approx(2 * alone.value - 0.1 * characters, abs=1e-4)
        assert of.parts["log_ratio"] == pytest.approx(alone.value, abs=1e-4)
        assert of.parts["twice"] == pytest.approx(2 * alone.value, abs=1e-4)
        assert of.parts["long"] == characters
        assert {"tuned", "reference", "tokens", "entropy", "twice.tuned"} <= of.parts.keys()
    assert scorer.traits["twice.reference"] == tiny.reference
    assert scorer.traits["long.call"] == "tests.test_values:length"


def test_names_are_unique_and_something_is_left_to_guide_by() -> None:
    function = {"kind": "function", "call": "a:b"}
    with pytest.raises(BadConfig, match="two are called 'function'"):
        parse_config({"values": [function, function | {"weight": 2}]}, "of a test")
    for taken in ("log_ratio", "entropy", "tokens"):
        with pytest.raises(BadConfig, match=f"the weak pair has a part called '{taken}'"):
            parse_config({"values": [function | {"name": taken}]}, "of a test")
    with pytest.raises(BadConfig, match=r"weak\.beta = 0: nothing is left to guide by"):
        parse_config({"weak": {"beta": 0}}, "of a test")
    assert parse_config({"weak": {"beta": 0}, "values": [function]}, "of a test").values[0].weight == 1


def test_values_shape_a_tree_and_how_fast_they_are_read_does_not() -> None:
    def shape(**more: Any) -> dict[str, Any]:
        reward = {"kind": "reward", "model": "m"}
        config = parse_config({"values": [reward | more]}, "of a test")
        return shape_of(config, config.methods[0])

    assert shape() == shape(batch_tokens=64)
    assert shape() != shape(weight=2)
    assert "values" not in shape_of(RunConfig(), RunConfig().methods[0])


async def test_a_run_by_several_values_is_reranked_by_other_weights_for_nothing(
    formula_config: Callable[..., RunConfig], tiny: WeakSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.bench.open_scorer", open_scorer)
    config = formula_config(
        weak=tiny.model_dump(),
        values=[{"kind": "function", "call": "tests.test_values:length", "name": "long", "weight": -1.0}],
        methods=[{"name": "best_of_n", "n": 6}],
    )
    summary = await align(["The tide"], config, record="r.db")
    record = Record.open("r.db")
    run = record.run(summary.run_id)
    assert audit(record, run.id).faults == ()
    assert as_searched(config) == {"weights": {"log_ratio": 1.0, "long": -1.0}}
    (same,) = rerank(record, run, RerankSettings(**as_searched(config)))
    assert same.new_text == same.text == summary.answers[0].text
    (longest,) = rerank(record, run, RerankSettings(weights={"long": 1.0}))
    assert longest.new_value == len(longest.new_text) > len(same.text)
    record.close()
