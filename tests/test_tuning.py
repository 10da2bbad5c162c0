"""From prompts to an adapter: sampling, pairing, tuning; killed and gone on with; what is refused, and how."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from flows.preferences import PreferenceSettings, PreferencesFailed, make_preferences
from scoring import (
    AveragingFailed,
    BadPreferences,
    Candidate,
    Sample,
    TuneSettings,
    TuningFailed,
    WeakSettings,
    average_adapters,
    open_pair,
    open_sampler,
    pair_up,
    read_samples,
    tune,
    write_whole,
)
from scoring.averaging import average
from tests.conftest import Told
from tests.tiny_model import save_tiny_model

KIND, UNKIND = (" a joy from start to end", " so lovely and warm"), (" dull and far too long", " a waste of our time")
OPENINGS = ("The film was", "Our room was", "The soup is", "My week was", "The park seemed", "This song is")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WeakSettings:
    folder = save_tiny_model(tmp_path_factory.mktemp("tiny"))
    return WeakSettings(reference=str(folder), number_format="float32", device="cpu")


@pytest.fixture
def preferences(tmp_path: Path) -> Path:
    lines = [
        {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        for prompt in OPENINGS
        for chosen in KIND
        for rejected in UNKIND
    ]
    return write(tmp_path / "preferences.jsonl", *lines)


def write(file: Path, *lines: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


QUICK = TuneSettings(learning_rate=2e-2, epochs=4, batch=4, checkpoint_every=5)


def test_tuning_raises_what_was_chosen_over_what_was_rejected(
    tiny: WeakSettings, preferences: Path, tmp_path: Path
) -> None:
    steps: list[tuple[int, int, float | None]] = []
    told = tune(preferences, tmp_path / "adapter", tiny, QUICK, lambda *step: steps.append(step))
    pair = open_pair(tiny.model_copy(update={"adapter": str(tmp_path / "adapter")}))
    values = [pair.score([Candidate("The book was", text, True)])[0].value for text in (*KIND, *UNKIND)]
    assert min(values[:2]) > 0 > max(values[2:])
    assert [done for done, _, _ in steps] == list(range(25)) and steps[-1][2] is not None
    assert told["pairs"] == 24
    on_disk = json.loads((tmp_path / "adapter" / "tuning.json").read_text(encoding="utf-8"))
    assert on_disk == told and on_disk["settings"]["seed"] == QUICK.seed
    files = sorted(file.name for file in (tmp_path / "adapter").iterdir())
    assert files == ["adapter_config.json", "adapter_model.safetensors", "tuning.json"]


def test_a_killed_tuning_goes_on_from_its_checkpoint_to_the_same_adapter(
    tiny: WeakSettings, preferences: Path, tmp_path: Path
) -> None:
    def die_at_13(done: int, _: int, __: float | None) -> None:
        if done == 13:
            raise KeyboardInterrupt

    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        tune(preferences, tmp_path / "killed", tiny, QUICK, die_at_13)
    (tmp_path / "killed" / "checkpoints" / "checkpoint-12").mkdir()  # one that the kill cut short
    tune(preferences, tmp_path / "killed", tiny, QUICK, lambda done, *_: seen.append(done))
    tune(preferences, tmp_path / "whole", tiny, QUICK)
    assert seen == [0, *range(11, 25)]
    one, other = (load_file(tmp_path / run / "adapter_model.safetensors") for run in ("killed", "whole"))
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].float().numpy() == pytest.approx(other[name].float().numpy(), abs=1e-3)


def test_a_single_step_changes_something(tiny: WeakSettings, preferences: Path, tmp_path: Path) -> None:
    """A warm-up begins at 0, and must not be all that there is."""
    tune(preferences, tmp_path / "adapter", tiny, QUICK.model_copy(update={"epochs": 1, "batch": 24}))
    pair = open_pair(tiny.model_copy(update={"adapter": str(tmp_path / "adapter")}))
    assert pair.score([Candidate("The book was", KIND[0], True)])[0].value != 0


def test_an_adapter_that_changes_nothing_is_told(tiny: WeakSettings, preferences: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningFailed, match=r"the adapter changes nothing\. Give more preferences, or raise epochs"):
        tune(preferences, tmp_path / "adapter", tiny, QUICK.model_copy(update={"epochs": 1, "learning_rate": 1e-60}))
    assert not (tmp_path / "adapter" / "tuning.json").exists()


SOUP = QUICK.model_copy(update={"members": 3, "mean_rank": 16})


def test_members_are_trained_on_shares_of_their_own_and_averaged(
    tiny: WeakSettings, preferences: Path, tmp_path: Path
) -> None:
    """Killed within the second member and again before the mean, it goes on with that member, then with the mean."""

    def die_at_15(done: int, *_: Any) -> None:
        if done == 15:
            raise KeyboardInterrupt

    told = tune(preferences, tmp_path / "whole", tiny, SOUP)
    assert [entry["member"] for entry in told["log"] if "train_runtime" in entry] == [0, 1, 2]
    pair = open_pair(tiny.model_copy(update={"adapter": str(tmp_path / "whole")}))
    values = [pair.score([Candidate("The book was", text, True)])[0].value for text in (*KIND, *UNKIND)]
    assert min(values[:2]) > max(values[2:])
    assert json.loads((tmp_path / "whole" / "adapter_config.json").read_text(encoding="utf-8"))["r"] == 16
    with pytest.raises(KeyboardInterrupt):
        tune(preferences, tmp_path / "killed", tiny, SOUP, die_at_15)
    seen: list[int] = []
    tune(preferences, tmp_path / "killed", tiny, SOUP, lambda done, *_: seen.append(done))
    assert seen == [8, *range(14, 25)]  # 24 pairs: 3 members of 8 steps; from the second's checkpoint
    one, other = (_added(load_file(tmp_path / run / "adapter_model.safetensors")) for run in ("killed", "whole"))
    for name in one:
        assert one[name] == pytest.approx(other[name], abs=1e-3)


def _added(adapter: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What an adapter adds to each weight, which is the same whichever way it is factored."""
    names = [name for name in adapter if ".lora_A." in name]
    return {
        name: (adapter[name.replace("lora_A", "lora_B")].float() @ adapter[name].float()).numpy() for name in names
    }  # fmt: skip


def test_the_mean_of_adapters_is_that_of_what_they_add() -> None:
    """Exactly where its rank suffices; else the nearest of that rank, by the singular values left out."""
    torch.manual_seed(1)
    adapters = [{"p.lora_A.weight": torch.randn(2, 7), "p.lora_B.weight": torch.randn(5, 2)} for _ in range(3)]
    mean = torch.stack([torch.tensor(_added(adapter)["p.lora_A.weight"]) for adapter in adapters]).mean(dim=0)
    for rank in (8, 5):
        found = average(adapters, rank)
        assert found["p.lora_A.weight"].shape == (rank, 7) and found["p.lora_B.weight"].shape == (5, rank)
        assert _added(found)["p.lora_A.weight"] == pytest.approx(mean.numpy(), abs=1e-5)
    left = mean - torch.tensor(_added(average(adapters, 2))["p.lora_A.weight"])
    assert float(left.norm()) == pytest.approx(float(torch.linalg.svdvals(mean)[2:].norm()), rel=1e-4)


def test_adapters_are_averaged_into_one_that_says_what_it_is_of(
    tiny: WeakSettings, preferences: Path, tmp_path: Path, aligntree: Callable[..., Told]
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    tune(preferences, one, tiny, QUICK)
    tune(preferences, other, tiny, QUICK.model_copy(update={"seed": 2}))
    status, out, err = aligntree(
        "average", str(one), str(other), str(other), "-o", str(tmp_path / "mean"), "--rank", "16"
    )
    assert status == 0, err
    assert "the mean of 3 adapters, of rank 16" in out and "aligntree doctor --weak" in out
    told = json.loads((tmp_path / "mean" / "tuning.json").read_text(encoding="utf-8"))
    assert [part["settings"]["seed"] for part in told["mean_of"]] == [QUICK.seed, 2, 2]
    parts = [_added(load_file(folder / "adapter_model.safetensors")) for folder in (one, other, other)]
    mean = _added(load_file(tmp_path / "mean" / "adapter_model.safetensors"))
    for name, added in mean.items():
        wanted = sum(part[name] for part in parts) / 3
        assert added == pytest.approx(wanted, abs=0.02 * float(abs(wanted).max()))
    pair = open_pair(tiny.model_copy(update={"adapter": str(tmp_path / "mean")}))
    values = [pair.score([Candidate("The book was", text, True)])[0].value for text in (*KIND, *UNKIND)]
    assert min(values[:2]) > max(values[2:])


def test_adapters_that_have_no_mean_are_refused_before_anything_is_written(
    tiny: WeakSettings, preferences: Path, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    tune(preferences, one, tiny, QUICK)
    tune(preferences, other, tiny, QUICK.model_copy(update={"modules": ("q_proj",)}))
    with pytest.raises(AveragingFailed, match="set of projections is another"):
        average_adapters([one, other], tmp_path / "mean")
    with pytest.raises(AveragingFailed, match="holds no LoRA adapter"):
        average_adapters([one, tmp_path], tmp_path / "mean")
    with pytest.raises(AveragingFailed, match="holds something already"):
        average_adapters([one], other)
    assert not (tmp_path / "mean").exists()


def test_more_members_than_pairs_are_refused(tiny: WeakSettings, preferences: Path, tmp_path: Path) -> None:
    with pytest.raises(BadPreferences, match=r"24 pairs: fewer than members = 25"):
        tune(preferences, tmp_path / "adapter", tiny, QUICK.model_copy(update={"members": 25}))
    assert not (tmp_path / "adapter").exists()


def test_a_folder_is_never_written_over(tiny: WeakSettings, preferences: Path, tmp_path: Path) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(preferences, tmp_path / "adapter", tiny, QUICK, die)
    with pytest.raises(TuningFailed, match="other preferences or settings"):
        tune(preferences, tmp_path / "adapter", tiny, QUICK.model_copy(update={"beta": 0.2}))
    tune(preferences, tmp_path / "adapter", tiny, QUICK)
    with pytest.raises(TuningFailed, match="holds an adapter already"):
        tune(preferences, tmp_path / "adapter", tiny, QUICK)
    (tmp_path / "mine" / "checkpoints" / "checkpoint-500").mkdir(parents=True)
    with pytest.raises(TuningFailed, match="holds something else"):
        tune(preferences, tmp_path / "mine", tiny, QUICK)
    assert (tmp_path / "mine" / "checkpoints" / "checkpoint-500").is_dir()


def test_a_tuning_killed_as_it_was_finishing_can_be_finished(
    tiny: WeakSettings, preferences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die_at_the_end(file: Path, text: str) -> None:
        if file.parent == tmp_path / "a":
            raise KeyboardInterrupt
        write_whole(file, text)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("scoring.tuning.write_whole", die_at_the_end)
        tune(preferences, tmp_path / "a", tiny, QUICK)
    assert not (tmp_path / "a" / "tuning.json").exists()
    seen: list[int] = []
    tune(preferences, tmp_path / "a", tiny, QUICK, lambda done, *_: seen.append(done))
    assert seen == [24]  # every step was taken
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "tuning.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"prompt": "It was", "chosen": " good", "rejected": " good"}', "chosen and rejected are equal"),
        ('{"prompt": "It was", "chosen": "", "rejected": " good"}', "chosen = ''"),
        ('{"prompt": "", "chosen": " bad", "rejected": " good"}', "prompt = ''"),
        ('{"prompt": "It was", "chosen": " good"}', "rejected: Field required"),
        ('{"prompt": "It was", "chosen": " good", "rejected": 5}', "rejected = '5'"),
        ('{"prompt": "It was", "chosen": " good"', "is not JSON"),
        ('["It was"]', "valid dictionary"),
        ('{"prompt": "It was", "chosen": "' + " very" * 600 + '", "rejected": " good"}', "tokens, more than 512"),
    ],
)
def test_a_bad_pair_is_named_by_its_line_before_anything_is_written(
    tiny: WeakSettings, tmp_path: Path, line: str, told: str
) -> None:
    good = '{"prompt": "It was", "chosen": " good", "rejected": " bad"}\n'
    file = tmp_path / "preferences.jsonl"
    file.write_text(good + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(BadPreferences) as caught:
        tune(file, tmp_path / "adapter", tiny, TuneSettings())
    assert "line 3" in str(caught.value) and told in str(caught.value)
    assert caught.value.exit_status == 2
    assert not (tmp_path / "adapter").exists()


def test_a_bad_file_is_named(tiny: WeakSettings, tmp_path: Path) -> None:
    for content, told in ((b"\xff\xfe{}", "is not UTF-8"), (b"\n", "is empty")):
        (tmp_path / "bad.jsonl").write_bytes(content)
        with pytest.raises(BadPreferences, match=told):
            tune(tmp_path / "bad.jsonl", tmp_path / "adapter", tiny, TuneSettings())
    with pytest.raises(BadPreferences, match="cannot be read"):
        tune(tmp_path / "none.jsonl", tmp_path / "adapter", tiny, TuneSettings())


def test_projections_that_the_reference_does_not_have_are_refused(
    tiny: WeakSettings, preferences: Path, tmp_path: Path
) -> None:
    with pytest.raises(TuningFailed, match=r"modules: c_attn.*q_proj.*all-linear"):
        tune(preferences, tmp_path / "adapter", tiny, TuneSettings(modules=("q_proj", "c_attn")))
    assert not (tmp_path / "adapter").exists()
    assert TuneSettings.model_validate({"modules": "q_proj, v_proj"}).modules == ("q_proj", "v_proj")
    tune(preferences, tmp_path / "adapter", tiny, QUICK.model_copy(update={"modules": ("all-linear",)}))


def test_without_the_extra_the_command_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tiny: WeakSettings, preferences: Path, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "scoring.tuning", raising=False)
    monkeypatch.delattr("scoring.tuning", raising=False)
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(TuningFailed, match=r"trl is not installed.*aligntree\[tune\]"):
        tune(preferences, tmp_path / "adapter", tiny, TuneSettings())


def test_a_continuation_depends_on_seed_prompt_and_number_alone(tiny: WeakSettings) -> None:
    def sampled(prompts: list[str], choices: int, seed: int) -> list[list[Candidate]]:
        return list(open_sampler(tiny).continuations(prompts, choices=choices, tokens=6, temperature=1.0, seed=seed))

    together = sampled(list(OPENINGS), 12, seed=1)
    assert sampled([OPENINGS[3]], 12, seed=1) == [together[3]]
    assert sampled([OPENINGS[3]], 5, seed=1) == [together[3][:5]]
    assert sampled([OPENINGS[3]], 12, seed=2) != [together[3]]
    assert len({candidate.answer for candidate in together[0]}) == 12


def test_a_killed_making_of_preferences_goes_on_to_the_same_file(tiny: WeakSettings, tmp_path: Path) -> None:
    settings = PreferenceSettings(choices=24, tokens=12, margin=0.0)  # two prompts in a batch

    def die_at_4(done: int, *_: Any) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_preferences(OPENINGS, tmp_path / "killed", tiny, settings, die_at_4)
    samples = tmp_path / "killed" / "samples.jsonl"
    samples.write_bytes(samples.read_bytes()[:-30])  # a line that the kill cut
    resumed: list[int] = []
    make_preferences(OPENINGS, tmp_path / "killed", tiny, settings, lambda done, *_: resumed.append(done))
    make_preferences(OPENINGS, tmp_path / "whole", tiny, settings, lambda *_: None)
    assert resumed[0] == 3
    for name in ("samples.jsonl", "preferences.jsonl", "preferences.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    told = json.loads((tmp_path / "whole" / "preferences.json").read_text(encoding="utf-8"))
    assert (told["samples"], told["settings"]["seed"]) == (6 * 24, settings.seed)
    with pytest.raises(PreferencesFailed, match="other prompts"):
        make_preferences(OPENINGS[:2], tmp_path / "whole", tiny, settings, lambda *_: None)


def test_samples_are_paired_anew_without_being_sampled_anew(
    tiny: WeakSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PreferenceSettings(choices=24, tokens=12, margin=0.0)
    few = make_preferences(OPENINGS, tmp_path / "made", tiny, settings.model_copy(update={"pairs": 1}), lambda *_: None)
    monkeypatch.setattr("flows.preferences.open_sampler", None)
    many = make_preferences(OPENINGS, tmp_path / "made", tiny, settings, lambda *_: None)
    assert few["pairs"] < many["pairs"] and few["samples"] == many["samples"]
    with pytest.raises(PreferencesFailed, match="no two texts of a prompt are 2 of gold apart"):
        make_preferences(
            OPENINGS, tmp_path / "made", tiny, settings.model_copy(update={"margin": 2.0}), lambda *_: None
        )


def test_a_folder_of_something_else_is_left_alone(tiny: WeakSettings, tmp_path: Path) -> None:
    mine = write(tmp_path / "samples.jsonl", {"prompt": "It was", "text": " good", "gold": 1})
    before = mine.read_bytes()
    with pytest.raises(PreferencesFailed, match="holds something else"):
        make_preferences(OPENINGS, tmp_path, tiny, PreferenceSettings(), lambda *_: None)
    assert mine.read_bytes() == before


def test_prompts_beyond_the_models_context_are_refused(tiny: WeakSettings, tmp_path: Path) -> None:
    with pytest.raises(BadPreferences, match=r"prompt 2: .* exceed the model's context of 2048"):
        make_preferences(["It was", "so " * 2040], tmp_path / "made", tiny, PreferenceSettings(), lambda *_: None)
    assert not (tmp_path / "made").exists()


golds = st.lists(st.floats(-1, 1).map(lambda gold: round(gold, 2)), min_size=0, max_size=9)


@given(groups=st.lists(golds, max_size=4), margin=st.floats(0, 1), most=st.integers(1, 5))
def test_pairs_take_the_better_text_and_no_text_twice(groups: list[list[float]], margin: float, most: int) -> None:
    samples = [
        Sample(prompt=f"prompt {i}", text=f"text {i} {j}", gold=gold)
        for i, group in enumerate(groups)
        for j, gold in enumerate(group)
    ]
    gold = {sample.text: sample.gold for sample in samples}
    pairs = list(pair_up(samples, margin=margin, most=most))
    texts = [text for pair in pairs for text in (pair.chosen, pair.rejected)]
    assert len(set(texts)) == len(texts)
    for pair in pairs:
        assert gold[pair.chosen] > gold[pair.rejected] and gold[pair.chosen] - gold[pair.rejected] >= margin
        assert pair.chosen.split()[1] == pair.rejected.split()[1] == pair.prompt.split()[1]
    for i, group in enumerate(groups):
        mine = [pair for pair in pairs if pair.prompt == f"prompt {i}"]
        assert len(mine) <= most
        if len(group) > 1 and max(group) > min(group) and max(group) - min(group) >= margin:
            assert gold[mine[0].chosen] == max(group) and gold[mine[0].rejected] == min(group)


def test_samples_are_read_with_what_else_their_lines_hold(tmp_path: Path) -> None:
    file = write(tmp_path / "samples.jsonl", {"prompt": "It was", "text": " good", "gold": 1, "value": 3.5})
    assert read_samples(file) == [Sample(prompt="It was", text=" good", gold=1.0, complete=False)]
    with pytest.raises(BadPreferences, match=r"line 1: gold"):
        read_samples(write(tmp_path / "samples.jsonl", {"prompt": "It was", "text": " good", "gold": float("nan")}))
