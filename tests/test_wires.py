"""Replies in the shapes that providers document: OpenAI's instruct model, vLLM, DeepSeek, Mistral, Anthropic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.config import load_config
from flows.methods import BeamConfig
from providers import ContinuationRequest, StrongSettings, open_strong_model
from providers.endpoints import endpoint_of
from tests.formula_api import Fault, FormulaAPI

WIRES: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted(Path(__file__).parent.joinpath("data", "wires").glob("*.json"))
}
REQUEST = ContinuationRequest("The sea", " is calm", 2, 2, seed=7, logprobs=5)


@pytest.mark.parametrize("name", WIRES)
async def test_a_documented_reply_is_read(api: FormulaAPI, name: str) -> None:
    wire = WIRES[name]
    api.faults = [Fault(200, json.dumps(wire["reply"]).encode(), {"x-request-id": "r-1"})]
    strong = open_strong_model(StrongSettings.model_validate({"api_base": api.base} | wire["settings"]))
    strong.adopt({"repeats": wire.get("repeats", False)})
    try:
        reply = await strong.send(REQUEST)
    finally:
        await strong.close()
    expected = wire["expected"]
    assert [c.text for c in reply.continuations] == expected["texts"]
    assert [c.finish for c in reply.continuations] == expected["finishes"]
    assert [reply.usage.input, reply.usage.output] == expected["usage"]
    assert reply.usage.cached == expected.get("cached", 0)
    tokens = reply.continuations[0].tokens
    assert (tokens is not None) == ("logprobs" in expected)
    if tokens is not None:
        assert [token.logprob for token in tokens] == expected["logprobs"]
        assert len(tokens[0].top) == expected["top"]
        assert "".join(token.text for token in tokens) == expected["texts"][0]
    assert json.loads(reply.body) == wire["reply"]
    assert reply.request_id == "r-1"


def test_the_instruct_model_has_its_profile_and_a_recipe_of_chunk_level_beam_search() -> None:
    """CBS(2, 2, 30), as on AlpacaEval in Weak-to-Strong Search (arXiv 2405.19262)."""
    config = load_config("gpt-3.5-turbo-instruct")
    endpoint = endpoint_of(config.strong.model, config.strong.endpoint)
    assert (endpoint.mode, endpoint.logprobs, endpoint.key_env) == ("completion", 5, "OPENAI_API_KEY")
    (method,) = config.methods
    assert isinstance(method, BeamConfig)
    assert (method.width, method.children, method.chunk_tokens) == (2, 2, 30)
    assert config.strong.logprobs <= 5
