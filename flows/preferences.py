"""Preferences made of a weak model's own continuations: sampled, judged by gold, paired. A killed making goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import FlowError
from flows.gold import Gold, judge
from scoring import Report, Sample, WeakSettings, open_sampler, pair_up, read_samples, write_whole


class PreferenceSettings(BaseModel):
    """How preferences are made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gold: Gold = Field("vader", description="Judge of prompt + text; vader: sentiment, -1 to 1.")
    choices: int = Field(8, ge=2, description="Continuations of each prompt.")
    tokens: int = Field(16, ge=1, description="Weak tokens in one, at most.")
    temperature: float = Field(1.0, gt=0, le=2, description="Temperature of the weak model.")
    seed: int = Field(20251114, ge=0, lt=2**63, description="Of what is sampled.")
    margin: float = Field(0.4, ge=0, le=2, description="By how much the gold of a pair's texts differs, at least.")
    pairs: int = Field(4, ge=1, description="Pairs of one prompt, at most; no text is in two.")


class PreferencesFailed(FlowError):
    """Preferences that cannot be made: a folder that holds something else, samples that are all alike."""

    exit_status = 2


SAMPLES, PREFERENCES, TOLD = "samples.jsonl", "preferences.jsonl", "preferences.json"


def make_preferences(
    prompts: Sequence[str], target: Path, weak: WeakSettings, settings: PreferenceSettings, report: Report
) -> dict[str, Any]:
    """Write samples.jsonl, preferences.jsonl and preferences.json (settings, prompts, counts) into the folder `target`.

    What samples.jsonl holds already is not sampled again; pairing anew with another margin costs nothing. `report` is
    told prompts done and in all. Returns what preferences.json holds. Raises PreferencesFailed and WeakModelMissing
    before anything is written, but for samples without any preference among them.
    """
    wanted = list(dict.fromkeys(prompts))
    told: dict[str, Any] = {
        "reference": weak.reference,
        "template": weak.template,
        "prompts": len(wanted),
        "prompts_sha256": hashlib.sha256(json.dumps(wanted).encode()).hexdigest(),
        "settings": settings.model_dump(mode="json"),
    }
    begun = _begun(target, told)
    if begun:  # in the number format that it was begun in, which may have been measured
        weak = weak.model_copy(update={"number_format": begun["number_format"]})
    told["number_format"] = _sample(wanted, target, weak, settings, told, report)
    samples = read_samples(target / SAMPLES)
    pairs = list(pair_up(samples, margin=settings.margin, most=settings.pairs))
    if not pairs:
        raise PreferencesFailed(
            f"no two texts of a prompt are {settings.margin:g} of gold apart", where=f"{len(samples)} samples",
            mend="Lower margin, or give prompts that leave more open",
        )  # fmt: skip
    write_whole(target / PREFERENCES, "".join(pair.model_dump_json() + "\n" for pair in pairs))
    told |= {"samples": len(samples), "pairs": len(pairs)}
    _write(target, told)
    return told


def _begun(target: Path, told: dict[str, Any]) -> dict[str, Any] | None:
    """What a folder says of these very samples; none where it is new or empty. Raises PreferencesFailed."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    if not (target / TOLD).is_file():
        raise PreferencesFailed("holds something else", where=f"folder {target}", mend="Give another folder with -o")
    begun: dict[str, Any] = json.loads((target / TOLD).read_text(encoding="utf-8"))
    if _sampled(begun) != _sampled(told):
        raise PreferencesFailed(
            "holds samples of other prompts, or drawn with other settings", where=f"folder {target}",
            mend="Give another folder with -o, or the same prompts and settings to go on",
        )  # fmt: skip
    return begun


def _sampled(told: dict[str, Any]) -> list[Any]:
    """What shapes the samples, without what only shapes their pairing."""
    settings = {key: value for key, value in told["settings"].items() if key not in ("margin", "pairs")}
    return [told[key] for key in ("reference", "template", "prompts_sha256")] + [settings]


def _write(target: Path, told: dict[str, Any]) -> None:
    write_whole(target / TOLD, json.dumps(told, indent=1) + "\n")


def _sample(
    prompts: Sequence[str], target: Path, weak: WeakSettings, settings: PreferenceSettings, told: dict[str, Any],
    report: Report,
) -> str:  # fmt: skip
    """Append each prompt's samples as they come; what a kill left of a prompt is cut off first. Returns the number
    format.
    """
    file = target / SAMPLES
    done = _whole(file, settings.choices)
    if done == len(prompts):
        return weak.number_format
    sampler, gold = open_sampler(weak), judge(settings.gold)
    sampled = sampler.continuations(
        prompts, choices=settings.choices, tokens=settings.tokens, temperature=settings.temperature,
        seed=settings.seed, done=done,
    )  # fmt: skip
    target.mkdir(parents=True, exist_ok=True)
    _write(target, told | {"number_format": sampler.number_format})
    report(done, len(prompts), None)
    with file.open("a", encoding="utf-8") as opened:
        for number, candidates in enumerate(sampled, done + 1):
            samples = [
                Sample(prompt=c.prompt, text=c.answer, gold=gold(c.prompt + c.answer), complete=c.complete)
                for c in candidates
            ]
            opened.write("".join(sample.model_dump_json() + "\n" for sample in samples))
            opened.flush()
            report(number, len(prompts), None)
    return sampler.number_format


def _whole(file: Path, choices: int) -> int:
    """Prompts whose samples are all in the file, which is cut to them."""
    if not file.is_file():
        return 0
    with file.open("r+b") as opened:
        lines = sum(line.endswith(b"\n") for line in opened)
        opened.seek(0)
        length = sum(map(len, islice(opened, lines // choices * choices)))
        opened.truncate(length)
    return lines // choices
