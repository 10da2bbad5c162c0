"""Preferences for tuning a weak model: what one is, how a file of them is read, how they are made of judged samples.

Files are JSONL in UTF-8, one object a line. A sample is {"prompt", "text", "gold"}, a preference {"prompt", "chosen",
"rejected"}; `complete` (of a sample), `chosen_complete` and `rejected_complete` say whether a text ended by
itself or was cut off. What is not said is true for preferences, whose texts are whole as a rule, and false for samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from scoring.errors import BadPreferences


def _whole_characters(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
    return text


_Text = Annotated[str, AfterValidator(_whole_characters)]


class Sample(BaseModel):
    """A continuation of a prompt with what a gold scorer makes of it (higher is better)."""

    model_config = ConfigDict(frozen=True)

    prompt: _Text = Field(min_length=1)
    text: _Text
    gold: float = Field(allow_inf_nan=False)
    complete: bool = False


class Preference(BaseModel):
    """Two continuations of a prompt, of which `chosen` is the better."""

    model_config = ConfigDict(frozen=True)

    prompt: _Text = Field(min_length=1)
    chosen: _Text = Field(min_length=1)
    rejected: _Text = Field(min_length=1)
    chosen_complete: bool = True
    rejected_complete: bool = True

    @model_validator(mode="after")
    def _differ(self) -> Preference:
        if (self.chosen, self.chosen_complete) == (self.rejected, self.rejected_complete):
            raise ValueError("chosen and rejected are equal")
        return self


Line = TypeVar("Line", Sample, Preference)


def read_samples(file: Path) -> list[Sample]:
    """All samples of a JSONL file, in order; raises BadPreferences naming line, field and mend."""
    return [sample for _, sample in _lines(file, Sample, '{"prompt": "...", "text": "...", "gold": 0.5}')]


def read_preferences(file: Path) -> list[tuple[int, Preference]]:
    """All preferences of a JSONL file, in order, with their line numbers; raises BadPreferences."""
    return list(_lines(file, Preference, '{"prompt": "...", "chosen": "...", "rejected": "..."}'))


def read_text(file: Path) -> str:
    """A file's text; raises BadPreferences where it cannot be read or is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadPreferences(
            f"is not UTF-8: {error.reason} at byte {error.start}", where=str(file), mend="Save it as UTF-8"
        ) from error
    except OSError as error:
        raise BadPreferences(f"cannot be read: {error.strerror}", where=str(file), mend="Check the path") from error


def _lines(file: Path, kind: type[Line], form: str) -> Iterator[tuple[int, Line]]:
    found = False
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if line.strip():
            found = True
            yield number, _parsed(line, kind, f"{file}, line {number}", form)
    if not found:
        raise BadPreferences("is empty", where=str(file), mend=f"Write lines such as {form}")


def _parsed(line: str, kind: type[Line], where: str, form: str) -> Line:
    try:
        return kind.model_validate(json.loads(line))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        told = problem["msg"].removeprefix("Value error, ")
        given = f" = {str(problem['input'])[:40]!r}" if field and problem["type"] != "missing" else ""
        raise BadPreferences(f"{field}{given}: {told}" if field else told, where=where, mend=f"Write {form}") from None
    except ValueError as error:
        raise BadPreferences(f"is not JSON: {error}", where=where, mend=f"Write {form}") from None


def pair_up(samples: Iterable[Sample], *, margin: float, most: int) -> Iterator[Preference]:
    """The best against the worst of each prompt's samples, the second best against the second worst, and so on: `most`
    pairs at most, each sample in one, as long as their gold differs by `margin`. Samples of a prompt stand together.
    """
    for prompt, group in groupby(samples, key=lambda sample: sample.prompt):
        distinct = {sample.text: sample for sample in group if sample.text}
        ranked = sorted(distinct.values(), key=lambda sample: sample.gold)
        for worst, best in list(zip(ranked, reversed(ranked), strict=True))[: min(most, len(ranked) // 2)]:
            if best.gold <= worst.gold or best.gold - worst.gold < margin:
                break
            yield Preference(
                prompt=prompt, chosen=best.text, rejected=worst.text,
                chosen_complete=best.complete, rejected_complete=worst.complete,
            )  # fmt: skip


def write_whole(file: Path, text: str) -> None:
    """Write a file, all or nothing."""
    scratch = file.with_name(f"{file.name}.part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(file)
