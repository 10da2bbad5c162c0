"""Strong models: continue a text, n ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from providers.base import Continuation, ContinuationRequest, Finding, Finish, Reply, StrongModel, Token, Usage
from providers.endpoints import Mode
from providers.errors import (
    STOPS_THE_RUN,
    Blame,
    CallFailed,
    ProviderError,
    StrongModelMisconfigured,
    StrongModelUnreachable,
)
from providers.settings import ConnectionSettings, StrongSettings, whole_replies

if TYPE_CHECKING:
    from providers.likelihood import PromptLikelihoods
    from providers.local import Find, Steers

__all__ = [
    "STOPS_THE_RUN",
    "Blame",
    "CallFailed",
    "ConnectionSettings",
    "Continuation",
    "ContinuationRequest",
    "Finding",
    "Finish",
    "Mode",
    "ProviderError",
    "Reply",
    "StrongModel",
    "StrongModelMisconfigured",
    "StrongModelUnreachable",
    "StrongSettings",
    "Token",
    "Usage",
    "open_judge",
    "open_likelihoods",
    "open_strong_model",
]


def open_strong_model(settings: StrongSettings, find: Find = Path, steers: Steers | None = None) -> StrongModel:
    """The strong model that `settings` name. Imports LiteLLM (2 s); the embedded one also starts its server.

    One on this machine imports torch instead (3 s) and loads its weights; `find`: the folder with them, of a folder, a
    GGUF file or the weak pair's built-in reference, `embedded`; `steers`: the weak pair, where `strong.eft` is set.
    """
    if settings.model.startswith("local/"):
        from providers.local import LocalStrongModel

        return LocalStrongModel(settings, find, steers)
    if settings.model == "embedded":
        from providers.embedded import EmbeddedStrongModel

        return EmbeddedStrongModel(settings)
    from providers.litellm import LiteLLMStrongModel

    return LiteLLMStrongModel(settings)


def open_judge(settings: ConnectionSettings) -> StrongModel:
    """A model that is asked for whole replies. Imports LiteLLM (2 s). Raises StrongModelMisconfigured."""
    whole = whole_replies(settings, "judge")
    if whole.model == "embedded":
        return open_strong_model(whole)
    from providers.litellm import LiteLLMStrongModel

    return LiteLLMStrongModel(whole, "judge")


def open_likelihoods(api_base: str, *, api_key_env: str | None, concurrency: int, timeout: float) -> PromptLikelihoods:
    """How likely texts are to a server's models: see `providers.likelihood`. Raises CallFailed where no key is."""
    from providers.likelihood import PromptLikelihoods

    return PromptLikelihoods(api_base, api_key_env=api_key_env, concurrency=concurrency, timeout=timeout)
