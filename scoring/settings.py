"""Settings of the weak pair."""

from __future__ import annotations

from typing import Literal

from jinja2 import TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, field_validator


class WeakSettings(BaseModel):
    """The weak pair: one set of weights as reference; the same with a LoRA adapter as tuned."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str = Field(
        "embedded",
        min_length=1,
        description="'embedded' (SmolLM2-135M-Instruct) or a directory that transformers can load.",
    )
    adapter: str = Field(
        "sentiment", min_length=1, description="A built-in LoRA adapter by name, or a directory in PEFT's format."
    )
    template: str | None = Field(
        None,
        description="Jinja template that turns {{ prompt }} into the pair's text before the answer; "
        "none: the prompt as it is.",
    )
    eos: bool = Field(True, description="Score the end-of-sequence token of complete answers.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA when there is one, else the CPU.")
    number_format: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: whichever multiplies matrices faster on the device, measured at start."
    )
    batch_tokens: int = Field(4096, ge=64, description="Most padded tokens in one forward pass.")

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str | None) -> str | None:
        if template is not None:
            try:
                SandboxedEnvironment().from_string(template)
            except TemplateSyntaxError as error:
                raise ValueError(f"not a Jinja template: {error}") from error
        return template
