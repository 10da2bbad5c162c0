"""Settings of the judge of Stage 2, and what they ask of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import Field

from flows.methods import JUDGE, BaseConfig, MethodConfig
from providers import ConnectionSettings
from scoring import Rubric, ValueSettings, value_name


class JudgeSettings(Rubric, ConnectionSettings):
    """A language model that chooses among a search's best whole answers: each is put to it in a request of its own."""

    model: str = Field(
        min_length=1,
        description="LiteLLM's name of the judge. It is sent a chat message; or raw text where the table knows its "
        "endpoint by completions (hosted_vllm, text-completion-openai) and endpoint.mode does not say whole.",
    )
    candidates: int = Field(4, ge=2, le=1000, description="Whole answers that are judged, at most: the best by value.")
    max_tokens: int = Field(8, ge=1, description="Tokens that the judge may write of each; the first integer counts.")


def check(judge: JudgeSettings, methods: Sequence[MethodConfig], values: Iterable[ValueSettings]) -> None:
    """Raises ValueError where a method's calls do not reach for a search and the judge, or a value has its name."""
    for number, method in enumerate(methods):
        calls = method.limits.calls
        if calls is not None and calls <= judge.candidates and not isinstance(method, BaseConfig):
            raise ValueError(
                f"methods.{number}.limits.calls = {calls} leaves nothing to search with: judge.candidates = "
                f"{judge.candidates} of them are kept back; raise the one or lower the other"
            )
    if any(value_name(value) == JUDGE for value in values):
        raise ValueError(f"values: one is called {JUDGE!r}, as what the judge says is; give it another name")
