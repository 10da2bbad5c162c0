"""What our libraries read from the environment: nothing calls home, unless the user set otherwise."""

from __future__ import annotations

import os

NO_CALLS_HOME = {
    "DO_NOT_TRACK": "1",  # Prefect's client, huggingface_hub
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # a server that a flow starts
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else fetched at import
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # else fetched at the first request to such a model
}


def no_calls_home() -> None:
    """Before Prefect and LiteLLM are imported: they read these then."""
    for name, value in NO_CALLS_HOME.items():
        os.environ.setdefault(name, value)
