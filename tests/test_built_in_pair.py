"""The built-in weak pair: what it was trained on, and that it is what its model card says."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from flows.doctor import Diagnosis, diagnose, samples_of
from flows.gold import judge
from scoring import WeakSettings, open_pair
from scoring.adapters.openings import plain

ADAPTER = Path(str(files("scoring"))) / "adapters" / "sentiment"
DATA = Path(str(files("flows"))) / "data"


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def test_it_was_trained_on_many_prompts_none_of_which_is_ever_evaluated() -> None:
    trained = lines(ADAPTER / "prompts.txt")
    assert len({plain(prompt) for prompt in trained}) == len(trained) >= 1500
    evaluated = [prompt for file in ("sentiment.txt", "held_out.txt") for prompt in lines(DATA / file)]
    assert len(evaluated) >= 108
    for one in trained:
        for other in evaluated:
            assert not plain(other).startswith(plain(one)) and not plain(one).startswith(plain(other)), (one, other)


def test_the_prompts_of_the_demo_are_not_held_out_ones() -> None:
    assert not set(lines(DATA / "sentiment.txt")) & set(lines(DATA / "held_out.txt"))


def test_the_held_out_samples_are_of_the_held_out_prompts_and_judged_by_vader() -> None:
    samples, gold = samples_of("held_out"), judge("vader")
    assert {sample.prompt for sample in samples} == set(lines(DATA / "held_out.txt"))
    assert all(sample.gold == gold(sample.prompt + sample.text) for sample in samples)


def test_the_adapter_is_small_and_of_the_committed_prompts_and_settings() -> None:
    assert (ADAPTER / "adapter_model.safetensors").stat().st_size <= 3 * 2**20
    tuning = json.loads((ADAPTER / "tuning.json").read_text(encoding="utf-8"))
    made = [json.loads((ADAPTER / f"preferences-{n}.json").read_text(encoding="utf-8")) for n in (8, 16)]
    assert {part["pairs"] for part in tuning["mean_of"]} == {preferences["pairs"] for preferences in made}
    assert all(preferences["prompts"] == len(lines(ADAPTER / "prompts.txt")) for preferences in made)


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    return diagnose(samples_of("held_out"), open_pair(WeakSettings()), margin=0.4)


def test_it_ranks_the_strong_models_texts_as_gold_does(diagnosis: Diagnosis) -> None:
    assert diagnosis.prompts == 100
    assert diagnosis.accuracy.value >= 0.80
    # Wanted: 0.60, 0.60 and 2/3. This adapter falls short of them by a hair; no later one may be worse.
    assert diagnosis.pooled.value >= 0.60
    assert diagnosis.within.value >= 0.60
    assert diagnosis.closed.value >= 2 / 3
    assert diagnosis.guides


def test_its_card_tells_the_figures_that_the_doctor_prints(diagnosis: Diagnosis) -> None:
    card = (ADAPTER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| ([-+]\d+\.\d+) \| ([-+]\d+\.\d+) to ([-+]\d+\.\d+) \|", card, re.M)
    told = {name: [float(number) for number in numbers] for name, *numbers in rows}
    assert len(told) == len(diagnosis.figures())
    for name, figure, _ in diagnosis.figures():
        # The number format, and so the last digits, depends on the machine.
        assert told[name] == pytest.approx([figure.value, figure.low, figure.high], abs=0.05, rel=0.02), name
