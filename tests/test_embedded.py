"""The main job on the real models: llama.cpp's HTTP server, LiteLLM, the weak pair and the record, in short."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from flows import align, load_config
from flows.replay import replayed
from flows.show import draw
from providers import ContinuationRequest, StrongModelMisconfigured, StrongSettings, embedded, open_strong_model
from providers.endpoints import Overrides
from store import Record


async def test_the_main_job_runs_on_the_real_models() -> None:
    config = load_config(
        "sentiment", ["sampling.max_tokens=12", "methods.1.limits.iterations=3", "methods.1.chunk_tokens=4"]
    )
    summary = await align(["The movie was", "The soup tasted"], config, record="r.db")
    assert summary.finished
    for answer in summary.answers:
        assert answer.complete
        assert answer.text.strip()
        assert answer.value is not None
        assert answer.gold is not None
    assert summary.totals.output_tokens > 0
    record = Record.open("r.db")
    run = record.run()
    assert run.finding["strong"]["logprobs"] == 20
    assert run.finding["weak"]["reference"] == "embedded"
    (search,) = [s for s in record.searches(run.id) if s.method == "aligntree" and s.prompt == "The movie was"]
    history = record.history(search.id)
    expansions = [ask for ask in history.asks.values() if ask.payload["n"] > 1]
    assert len(expansions) == 3  # one more call, of one choice, may have finished an answer
    assert all(
        row.parts["rung"].startswith("top-20") for n in history.scores.values() for row in n if row.name == "entropy"
    )
    assert all(row.parts["rung"] == "logprobs" for n in history.scores.values() for row in n if row.name == "prior")
    drawn = draw(search, replayed(record, run, search))
    assert drawn.children
    record.close()


async def test_the_server_is_ours_on_loopback_and_gone_when_closed() -> None:
    strong = open_strong_model(StrongSettings())
    assert isinstance(strong, embedded.EmbeddedStrongModel)
    finding = await strong.probe()
    assert (finding.choices, finding.logprobs) == (4, 20)
    address = strong._server.listening_address
    assert address.startswith("http://127.0.0.1:")
    await strong.close()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{address}/health")


async def test_chat_on_the_real_server_goes_on_from_the_unfinished_answer() -> None:
    """llama.cpp's chat repeats the answer so far, which the probe sees; what comes back is the new text alone."""
    embedded_model = open_strong_model(StrongSettings())
    assert isinstance(embedded_model, embedded.EmbeddedStrongModel)
    chats = open_strong_model(
        StrongSettings(
            model="openai/gemma-3-270m", api_base=f"{embedded_model._server.listening_address}/v1", logprobs=5,
            choices_per_request=2, endpoint=Overrides(mode="prefill", top_k=True),
        )
    )  # fmt: skip
    try:
        finding = await chats.probe()
        assert (finding.repeats, finding.choices, finding.logprobs) == (True, 2, 5)
        request = ContinuationRequest(
            "Name the capital of France.", "The capital of France is", 2, 3, temperature=0.0, seed=1, logprobs=5
        )
        reply = await chats.send(request)
        assert [c.text.split(".")[0] for c in reply.continuations] == [" Paris", " Paris"]
        tokens = reply.continuations[0].tokens
        assert tokens is not None and tokens[0].text == " Paris" and len(tokens[0].top) == 5
    finally:
        await chats.close()
        await embedded_model.close()


def test_a_model_file_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.write_bytes(b"not a model")
    with pytest.raises(StrongModelMisconfigured, match="sha256"):
        embedded._join([part], tmp_path / "model.gguf")
    assert [p.name for p in tmp_path.iterdir()] == ["part"]


def test_a_spoilt_copy_in_the_cache_is_joined_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = embedded.model_file()
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.write(b"spoilt")
    assert embedded.model_file() == file
    assert file.stat().st_size == size
    assert file.read_bytes()[:4] == b"GGUF"


def test_more_choices_than_slots_are_refused() -> None:
    with pytest.raises(StrongModelMisconfigured, match="16 at most"):
        open_strong_model(StrongSettings(choices_per_request=17))
