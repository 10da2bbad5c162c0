"""What is known of an endpoint before it is called: a table by model name, with the user's own entries over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from providers.errors import StrongModelMisconfigured

Mode = Literal["completion", "prefix", "partial", "prefill", "continue_final_message", "emulated", "whole"]
"""How an unfinished answer is put to an endpoint; `providers.modes` has each. `whole`: it is not, none is sent."""

Wire = Literal["completions", "chat", "messages"]
"""The shape of request and reply: OpenAI's two, Anthropic's one."""


class Overrides(BaseModel):
    """What a user knows better about an endpoint than the table; what is left out stays as it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode | None = Field(None, description="How an unfinished answer is continued.")
    wire: Wire | None = Field(None, description="Shape of request and reply; none: completions or chat, by the mode.")
    logprobs: int | None = Field(None, ge=0, description="Longest list of likeliest tokens it gives; 0: none.")
    n: int | None = Field(None, ge=1, description="Most choices in one request.")
    seed: str | None = Field(None, description="Name of its seed parameter; empty: it takes none.")
    top_k: bool | None = Field(None, description="Whether it takes top_k.")
    prompt_logprobs: bool | None = Field(
        None, description="Whether its completions take vLLM's prompt_logprobs, which tell how likely a given text is."
    )


@dataclass(frozen=True)
class Endpoint:
    """How a model is reached and continued. `logprobs` and `n` None: no limit is known; `seed` None: it takes none."""

    mode: Mode
    wire: Wire
    api_base: str | None = None
    key_env: str | None = None
    logprobs: int | None = None
    n: int | None = None
    seed: str | None = None
    top_k: bool = True
    prompt_logprobs: bool = False


def endpoint_of(model: str, overrides: Overrides, role: str = "strong") -> Endpoint:
    """The table's entry for a LiteLLM name, overridden. `role`: whose settings it is in.

    Raises StrongModelMisconfigured where the mode is not known.
    """
    known = next((entry for entry in _table() if fnmatchcase(model, entry["match"])), {})
    entry = {name: value for name, value in known.items() if name != "match"}
    entry |= {name: value for name, value in overrides.model_dump().items() if value is not None}
    if "/" not in model or "mode" not in entry:
        patterns = ", ".join(dict.fromkeys(e["match"].partition("/")[0] for e in _table()))
        raise StrongModelMisconfigured(
            f"{model!r} names no endpoint that is known here",
            where=f"{role}.model",
            mend=f"Use 'embedded' or PROVIDER/NAME with one of {patterns}; or set {role}.endpoint.mode and "
            f"{role}.api_base",
        )
    entry.setdefault("wire", "completions" if entry["mode"] == "completion" else "chat")
    return Endpoint(**entry | {"seed": entry.get("seed") or None})


def retirement(entry: Mapping[str, Any]) -> date | None:
    """When a model is switched off, by LiteLLM's map of models; None: no date is known."""
    told = entry.get("deprecation_date")
    return date.fromisoformat(told) if told else None


@cache
def _table() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("endpoints.yaml").read_text(encoding="utf-8"))
    return told
