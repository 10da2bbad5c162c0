"""What a run will search for: prompts x methods x seeds, each with an identity of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flows.config import RunConfig, parse_config
from flows.errors import BadConfig, BadPrompts, CannotResume, OtherVersion
from flows.judge_settings import JudgeSettings
from flows.methods import AlignTreeConfig, BeamConfig, Method, MethodConfig, Rise, WSDConfig, build, called, version
from providers import Mode, StrongSettings
from scoring import ValueSettings
from store import NewSearch, RunRow, SearchRow, fingerprint


def check_prompts(prompts: Sequence[str]) -> None:
    """Raises BadPrompts where there is nothing to continue."""
    if not prompts:
        raise BadPrompts("nothing to continue", where="prompts", mend="Give prompts as arguments or with --file")
    for number, prompt in enumerate(prompts, 1):
        if not prompt.strip():
            raise BadPrompts("is empty", where=f"prompt {number}", mend="Give some text to continue")
        if re.search("[\ud800-\udfff]", prompt):
            raise BadPrompts("holds half a character (lone surrogate)", where=f"prompt {number}", mend="Mend its text")


def check_methods(config: RunConfig, mode: Mode) -> None:
    """Raises BadConfig where a method has to continue unfinished answers, and the strong model's `mode` is `whole`;
    where the weak pair has to draft one, and runs elsewhere or has nothing tuned; or where top lists are needed, and
    none are asked for.
    """
    check_top_lists(config, config.strong.logprobs)
    if config.strong.eft is not None and config.weak.alone:
        raise BadConfig("steers by a weak pair, and nothing is tuned", where="strong.eft", mend="Set weak.adapter")
    for number, method in enumerate(config.methods):
        if method.name == "wsd" and (config.weak.served or config.weak.alone):
            why = "a served one answers nothing itself" if config.weak.served else "nothing is tuned"
            raise BadConfig(
                f"wsd drafts with the weak pair, and {why}",
                where=f"methods.{number}",
                mend="Name a pair that runs here: weak.reference with weak.adapter or weak.tuned",
            )
        if mode == "whole" and method.name in ("beam", "wsd"):
            raise BadConfig(
                f"{method.name} continues chunks, and {config.strong.model} gives whole answers only (mode whole)",
                where=f"methods.{number}",
                mend="Take best_of_n or refine; or aligntree, which samples a tree of rollouts then; or name a mode in "
                "strong.endpoint.mode that continues (docs/models.md)",
            )


def check_finding(config: RunConfig, finding: Mapping[str, Any]) -> None:
    """Raises BadConfig where a method needs what the strong model was found to withhold."""
    strong = finding["strong"]
    told = {"likelihood": strong.get("likelihoods", False), "probe": strong.get("logprobs", 0) > 0}
    what = {"likelihood": "the probabilities of a given text", "probe": "log-probabilities of its tokens"}
    check_top_lists(config, strong.get("logprobs", 0))
    for number, method in enumerate(config.methods):
        if isinstance(method, WSDConfig) and not told.get(method.switch, True):
            raise BadConfig(
                f"{config.strong.model} does not tell {what[method.switch]}",
                where=f"methods.{number}.switch = {method.switch}",
                mend="Leave it out for the best form that the endpoint can; likelihood takes vLLM, or a model that runs"
                " here (strong.model=local/FOLDER)",
            )


def check_top_lists(config: RunConfig, shown: int) -> None:
    """Raises BadConfig where chunks are to end as uncertainty rises, and of a position `shown` = 0 tokens are known."""
    for number, method in enumerate(config.methods):
        if not shown and isinstance(method, AlignTreeConfig | BeamConfig) and isinstance(method.chunk_tokens, Rise):
            raise BadConfig(
                f"chunks end where uncertainty rises, and {config.strong.model} gives no top log-probabilities "
                f"(strong.logprobs = {config.strong.logprobs})",
                where=f"methods.{number}.chunk_tokens",
                mend="Give it a number of tokens; or raise strong.logprobs where the endpoint knows them "
                "(aligntree doctor MODEL tells)",
            )


def new_searches(config: RunConfig, prompts: Sequence[str]) -> list[NewSearch]:
    """One search per prompt, method and seed. Its identity does not depend on where the prompt stands in a file.

    Raises BadPrompts where there is nothing to continue.
    """
    check_prompts(prompts)
    searches = []
    seen: dict[str, int] = {}
    for prompt in prompts:
        occurrence = seen[prompt] = seen.get(prompt, -1) + 1
        for method in config.methods:
            shape = fingerprint(shape_of(config, method))
            for seed in config.seeds:
                key = search_key(prompt, occurrence, shape, seed)
                settings = method.model_dump(mode="json")
                searches.append(
                    NewSearch(key, prompt, occurrence, called(method), version(method), settings, shape, seed)
                )
    return searches


def search_key(prompt: str, occurrence: int, shape: str, seed: int, fork: tuple[str, int] | None = None) -> str:
    """The identity of a search. `shape` is the hash of all that shapes its tree; `fork`: of which search, and after how
    many of its tells.
    """
    return fingerprint([prompt, occurrence, shape, seed, *(fork or ())])


def _is_of(config: RunConfig, method: MethodConfig, row: SearchRow) -> bool:
    """Its config hash is of this method in the version that it names."""
    return fingerprint(shape_of(config, method) | {"version": row.method_version}) == row.config_sha256


def shape_of(config: RunConfig, method: MethodConfig) -> dict[str, Any]:
    """All that shapes a tree, and nothing that only decides where and how fast it grows."""
    shape = {
        "method": method.model_dump(mode="json", exclude={"label", "preset"}),
        "version": version(method),
        "sampling": config.sampling.model_dump(mode="json"),
        "strong": _strong_shape(config.strong),
        "weak": config.weak.model_dump(
            mode="json", include={"reference", "adapter", "template", "eos", "beta", "per_token"}
        )
        | config.weak.model_dump(include={"tuned": True, "served": _SERVED}, exclude_none=True),
    }
    values = [_value_shape(value) for value in config.values]
    judge = _judge_shape(config.judge) if config.judge else {}
    more = {"values": values, "judge": judge}  # there were none when older runs began
    return shape | {name: what for name, what in more.items() if what}


_SERVED = {"tuned", "reference"}
"""What a served pair is; the rest is where it is, and how it is called."""

_HOW_FAST = {"device", "number_format", "memory", "batch_tokens", "served"}
"""Settings of weak models that do not say what a value is, or not all of them."""


def _value_shape(value: ValueSettings) -> dict[str, Any]:
    served = value.model_dump(include={"served": _SERVED}, exclude_none=True)
    return value.model_dump(mode="json", exclude=_HOW_FAST) | served


def _judge_shape(judge: JudgeSettings) -> dict[str, Any]:
    """What is said to the judge, and of how many answers."""
    said = {"model", "logprobs", "template", "scale", "candidates", "max_tokens"}
    endpoint = judge.endpoint.model_dump(exclude_none=True)
    return judge.model_dump(mode="json", include=said) | ({"endpoint": endpoint} if endpoint else {})


def _strong_shape(strong: StrongSettings) -> dict[str, Any]:
    """What is said to the model; what is not set is left out: it was not there when older runs began."""
    said = strong.model_dump(mode="json", include={"model", "template", "logprobs", "vocabulary"})
    more = strong.model_dump(
        mode="json", include={"system", "endpoint", "distinct_first_tokens", "adapter", "eft"}, exclude_none=True
    )
    return said | {name: value for name, value in more.items() if value}


def config_of(run: RunRow) -> RunConfig:
    """The config that a run was begun with; raises BadConfig where this version does not know one of its settings."""
    return parse_config(run.config, f"of run {run.id}")


def choices(config: RunConfig, finding: Mapping[str, Any]) -> int:
    """Choices that one request brings: as many as the settings allow and the probe found."""
    return int(min(config.strong.choices_per_request, finding["strong"]["choices"]))


def fresh_method(config: RunConfig, finding: Mapping[str, Any], row: SearchRow) -> Method:
    """The method of a search on record, which knows nothing yet. Raises CannotResume."""
    sampling = config.sampling
    found, strong = method_config(config, row), finding["strong"]
    return build(
        found,
        row.prompt,
        sampling.max_tokens,
        sampling.stop,
        choices(config, finding),
        whole_only=strong.get("mode") == "whole",
        judged=config.judge.candidates if config.judge else 0,
        likelihoods=strong.get("likelihoods", False),
        logprobs=strong.get("logprobs", 0) > 0,
    )


def method_config(config: RunConfig, row: SearchRow) -> MethodConfig:
    """The method as the record has it. Raises CannotResume, such as OtherVersion."""
    found = next((m for m in config.methods if m.model_dump(mode="json") == dict(row.method_config)), None)
    if found is None or version(found) != row.method_version:
        refusal = CannotResume if found is None or not _is_of(config, found, row) else OtherVersion
        raise refusal(
            f"it was begun with {row.method} version {row.method_version}",
            where=f"search {row.id}",
            mend="Go on with the version of aligntree that the run names (aligntree runs --json)",
        )
    return found
