"""Settings of what else an answer may be worth, beside the weak pair's log-ratio."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from scoring.settings import WeakSettings, compiled

_Weight = Annotated[float, Field(allow_inf_nan=False)]
_NAME = r"^[a-z][a-z0-9_]*$"

PAIR = "log_ratio"
"""What the weak pair's own value is called beside others."""

PAIR_PARTS = PAIR, "tuned", "reference", "tokens", "entropy"
"""Names that are taken."""


class _Value(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: _Weight = Field(1.0, description="What it is multiplied by before it is added.")
    name: str | None = Field(
        None, pattern=_NAME, max_length=40, description="What the record calls it; none: as its kind."
    )


class PairValue(WeakSettings):
    """The log-ratio of another weak pair."""

    kind: Literal["log_ratio"] = "log_ratio"
    weight: _Weight = Field(1.0, description="What it is multiplied by, after beta, before it is added.")
    name: str = Field(pattern=_NAME, max_length=40, description="What the record calls it, such as harmless.")


class CuriosityValue(_Value):
    """Moderate surprise, less incoherence (COS(M+O)S, arXiv 2501.17104): exp(-(u - mean)^2 / (2 deviation^2)) minus
    penalty times the mean of what token surprisals exceed ceiling by; u is the mean surprisal, nats per token, under
    the weak pair's reference.
    """

    kind: Literal["curiosity"] = "curiosity"
    mean: float = Field(2.5, gt=0, allow_inf_nan=False, description="Nats per token that are worth most.")
    deviation: float = Field(1.0, gt=0, allow_inf_nan=False, description="Nats per token; where it is worth 0.61.")
    tokens: int | None = Field(None, ge=1, description="Weak tokens at the answer's end that are looked at; none: all.")
    ceiling: float = Field(10.0, gt=0, allow_inf_nan=False, description="Nats above which a token makes no sense.")
    penalty: float = Field(0.5, ge=0, allow_inf_nan=False, description="Per nat above it, on average.")


class CoherenceValue(_Value):
    """Whether an answer hangs together: nats per token by which its prompt makes it likelier under the weak pair's
    reference (pointwise mutual information), `enough` at most, less `repetition` times the share of its runs of four
    words that stood before.
    """

    kind: Literal["coherence"] = "coherence"
    enough: float = Field(0.5, gt=0, allow_inf_nan=False, description="Nats per token above which more fit is no gain.")
    repetition: float = Field(1.0, ge=0, allow_inf_nan=False, description="Nats per token, were all of it repeated.")


class RewardValue(_Value):
    """A reward model: the logit of a sequence classifier, or the log-probability (nats) of one of its labels."""

    kind: Literal["reward"] = "reward"
    model: str = Field(min_length=1, description="Directory of a sequence classifier that transformers can load.")
    label: int | None = Field(None, ge=0, description="Number of the label; none: the only one's logit.")
    template: str = Field(
        "{{ prompt }}{{ answer }}", description="Jinja template of the text that the model reads, special tokens in it."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA when there is one, else the CPU.")
    batch_tokens: int = Field(2048, ge=64, description="Most tokens in one forward pass, padding counted.")

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str) -> str:
        return compiled(template, prompt="x", answer="y")


class FunctionValue(_Value):
    """A Python function of one's own, called with a list of scoring.Candidate; it returns a number for each."""

    kind: Literal["function"] = "function"
    call: str = Field(pattern=r"^[\w.]+:\w+$", description="Where it is: package.module:function.")


ValueSettings = Annotated[
    PairValue | CuriosityValue | CoherenceValue | RewardValue | FunctionValue, Field(discriminator="kind")
]
"""One of these."""


def value_name(settings: ValueSettings) -> str:
    """What the record calls it."""
    return settings.name or settings.kind
