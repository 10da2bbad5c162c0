"""A weak pair on a server: the values of the same pair here, one way to it, and each thing that can be in its way."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows import RunConfig, align
from flows.config import parse_config
from flows.errors import BadConfig, RunInterrupted
from flows.export import nodes
from flows.plan import shape_of
from flows.served import Servers
from providers import Blame, CallFailed
from scoring import (
    Candidate,
    PairDisagrees,
    Scorer,
    WeakModelMissing,
    WeakSettings,
    open_pair,
    open_scorer,
)
from scoring.conformance import ScorerConformance
from scoring.ratio import RatioScorer
from scoring.values import CuriosityValue
from store import Record
from tests.conftest import Told
from tests.formula_api import Fault, FormulaAPI
from tests.on_record import Seen, last_search
from tests.served_api import REFERENCE, TUNED, ServedAPI
from tests.tiny_model import save_tiny_gguf, save_tiny_pair

KEY = "sk-weak-4711"
CANDIDATES = [
    Candidate("The sea", " is calm.", complete=False),
    Candidate("The sea", " is calm. It rises", complete=True),
    Candidate("The sea", "", complete=False),
    Candidate("The s", "ea 海は広い\n\t<|im_end|>", complete=True),
    Candidate("The sea is", " calm.", complete=False),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WeakSettings:
    """The pair that is served, as it is loaded here."""
    return save_tiny_pair(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def the_server(tiny: WeakSettings) -> Iterator[ServedAPI]:
    with closing(ServedAPI(Path(tiny.reference), Path(tiny.adapter or ""))) as served:
        yield served


@pytest.fixture
def server(the_server: ServedAPI) -> ServedAPI:
    the_server.reset()
    return the_server


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers() as opened:
        yield opened


def weak(server: ServedAPI, tiny: WeakSettings, **settings: Any) -> dict[str, Any]:
    served = {"api_base": server.base, "tuned": TUNED, "reference": REFERENCE, "timeout": 5}
    served |= settings.pop("served", {})
    return {"reference": tiny.reference, "served": served} | settings


Open = Callable[..., RatioScorer]


@pytest.fixture
def pair(server: ServedAPI, tiny: WeakSettings, servers: Servers) -> Open:
    """Opens the served pair; keyword arguments are settings."""
    return lambda **settings: open_pair(WeakSettings.model_validate(weak(server, tiny, **settings)), servers)


class TestServed(ScorerConformance):
    @pytest.fixture(autouse=True)
    def _served(self, pair: Open) -> None:
        self.pair = pair()

    def scorer(self) -> Scorer:
        return self.pair


@pytest.mark.parametrize(
    "settings",
    [{}, {"eos": False}, {"beta": 0.5, "per_token": True}, {"template": "<|im_start|>user\n{{ prompt }}<|im_end|>\n"}],
    ids=["plain", "no eos", "scaled", "template"],
)
def test_a_served_pair_has_the_values_of_the_same_pair_here(
    pair: Open, tiny: WeakSettings, settings: dict[str, Any]
) -> None:
    there, here = pair(**settings), open_pair(tiny.model_copy(update=settings))
    assert (there.name, there.scale) == (here.name, here.scale)
    for served, local in zip(there.score(CANDIDATES), here.score(CANDIDATES), strict=True):
        assert served.value == pytest.approx(local.value, abs=1e-4)
        assert served.parts == pytest.approx({k: v for k, v in local.parts.items() if k != "entropy"}, abs=1e-4)
    assert there.token_ratios(CANDIDATES)[1] == pytest.approx(here.token_ratios(CANDIDATES)[1], abs=1e-4)
    assert max(abs(ratio) for ratio in there.token_ratios(CANDIDATES)[1]) > 0.02


def test_likelier_tokens_beside_a_texts_own_change_nothing(
    pair: Open, server: ServedAPI, tiny: WeakSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plainly, choice = pair().score(CANDIDATES), server.choice
    monkeypatch.setattr(server, "choice", lambda request: choice(request | {"prompt_logprobs": 3}))
    assert [score.value for score in pair().score(CANDIDATES)] == [score.value for score in plainly]


def test_each_text_is_asked_for_once_by_each_model_and_no_more_at_once_than_may(
    server: ServedAPI, tiny: WeakSettings, servers: Servers
) -> None:
    settings = WeakSettings.model_validate(weak(server, tiny, served={"concurrency": 2}))
    scorer = open_scorer(settings, [CuriosityValue()], servers)
    server.requests.clear()
    server.held = threading.Barrier(2)
    scorer.score([*CANDIDATES, *CANDIDATES])
    asked = [(request["model"], tuple(request["prompt"])) for request in server.requests]
    assert len(asked) == len(set(asked)) == 2 * 3  # one candidate has no tokens, and two are the same ones
    assert server.peak == 2
    assert {request["max_tokens"] for request in server.requests} == {1}


def dumped(file: str) -> list[str]:
    with closing(sqlite3.connect(file)) as opened:
        return list(opened.iterdump())


async def run(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> Seen:
    monkeypatch.setattr("flows.bench.open_scorer", open_scorer)
    await align(["The tide"], config, record="r.db")
    return last_search("r.db")


async def test_a_run_by_a_served_pair_has_the_values_of_the_same_pair_here(
    server: ServedAPI,
    tiny: WeakSettings,
    formula_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEAK_KEY", KEY)
    server.key = KEY
    seen = await run(formula_config(weak=weak(server, tiny, served={"api_key_env": "WEAK_KEY"})), monkeypatch)
    with closing(Record.open("r.db")) as record:
        told, found = record.run().finding["weak"], list(nodes(record, record.run()))
    assert {"tuned": TUNED, "reference": REFERENCE, "tokenizer": tiny.reference}.items() <= told.items()
    assert all(KEY not in line for line in dumped("r.db"))
    assert len(found) == len(seen.history.nodes) > 4
    local = open_pair(tiny).score([Candidate(n["prompt"], n["answer"], n["finish"] == "stop") for n in found])
    assert [node["value"] for node in found] == pytest.approx([score.value for score in local], abs=1e-3)


async def test_where_the_strong_model_withholds_its_probabilities_priors_are_weak_and_entropy_is_not_known(
    api: FormulaAPI,
    server: ServedAPI,
    tiny: WeakSettings,
    formula_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "shape", lambda _: None)
    seen = await run(formula_config(weak=weak(server, tiny)), monkeypatch)
    assert "weak" in seen.rungs("prior") <= {"weak", "frequency"}  # where choices repeat
    assert seen.rungs("entropy") == {"none"}


async def test_a_pair_that_does_not_answer_ends_a_run_before_anything_is_sent(
    api: FormulaAPI,
    server: ServedAPI,
    tiny: WeakSettings,
    formula_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = formula_config(weak=weak(server, tiny))
    only_texts(server)
    with pytest.raises(CallFailed, match="no log-probability came back of token number 1"):
        await run(config, monkeypatch)
    assert api.connections == 0


def only_texts(server: ServedAPI) -> None:
    """Prompts of text are answered, those of token ids as from a prefix cache."""

    def forget(choice: dict[str, Any]) -> None:
        if isinstance(server.requests[-1]["prompt"], list):
            choice["prompt_logprobs"][1] = None

    server.change = forget


async def test_a_text_that_the_server_refuses_ends_its_search_alone(
    server: ServedAPI, tiny: WeakSettings, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.bench.open_scorer", open_scorer)
    monkeypatch.setattr(server, "context", 180)
    config = formula_config(weak=weak(server, tiny), methods=[{"name": "best_of_n", "n": 2}])
    with pytest.raises(RunInterrupted, match=r"1 of 2 searches did not end: .*maximum context length is 180") as told:
        await align(["The tide", "The sea " * 120], config, record="r.db")
    assert isinstance(told.value.__cause__, CallFailed)


def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(pair: Open, server: ServedAPI) -> None:
    opened = pair()
    expected = [score.value for score in opened.score(CANDIDATES)]
    opened.score([])  # forgets
    server.requests.clear()
    server.faults = [Fault(503, b"busy")]
    assert [score.value for score in opened.score(CANDIDATES)] == expected
    assert len(server.requests) == 7


def test_a_server_that_stays_down_stops_the_run_and_is_waited_for_once(pair: Open, server: ServedAPI) -> None:
    opened = pair(served={"timeout": 1})
    server.faults = [Fault(503, b"loading") for _ in range(99)]
    with pytest.raises(CallFailed, match=r"weak model \w+ at http.*HTTP 503: loading\. Start the server, corr") as told:
        opened.score(CANDIDATES)
    assert told.value.blame is Blame.ENDPOINT
    server.requests.clear()
    with pytest.raises(CallFailed, match="HTTP 503"):
        opened.score(CANDIDATES)
    assert len(server.requests) <= 2 * len(CANDIDATES)
    server.faults.clear()
    assert len(opened.score(CANDIDATES)) == len(CANDIDATES)


async def test_an_interrupted_run_does_not_wait_for_a_server_that_hangs(
    server: ServedAPI, tiny: WeakSettings, formula_config: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr("flows.bench.open_scorer", open_scorer)
    monkeypatch.setattr("flows.bench.check_scorer", lambda *_, **__: setattr(server, "held", hangs))
    task = asyncio.create_task(align(["The tide"], formula_config(weak=weak(server, tiny)), record="r.db"))
    assert await asyncio.to_thread(server.holds.wait, 20)
    task.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 3
    hangs.set()


def drop_likelihoods(choice: dict[str, Any]) -> None:
    choice["prompt_logprobs"] = None


def drop_field(choice: dict[str, Any]) -> None:
    del choice["prompt_logprobs"]


def begin_otherwise(choice: dict[str, Any]) -> None:
    choice["prompt_logprobs"].insert(0, None)


@pytest.mark.parametrize(
    ("served", "change", "told"),
    [
        ({"tuned": "unkind"}, None, r"weak model unkind at http.*: no such model there\. It serves: kinder, tiny"),
        (
            {"api_base": "http://127.0.0.1:9/v1"},
            None,
            r"connection refused\. Start the server, correct weak\.served",
        ),
        ({}, drop_likelihoods, r"no log-probabilities of the prompt\. Serve the pair with vLLM, .*prompt_logprobs"),
        ({}, drop_field, "no log-probabilities of the prompt"),
    ],
    ids=["wrong name", "nobody there", "null", "no field"],
)
def test_what_is_in_the_way_is_told_at_the_start(
    pair: Open, server: ServedAPI, served: dict[str, Any], change: Any, told: str
) -> None:
    server.change = change or server.change
    began = time.monotonic()
    with pytest.raises(CallFailed, match=told):
        pair(served=served)
    assert time.monotonic() - began < 3


def test_a_server_that_does_not_know_what_is_asked_is_told(pair: Open, server: ServedAPI) -> None:
    server.faults = [Fault(400, b"Unrecognized request argument: prompt_logprobs")]
    with pytest.raises(
        CallFailed, match=r"HTTP 400: Unrecognized request argument.*\. Serve the pair with vLLM"
    ) as told:
        pair()
    assert told.value.exit_status == 2


def test_a_wrong_path_is_told(pair: Open, server: ServedAPI) -> None:
    with pytest.raises(CallFailed, match=r"HTTP 404: .*Not Found.*Check weak\.served\.api_base, which ends in /v1"):
        pair(served={"api_base": server.base.removesuffix("/v1")})


def test_a_reply_about_other_tokens_than_were_sent_is_told(pair: Open, server: ServedAPI) -> None:
    opened = pair()
    server.change = begin_otherwise
    with pytest.raises(
        CallFailed, match=r"log-probabilities of 4 tokens came back for 3 sent\. Name vLLM's own"
    ) as told:
        opened.score([Candidate("The", " sea.", complete=False)])
    assert (told.value.blame, told.value.exit_status) == (Blame.SETTINGS, 2)
    server.change = lambda choice: choice["prompt_logprobs"].reverse()
    with pytest.raises(CallFailed, match=r"no log-probability came back of token number 1, which is \d+"):
        opened.score(CANDIDATES)


def test_a_key_that_the_server_refuses_and_echoes_is_in_no_error(
    pair: Open, server: ServedAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "another"
    monkeypatch.setenv("WEAK_KEY", KEY)
    with pytest.raises(CallFailed, match=r"HTTP 401: .*Unauthorized: Bearer \[key\].*and WEAK_KEY") as told:
        pair(served={"api_key_env": "WEAK_KEY"})
    error: BaseException | None = told.value
    while error is not None:
        assert KEY not in f"{error} {vars(error)}"
        error = error.__cause__ or error.__context__
    monkeypatch.delenv("WEAK_KEY")
    with pytest.raises(CallFailed, match=r"no usable key: the environment variable WEAK_KEY is not set"):
        pair(served={"api_key_env": "WEAK_KEY"})


def test_a_tokenizer_that_is_not_the_served_models_is_refused(pair: Open, tmp_path: Path) -> None:
    other = save_tiny_gguf(tmp_path / "other.gguf")
    with pytest.raises(PairDisagrees, match=r"is read from token number \d+ on as .* by its server, .* tokenizer here"):
        pair(reference=str(other))


def test_a_folder_with_a_tokenizer_alone_is_enough(pair: Open, tiny: WeakSettings, tmp_path: Path) -> None:
    for file in Path(tiny.reference).glob("tokenizer*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert pair(reference=str(tmp_path)).score(CANDIDATES[:1])[0].parts["tokens"] == 3
    with pytest.raises(WeakModelMissing, match="cannot be loaded"):
        open_pair(WeakSettings(reference=str(tmp_path), tuned=str(tmp_path)))


def test_a_served_pair_needs_a_way_to_its_server(server: ServedAPI, tiny: WeakSettings) -> None:
    with pytest.raises(WeakModelMissing, match="nothing here connects to it"):
        open_pair(WeakSettings.model_validate(weak(server, tiny)))


def test_doctor_looks_at_a_served_pair(aligntree: Callable[..., Told], server: ServedAPI, tiny: WeakSettings) -> None:
    lines = [{"prompt": p, "text": t, "gold": g} for p in ("The tide", "A day") for t, g in ((" good", 1), (" bad", 0))]
    Path("samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    settings = {"weak.reference": tiny.reference, "weak.adapter": "null"}
    settings |= {f"weak.served.{name}": value for name, value in weak(server, tiny)["served"].items()}
    given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    status, out, err = aligntree("doctor", "--weak", "samples.jsonl", *given, "-q")
    assert (status, "preference accuracy" in out) == (0, True), err


SERVED = {"api_base": "http://there/v1", "tuned": "a", "reference": "b"}


def test_a_pair_is_served_or_here() -> None:
    served = WeakSettings.model_validate({"served": SERVED})
    assert (served.adapter, served.tuned) == (None, None)
    assert WeakSettings.model_validate(served.model_dump()) == served
    with pytest.raises(ValidationError, match=r"weak\.tuned and weak\.served are both given; leave one out"):
        WeakSettings.model_validate({"served": SERVED, "tuned": "some"})
    with pytest.raises(ValidationError, match=r"weak\.adapter and weak\.served are both given; leave one out"):
        WeakSettings.model_validate({"served": SERVED, "adapter": "sentiment"})


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"api_base": "there:8000/v1"}, "give a URL such as http://127.0.0.1:8000/v1"),
        ({"api_base": "http://me:secret@there/v1"}, "without user, password or query"),
        ({"api_key_env": "sk-secret"}, "not the name of an environment variable"),
        ({"tuned": "b"}, "tuned and reference are one model"),
        ({"api_key": "sk-secret"}, "no such setting"),
    ],
)
def test_settings_that_cannot_be_are_told_and_no_secret_in_them(setting: dict[str, str], told: str) -> None:
    with pytest.raises(BadConfig, match=told) as refused:
        parse_config({"weak": {"served": SERVED | setting}}, "of a test")
    assert "secret" not in str(refused.value)


def test_which_models_are_served_shapes_a_tree_and_where_they_are_does_not() -> None:
    def shapes(*served: dict[str, Any] | None) -> list[dict[str, Any]]:
        told = []
        for one in served:
            value = {"kind": "log_ratio", "name": "more", "served": one}
            config = parse_config({"weak": {"served": one}, "values": [value]}, "of a test")
            told.append(shape_of(config, config.methods[0]))
        return told

    one, same, other, here = shapes(
        SERVED,
        SERVED | {"api_base": "http://here/v1", "concurrency": 3, "timeout": 9, "api_key_env": "KEY"},
        SERVED | {"tuned": "c"},
        None,
    )
    assert one == same != other
    assert one["weak"]["served"] == one["values"][0]["served"] == {"tuned": "a", "reference": "b"}
    assert "served" not in here["weak"] | here["values"][0]
    assert all("tuned" in shape["values"][0] for shape in (one, here))
