"""Strong models: continue a text, n ways."""

from __future__ import annotations

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
from providers.settings import StrongSettings

__all__ = [
    "STOPS_THE_RUN",
    "Blame",
    "CallFailed",
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
    "open_strong_model",
]


def open_strong_model(settings: StrongSettings) -> StrongModel:
    """The strong model that `settings` name. Imports LiteLLM (2 s); the embedded one also starts its server."""
    if settings.model == "embedded":
        from providers.embedded import EmbeddedStrongModel

        return EmbeddedStrongModel(settings)
    from providers.litellm import LiteLLMStrongModel

    return LiteLLMStrongModel(settings)
