"""Pairs of any make: an adapter or a whole tuned model, directories or GGUF files; what they share; what is no pair."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch
from peft import PeftModel
from pydantic import ValidationError
from transformers import AutoModelForCausalLM, AutoTokenizer

from flows.config import parse_config
from flows.plan import shape_of
from scoring import Candidate, PairDisagrees, WeakModelMissing, WeakSettings, embedded
from scoring.embedded import model_dir
from scoring.log_ratio import LogRatio
from tests.tiny_model import save_tiny_adapter, save_tiny_gguf, save_tiny_model

TEXTS = [
    "def f(x):\n    return [y ** 2 for y in x]  # 🍲\n\tpass   ",
    "本当に美味しいラーメンでした。 Wirklich köstlich <|im_end|> — “e\u0301toile”",
]
GROWING = [[Candidate(text[:4], text[4:end], end > 45) for text in TEXTS] for end in range(6, 60, 9)]
"""Batches as a search asks for them, each text longer than before, and ended at last."""
TOGETHER = [candidate for batch in GROWING for candidate in batch]


def pair_of(reference: Path | str, **settings: Any) -> LogRatio:
    plain = {"reference": str(reference), "device": "cpu", "number_format": "float32"}
    given = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    return LogRatio(WeakSettings.model_validate(plain | given))


@torch.inference_mode()
def plainly(tuned: Any, reference: Any, tokenizer: Any, candidate: Candidate) -> float:
    """The definition: one text, two passes over the whole of it."""
    prompt, ids = (
        tokenizer(text, split_special_tokens=True)["input_ids"]
        for text in (candidate.prompt, candidate.prompt + candidate.answer)
    )
    start = next((i for i, (a, b) in enumerate(zip(prompt, ids, strict=False)) if a != b), len(prompt))
    whole = torch.tensor([*ids, tokenizer.eos_token_id] if candidate.complete else ids)
    up, down = (
        torch.log_softmax(model(input_ids=whole[None]).logits[0, :-1], -1).gather(1, whole[1:, None])[start - 1 :].sum()
        for model in (tuned, reference)
    )
    return (up - down).item()


def values(pair: LogRatio, batches: Sequence[Sequence[Candidate]] = GROWING) -> list[float]:
    return [score.value for batch in batches for score in pair.score(batch)]


def loaded(folder: Path, **more: Any) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(folder, **more), AutoTokenizer.from_pretrained(folder, **more)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("pairs") / "reference")


@pytest.fixture(scope="module")
def adapter(reference: Path) -> Path:
    return save_tiny_adapter(reference.parent / "adapter", reference)


@pytest.mark.parametrize(
    ("shape", "remembers"),
    [
        ({}, True),
        ({"vocab_size": 49_152 + 64}, True),  # padding after the vocabulary
        ({"num_hidden_layers": 3}, False),
        ({"num_key_value_heads": 2}, False),
        ({"sliding": True}, False),
    ],
)
def test_two_models_score_as_in_two_plain_passes(
    tmp_path: Path, reference: Path, shape: dict[str, Any], remembers: bool
) -> None:
    tuned = save_tiny_model(tmp_path / "tuned", seed=8, **shape)
    pair = pair_of(reference, tuned=tuned)
    assert pair._pair.remembers == remembers
    (up, tokenizer), (down, _) = loaded(tuned), loaded(reference)
    expected = [plainly(up, down, tokenizer, candidate) for candidate in TOGETHER]
    assert max(map(abs, expected)) > 0.1
    assert values(pair) == pytest.approx(expected, abs=1e-3)
    assert values(pair_of(reference, tuned=tuned, memory=0), [TOGETHER]) == pytest.approx(expected, abs=1e-3)
    whole = sum(len(pair._pair.reader.row(candidate).ids) for candidate in TOGETHER)
    assert pair.tokens_read < whole / 2 if remembers else pair.tokens_read == whole


def test_an_adapter_and_the_whole_model_that_it_makes_are_one_pair(
    tmp_path: Path, reference: Path, adapter: Path
) -> None:
    model, tokenizer = loaded(reference)
    merged: Any = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    for part in (merged, tokenizer):
        part.save_pretrained(tmp_path / "tuned")
    assert values(pair_of(reference, tuned=tmp_path / "tuned")) == pytest.approx(
        values(pair_of(reference, adapter=adapter)), abs=1e-3
    )


def test_the_record_is_told_which_models_scored(tmp_path: Path, reference: Path, adapter: Path) -> None:
    tuned, where = str(shutil.copytree(reference, tmp_path / "tuned")), {"device": "cpu", "number_format": "float32"}
    assert pair_of(reference, tuned=tuned).traits == {"reference": str(reference), "tuned": tuned, **where}
    assert pair_of(reference, adapter=adapter).traits == {"reference": str(reference), "adapter": str(adapter), **where}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache for the time of a test."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache"


def test_models_in_gguf_files_score_as_in_two_plain_passes(tmp_path: Path, cache: Path) -> None:
    names = {name: save_tiny_gguf(tmp_path / f"{name}.gguf", seed=seed) for seed, name in enumerate(("one", "other"))}
    pair = pair_of(names["one"], tuned=names["other"])
    (down, tokenizer), (up, _) = (loaded(tmp_path, gguf_file=file.name) for file in names.values())
    expected = [plainly(up, down, tokenizer, candidate) for candidate in TOGETHER]
    assert values(pair) == pytest.approx(expected, abs=1e-3)
    assert sorted(folder.name.rpartition("-")[0] for folder in cache.iterdir()) == ["one", "other"]


def test_a_gguf_file_is_converted_once_whatever_it_is_called(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_dir(str(save_tiny_gguf(tmp_path / "one.gguf")))
    monkeypatch.delattr(embedded, "_convert")
    assert model_dir(str((tmp_path / "one.gguf").rename(tmp_path / "moved.gguf"))) == folder


def test_the_built_in_model_is_found_by_its_file_as_well() -> None:
    assert model_dir(str(embedded._packaged_gguf())) == model_dir("embedded")


def test_a_gguf_file_that_is_missing_or_broken_says_so(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(WeakModelMissing, match=r"none\.gguf': cannot be read: No such file or directory"):
        pair_of(tmp_path / "none.gguf")
    whole = save_tiny_gguf(tmp_path / "whole.gguf").read_bytes()
    for broken, what in ((b"no model", "GGUF magic"), (whole[:3000], ""), (whole[:30_000], "")):
        (tmp_path / "broken.gguf").write_bytes(broken)
        with pytest.raises(WeakModelMissing, match=rf"broken\.gguf': cannot be converted: .*{what}.*Give a whole"):
            pair_of(tmp_path / "broken.gguf")
    assert not list(cache.iterdir())


def change(folder: Path, file: str, edit: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads((folder / file).read_text(encoding="utf-8"))
    edit(content)
    (folder / file).write_text(json.dumps(content), encoding="utf-8")


def swap(tokenizer: dict[str, Any]) -> None:
    tokens = tokenizer["model"]["vocab"]
    tokens["Ġthe"], tokens["Ġof"] = tokens["Ġof"], tokens["Ġthe"]


def compose(tokenizer: dict[str, Any]) -> None:
    tokenizer["normalizer"] = {"type": "NFC"}


def end_otherwise(config: dict[str, Any]) -> None:
    config["eos_token"] = "<|endoftext|>"


@pytest.mark.parametrize(
    ("file", "edit", "what"),
    [
        ("tokenizer.json", swap, r"token \d+ is 'Ġof' to the tuned model and 'Ġthe' to the reference\. weak\.tuned"),
        (
            "tokenizer.json",
            compose,
            r"# 1234567890\" is read from token number 13 on as [\d, ]+ by the tuned model, \d",
        ),
        ("tokenizer_config.json", end_otherwise, r"a text ends with '<\|endoftext\|>' .*'<\|im_end\|>'.*weak\.eos"),
    ],
    ids=["vocabulary", "texts", "end"],
)
def test_a_pair_that_reads_texts_differently_is_refused(
    tmp_path: Path, reference: Path, file: str, edit: Callable[[dict[str, Any]], None], what: str
) -> None:
    tuned = shutil.copytree(reference, tmp_path / "tuned")
    change(tuned, file, edit)
    with pytest.raises(PairDisagrees, match=what) as told:
        pair_of(reference, tuned=tuned)
    assert told.value.where == f"weak pair of {str(tuned)!r} (tuned) and {str(reference)!r} (reference)"
    if edit is end_otherwise:
        assert values(pair_of(reference, tuned=tuned, eos=False)) == pytest.approx([0.0] * len(TOGETHER), abs=1e-3)


def test_a_token_that_one_model_has_no_logit_for_is_refused(tmp_path: Path, reference: Path) -> None:
    tuned = save_tiny_model(tmp_path / "tuned", vocab_size=49_000)
    with pytest.raises(PairDisagrees, match="logits for 49000 tokens, the reference for 49152, and their tokenizer"):
        pair_of(reference, tuned=tuned)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path, adapter: Path) -> None:
    other = save_tiny_model(tmp_path / "other", hidden_size=64)
    with pytest.raises(WeakModelMissing, match=r"the adapter must have been trained on that model"):
        pair_of(other, adapter=adapter)


def test_an_adapter_that_changes_the_reference_is_refused(tmp_path: Path, reference: Path, adapter: Path) -> None:
    olora = shutil.copytree(adapter, tmp_path / "olora")
    change(olora, "adapter_config.json", lambda config: config.update(init_lora_weights="olora"))
    with pytest.raises(
        PairDisagrees, match=r"reference's own weights \(init_lora_weights: olora\)\. Save it as plain LoRA"
    ):
        pair_of(reference, adapter=olora)


def test_a_pair_has_an_adapter_or_a_tuned_model() -> None:
    with pytest.raises(ValidationError, match=r"weak\.adapter and weak\.tuned are both given; leave one out"):
        WeakSettings(tuned="some", adapter="sentiment")
    with pytest.raises(ValidationError, match=r"weak\.adapter and weak\.tuned are both null"):
        WeakSettings(adapter=None)
    tuned = WeakSettings(tuned="some")
    assert (WeakSettings().adapter, tuned.adapter) == ("sentiment", None)
    assert WeakSettings.model_validate(tuned.model_dump()) == tuned


def test_searches_with_another_tuned_model_are_others_and_those_with_an_adapter_are_as_they_were() -> None:
    plain, *others = (parse_config({"weak": {"tuned": tuned}}, "of a test") for tuned in (None, "some", "other"))
    shapes = [shape_of(config, config.methods[0])["weak"] for config in (plain, *others)]
    assert [shape.get("tuned") for shape in shapes] == [None, "some", "other"]
    assert shapes[0].keys() == {"reference", "adapter", "template", "eos", "beta", "per_token"}


def weights_of(pair: LogRatio) -> dict[int, int]:
    """Bytes of both models' base weights by their place in memory."""
    return {
        parameter.data_ptr(): parameter.nbytes
        for run in (pair._pair.models.tuned, *(backbone.model for backbone in pair._pair.models.backbones))
        for name, parameter in run.named_parameters()
        if "lora" not in name
    }


@pytest.fixture(scope="module")
def kinds(reference: Path, adapter: Path) -> list[dict[str, Any]]:
    """Pairs on one reference: two LoRA adapters, one that cannot be mixed in a batch, and a whole tuned model."""
    other = save_tiny_adapter(reference.parent / "other", reference, seed=2)
    dora = save_tiny_adapter(reference.parent / "dora", reference, seed=3, dora=True)
    tuned = save_tiny_model(reference.parent / "tuned", seed=8)
    return [{"adapter": adapter}, {"adapter": other}, {"adapter": dora}, {"tuned": tuned}]


@pytest.fixture(scope="module")
def alone(reference: Path, kinds: list[dict[str, Any]]) -> list[list[float]]:
    """What each of them says when it is the only one in memory."""
    found = [values(pair_of(reference, **kind)) for kind in kinds]
    assert len({round(of[-1], 2) for of in found}) == len(kinds)
    return found


def test_pairs_on_one_reference_share_its_weights_and_change_no_value(
    reference: Path, kinds: list[dict[str, Any]], alone: list[list[float]]
) -> None:
    pairs = [pair_of(reference, **kind) for kind in kinds]
    once = weights_of(pairs[0])
    assert all(weights_of(pair) == once for pair in pairs[1:3])
    assert once.keys() < weights_of(pairs[3]).keys() == {*once, *weights_of(pair_of(kinds[3]["tuned"], **kinds[3]))}
    assert [values(pair) for pair in pairs] == [pytest.approx(of, abs=1e-3) for of in alone]


def test_pairs_that_share_weights_score_in_threads_of_their_own(
    reference: Path, kinds: list[dict[str, Any]], alone: list[list[float]]
) -> None:
    pairs = [pair_of(reference, **kind) for kind in kinds for _ in range(2)]
    with ThreadPoolExecutor(len(pairs)) as threads:
        together = list(threads.map(values, pairs))
    assert together == [pytest.approx(of, abs=1e-3) for of in alone for _ in range(2)]


def test_shared_weights_go_with_the_last_pair_and_are_read_anew_where_files_changed(
    tmp_path: Path, adapter: Path
) -> None:
    reference = save_tiny_model(tmp_path / "reference")
    pairs = [pair_of(reference, adapter=adapter) for _ in range(2)]
    save_tiny_model(reference, seed=9)
    assert weights_of(pair_of(reference, adapter=adapter)).keys().isdisjoint(weights_of(pairs[0]))
    shared = ref(pairs[0]._pair.models.backbones[0].weights)
    del pairs[0]
    gc.collect()
    assert shared() is not None
    del pairs[0]
    gc.collect()
    assert shared() is None
