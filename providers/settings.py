"""Settings of models that are called: of the strong model, and of any other."""

from __future__ import annotations

from decimal import Decimal
from typing import Self
from urllib.parse import urlsplit

from jinja2 import TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from providers.endpoints import Overrides, endpoint_of


class ConnectionSettings(BaseModel):
    """Where a model is served, and how it is called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(min_length=1, description="LiteLLM's name of the model.")
    endpoint: Overrides = Field(
        default_factory=Overrides, description="What you know better about the endpoint than the built-in table."
    )
    api_base: str | None = Field(
        None, description="Base URL of your own server, ending in /v1 where it speaks OpenAI's; none: the provider's."
    )
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the environment variable that holds the key (the key itself is never a setting); "
        "none: the provider's own without api_base, no key with one.",
    )
    logprobs: int = Field(20, ge=0, le=100, description="Likeliest tokens to ask for per position; 0 asks for none.")
    concurrency: int = Field(
        16, ge=1, description="Most requests in flight at once; fewer for a while where the endpoint is overloaded."
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="Most requests in a minute, by all workers of the record together, evenly spread."
    )
    tokens_per_minute: int | None = Field(
        None, ge=1, description="The same of tokens, input and output: each request's most, until its usage is known."
    )
    timeout: float = Field(120.0, gt=0, description="Seconds until one request is given up.")
    retry_for: float = Field(
        300.0,
        ge=0,
        description="Seconds over which a failed request is tried again; longer than timeout, or that ends it.",
    )
    input_price: Decimal | None = Field(
        None, ge=0, description="USD per million input tokens; none: LiteLLM's price map, where it knows the model."
    )
    output_price: Decimal | None = Field(None, ge=0, description="USD per million output tokens; none: as above.")

    @model_validator(mode="after")
    def _both_prices(self) -> Self:
        if (self.input_price is None) != (self.output_price is None):
            raise ValueError("input_price and output_price: set both or neither")
        return self

    @field_validator("api_base")
    @classmethod
    def _without_credentials(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give a URL such as http://127.0.0.1:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("put no user, password or query into the URL; name the key's variable in api_key_env")
        return url.rstrip("/")


class StrongSettings(ConnectionSettings):
    """Which strong model continues, where it is served and how it is called."""

    model: str = Field(
        "embedded",
        description="'embedded' (Gemma 3 270M, served here) or LiteLLM's name of a model whose endpoint can continue "
        "an answer, such as hosted_vllm/NAME, deepseek/NAME or text-completion-openai/NAME; or local/FOLDER, "
        "local/FILE.gguf, local/embedded or local/smollm2 (the weak pair's built-in SmolLM2-135M-Instruct), a causal "
        "language model that runs here, by transformers.",
        min_length=1,
    )
    allow_approximate: bool = Field(
        False,
        description="Take emulated continuations of a model that can only be asked to go on (--allow-approximate).",
    )
    system: str | None = Field(None, min_length=1, description="Instructions to a model that chats.")
    template: str | None = Field(
        None,
        description="Of raw text: Jinja template that turns {{ prompt }} (and {{ system }}) into the model's text; "
        "none: the prompt as it is.",
    )
    choices_per_request: int = Field(
        4, ge=1, description="Most choices (n) in one request; more are split over requests."
    )
    distinct_first_tokens: bool = Field(
        False, description="The choices of one request begin with different tokens, as in the paper; local models only."
    )
    adapter: str | None = Field(
        None,
        min_length=1,
        description="Directory of a LoRA adapter on the model, as aligntree tune writes it; local models only.",
    )
    eft: float | None = Field(
        None,
        gt=0,
        description="Emulated fine-tuning: the weak pair's log-ratio of each next token, times this, is added to the "
        "model's logits; local models with the pair's vocabulary only.",
    )
    vocabulary: int = Field(
        200_000, ge=2, description="Tokens in the model's vocabulary, for the entropy bounds of a truncated top list."
    )

    @field_validator("template")
    @classmethod
    def _compiles(cls, template: str | None) -> str | None:
        if template is not None:
            try:
                SandboxedEnvironment().from_string(template)
            except TemplateSyntaxError as error:
                raise ValueError(f"not a Jinja template: {error}") from error
        return template


OF_LOCAL_MODELS = {
    "distinct_first_tokens": "draws each choice by itself",
    "adapter": "takes no adapter from here",
    "eft": "shows nobody its logits",
}
"""Settings for models on this machine alone: why no API can follow them."""


def whole_replies(settings: ConnectionSettings, role: str) -> StrongSettings:
    """For a model that is never asked to go on from an answer: raw text where its endpoint takes that, else messages.

    Raises StrongModelMisconfigured where the endpoint is not known.
    """
    given = {name: getattr(settings, name) for name in ConnectionSettings.model_fields}
    if settings.model != "embedded" and endpoint_of(settings.model, settings.endpoint, role).wire != "completions":
        given["endpoint"] = settings.endpoint.model_copy(update={"mode": "whole"})
    return StrongSettings(**given, choices_per_request=1)
