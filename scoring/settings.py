"""Settings of the weak pair."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, field_validator, model_validator


class ServedSettings(BaseModel):
    """Where both models of a weak pair are served, by vLLM, and under which names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api_base: str = Field(description="Base URL of the server, ending in /v1.")
    tuned: str = Field(min_length=1, description="The tuned model's name there, such as that of a LoRA module.")
    reference: str = Field(min_length=1, description="The reference's name there.")
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the environment variable that holds the key (the key itself is never a setting); "
        "none: no key.",
    )
    concurrency: int = Field(16, ge=1, description="Most requests in flight at once.")
    timeout: float = Field(
        120.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds until one request is given up, and over which a failed one is tried again.",
    )

    @field_validator("api_base")
    @classmethod
    def _without_credentials(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", url):
            raise ValueError("give a URL such as http://127.0.0.1:8000/v1, without user, password or query")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _two_models(self) -> ServedSettings:
        if self.tuned == self.reference:
            raise ValueError("tuned and reference are one model, and nothing would be worth anything")
        return self


class WeakSettings(BaseModel):
    """The weak pair: a reference, and as tuned the same weights with a LoRA adapter, or another model; or served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str = Field(
        "embedded",
        min_length=1,
        description="'embedded' (SmolLM2-135M-Instruct), a directory that transformers can load, a model of the "
        "Hugging Face hub that was downloaded before (hf download NAME), or a .gguf file (converted once, in float32, "
        "in the user's cache). Of a served pair only the tokenizer is used.",
    )
    adapter: str | None = Field(
        "sentiment",
        min_length=1,
        description="A built-in LoRA adapter by name, or a directory in PEFT's format; none where weak.tuned or "
        "weak.served is given, or where weak.beta = 0: only the reference is read then.",
    )
    tuned: str | None = Field(
        None,
        min_length=1,
        description="In place of an adapter, a whole tuned model, named as weak.reference is. Where the two models' "
        "keys and values differ in shape (layers, heads), every text is read anew each time.",
    )
    served: ServedSettings | None = Field(
        None, description="In place of models that run here: the server of both; settings of how they run do nothing."
    )
    template: str | None = Field(
        None,
        description="Jinja template that turns {{ prompt }} into the pair's text before the answer; "
        "none: the prompt as it is.",
    )
    eos: bool = Field(True, description="Score the end-of-sequence token of complete answers.")
    beta: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Factor on the log-ratio; 0: only what values adds counts."
    )
    per_token: bool = Field(False, description="Divide the log-ratio by the answer's weak tokens.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA when there is one, else the CPU.")
    number_format: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: whichever multiplies matrices faster on the device, measured at start."
    )
    batch_tokens: int = Field(
        2048,
        ge=64,
        description="Most tokens of either model in one forward pass, with padding and remembered ones.",
    )
    memory: ByteSize = Field(
        ByteSize(2**30),
        ge=0,
        validate_default=True,
        description="For what the pair has read, so that only what is new is read (such as 512MiB); 0: everything is "
        "read anew each time.",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_adapter_beside_others(cls, data: Any) -> Any:
        given = isinstance(data, Mapping) and any(data.get(name) is not None for name in ("tuned", "served"))
        return {"adapter": None, **data} if given else data

    @model_validator(mode="after")
    def _one_tuned_model(self) -> WeakSettings:
        given = [name for name in ("adapter", "tuned", "served") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"weak.{given[0]} and weak.{given[1]} are both given; leave one out, or set it to null")
        if not given and self.beta:
            raise ValueError("weak.adapter and weak.tuned are both null; give one of them, or weak.served")
        return self

    @property
    def alone(self) -> bool:
        """Nothing is tuned, and the log-ratio is nothing: the reference is read for other values."""
        return self.adapter is None and self.tuned is None and self.served is None

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str | None) -> str | None:
        return template if template is None else compiled(template, prompt="x")


def compiled(template: str, **names: str) -> str:
    """The template, which these names suffice for. Raises ValueError."""
    try:
        SandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(**names)
    except TemplateError as error:
        raise ValueError(f"not a Jinja template: {error}") from error
    return template


def _listed(names: Any) -> Any:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else names


class TuneSettings(BaseModel):
    """How preferences become an adapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: Literal["sppo_hard", "sigmoid", "ipo", "apo_zero", "nca_pair", "bco_pair", "hinge"] = Field(
        "sppo_hard",
        description="TRL's name of the loss. sppo_hard pulls the log-ratio of chosen text to 0.5 / beta nats and of "
        "rejected text to -0.5 / beta; sigmoid is DPO's.",
    )
    beta: float = Field(
        0.1,
        gt=0,
        allow_inf_nan=False,
        description="Pull towards the reference, per nat; ipo asks for 1 / (2 beta) nats per token.",
    )
    likelihood: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="Weight of a likelihood term on chosen text; it lifts DPO's level."
    )
    members: int = Field(
        1,
        ge=1,
        description="Adapters trained apart, each on its share of the pairs, then averaged into one.",
    )
    rank: int = Field(8, ge=1, description="Rank of the LoRA matrices of each member.")
    mean_rank: int | None = Field(
        None, ge=1, description="Rank of the adapter that is written: members' mean, cut to it; as rank unless given."
    )
    modules: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("q_proj", "v_proj", "o_proj"), min_length=1, description="Projections adapted, by name: q_proj,v_proj."
    )
    learning_rate: float = Field(
        1e-3, gt=0, allow_inf_nan=False, description="Peak learning rate; it rises over 10 steps, then falls."
    )
    epochs: float = Field(1.0, gt=0, allow_inf_nan=False, description="Times that each pair is seen.")
    batch: int = Field(8, ge=1, description="Pairs in a step.")
    max_tokens: int = Field(512, ge=2, description="Weak tokens in prompt + text, at most; longer is an error.")
    checkpoint_every: int = Field(50, ge=1, description="Steps between checkpoints, from which tuning resumes.")
    seed: int = Field(
        20251114, ge=0, lt=2**32, description="Of initial weights, of members' shares and of the order of pairs."
    )
