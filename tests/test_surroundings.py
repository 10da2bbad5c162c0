"""Nothing calls home: what Prefect, LiteLLM and huggingface_hub read from the environment is set before."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flows.surroundings import no_calls_home

_LOOK = """
import socket
def refuse(self, address):
    if not str(address[0]).startswith("127."):
        raise SystemExit(f"called {address}")
    return connect(self, address)
connect, socket.socket.connect = socket.socket.connect, refuse
import flows
from prefect._internal.analytics import is_telemetry_enabled
from prefect.settings import get_current_settings
from providers.litellm import LiteLLMStrongModel
from litellm.anthropic_beta_headers_manager import get_beta_headers_config
import huggingface_hub.constants
get_beta_headers_config("http://192.0.2.1/beta.json")
print(is_telemetry_enabled(), get_current_settings().server.analytics_enabled,
      huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY)
"""


def test_nothing_calls_home() -> None:
    names = ("DO_NOT_TRACK", "PREFECT_", "LITELLM_", "HF_", "CI")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    told = subprocess.run([sys.executable, "-c", _LOOK], capture_output=True, text=True, env=bare, check=True)
    assert told.stdout.split("\n")[-2] == "False False True"
    assert "Failed to fetch" not in told.stderr


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "0")
    no_calls_home()
    assert os.environ["DO_NOT_TRACK"] == "0"
