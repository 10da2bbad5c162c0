"""What servers do instead of answering, and runs that meet it: by schedule, alone and mixed at random."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from flows import RunConfig, Summary, align, resume
from flows.audit import audit
from flows.errors import RunInterrupted
from providers import ProviderError
from store import Record
from store.database import connected
from store.settings import record_url
from tests.conftest import config_for
from tests.formula_api import Fault, FormulaAPI
from tests.formula_scorer import open_formula_scorer

KEY = "sk-hostile-0123456789"
PROMPTS = ["The tide comes in", "A letter from the sea"]
TIMEOUT = 2.0
MOST = 2**20
"""Bytes of a body here, instead of 64 MiB."""

Answer = Callable[[], dict[str, Any]]


@dataclass
class Mischief(Fault):
    """Something else than a plain reply. `usable`: its text is a continuation, and is not to be asked for again."""

    status: int = 200
    act: Callable[[Any, Answer], None] = lambda handler, answer: None
    usable: bool = False

    def meet(self, handler: Any, answer: Answer) -> None:
        self.act(handler, answer)


def changed(change: Callable[[dict[str, Any]], object], *, usable: bool = True) -> Mischief:
    """The reply, but for a change."""

    def act(handler: Any, answer: Answer) -> None:
        body = answer()
        change(body)
        handler.reply(200, json.dumps(body).encode())

    return Mischief(act=act, usable=usable)


def each(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], None]:
    def all_of(body: dict[str, Any]) -> None:
        for choice in body["choices"]:
            change(choice)

    return all_of


def hang(handler: Any, _: Answer) -> None:
    time.sleep(TIMEOUT + 0.5)
    handler.close_connection = True


def reset_midway(handler: Any, answer: Answer) -> None:
    body = json.dumps(answer()).encode()
    handler.send_response(200)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def truncated(handler: Any, answer: Answer) -> None:
    handler.reply(200, json.dumps(answer()).encode()[:-40])


def huge(handler: Any, answer: Answer) -> None:
    handler.reply(200, json.dumps(answer() | {"padding": "x" * 2 * MOST}).encode())


def drip(handler: Any, answer: Answer) -> None:
    body = json.dumps(answer()).encode()
    handler.send_response(200)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    began = time.monotonic()
    for byte in body:
        if time.monotonic() - began > TIMEOUT + 0.5:
            break
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)
    handler.close_connection = True


def echoed_key(handler: Any, _: Answer) -> None:
    told = handler.headers.get("authorization", "")
    handler.reply(401, json.dumps({"error": {"message": f"Incorrect API key provided: {told}"}}).encode())


def echo(handler: Any, answer: Answer) -> None:
    """All that was sent, once more before what is new."""
    body = answer()
    each(lambda choice: choice.update(text=handler.asked["prompt"] + choice["text"]))(body)
    handler.reply(200, json.dumps(body).encode())


def _shorter(choice: dict[str, Any]) -> None:
    if choice["logprobs"]:
        choice["logprobs"]["token_logprobs"].pop()


def _nan(choice: dict[str, Any]) -> None:
    if choice["logprobs"]:
        choice["logprobs"]["token_logprobs"][0] = float("nan")


def _text(make: Callable[[str], str]) -> Callable[[dict[str, Any]], None]:
    return each(lambda choice: choice.update(text=make(choice["text"]), logprobs=None))


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "429": lambda: Fault(429),
    "429 with Retry-After": lambda: Fault(429, headers={"retry-after": "0.05"}),
    "500": lambda: Fault(500),
    "502": lambda: Fault(502, b"<html>Bad Gateway</html>", {"content-type": "text/html"}),
    "529": lambda: Fault(529),
    "hang": lambda: Mischief(act=hang),
    "reset midway": lambda: Mischief(act=reset_midway),
    "truncated JSON": lambda: Mischief(act=truncated),
    "HTML": lambda: Fault(200, b"<html>Welcome</html>", {"content-type": "text/html"}),
    "no choices": lambda: Fault(200, b'{"choices": []}'),
    "huge reply": lambda: Mischief(act=huge),
    "slow drip": lambda: Mischief(act=drip),
    "longer than asked": lambda: changed(_text(lambda words: "x" * 100_000), usable=False),
    "401 that echoes the key": lambda: Mischief(act=echoed_key),
    "n ignored": lambda: changed(lambda body: body.update(choices=body["choices"][:1])),
    "logprobs of another length": lambda: changed(each(_shorter)),
    "NaN logprob": lambda: changed(each(_nan)),
    "no logprobs": lambda: changed(each(lambda choice: choice.update(logprobs=None))),
    "half a character": lambda: changed(_text(lambda words: words + "\ud83c")),
    "the other half": lambda: changed(_text(lambda words: "\udf72" + words)),
    "combining character": lambda: changed(_text(lambda words: "\u0301" + words)),
    "usage zero": lambda: changed(lambda body: body["usage"].update(prompt_tokens=0, completion_tokens=0)),
    "no usage": lambda: changed(lambda body: body.pop("usage")),
    "repeated prefix": lambda: Mischief(act=echo, usable=True),
    "restart": lambda: changed(_text(lambda words: "Sure! Here it is: The tide" + words)),
    "empty text, ended": lambda: changed(each(lambda c: c.update(text="", logprobs=None, finish_reason="stop"))),
    "empty text, cut": lambda: changed(each(lambda c: c.update(text="", logprobs=None, finish_reason="length"))),
    "content filter": lambda: changed(each(lambda choice: choice.update(finish_reason="content_filter"))),
}
PASSING = frozenset(
    {"429", "429 with Retry-After", "500", "502", "529", "hang", "reset midway", "truncated JSON", "HTML", "no choices",
     "huge reply", "slow drip", "longer than asked", "401 that echoes the key", "usage zero", "no usage",
     "repeated prefix"}
)  # fmt: skip
"""Faults that change no text: what comes out in the end is what would have come without them."""
_SLOW = frozenset({"hang", "slow drip"})


class HostileAPI(FormulaAPI):
    """Counts what it answered in full, by request: none of it may be asked for again."""

    def __init__(self) -> None:
        super().__init__()
        self.key = KEY
        self.answered: Counter[tuple[Any, ...]] = Counter()
        self.produced = 0

    def meet(self, request: dict[str, Any]) -> Fault | None:
        before = len(self.requests)
        fault = super().meet(request)
        with self._lock:
            if len(self.requests) > before and (fault is None or getattr(fault, "usable", False)):
                self.answered[request["prompt"], request["seed"], request["n"]] += 1
        return fault


def config_of(api: FormulaAPI, **strong: Any) -> RunConfig:
    settings = {"api_key_env": "HOSTILE_KEY", "timeout": TIMEOUT, "retry_for": 30, "choices_per_request": 2, **strong}
    methods = [
        {"name": "beam", "width": 2, "children": 2, "chunk_tokens": 3},
        {"name": "aligntree", "limits": {"iterations": 3}, "children": 3, "chunk_tokens": 4},
    ]
    return config_for(api.base, methods=methods, strong=settings, sampling={"max_tokens": 6}, searches_at_once=2)


@contextmanager
def hostile_surroundings() -> Iterator[None]:
    """A key, no scorer but by formula, short pauses, and a small most of bytes."""
    with (
        patch.dict("os.environ", {"HOSTILE_KEY": KEY}),
        patch("flows.bench.open_scorer", open_formula_scorer),
        patch("providers.policy._BACK_OFF", lambda _: 0.01),
        patch("providers.gate._LONGEST_PAUSE", 0.05),
        patch("providers.responses._LARGEST", MOST),
    ):
        yield


async def endure(api: HostileAPI, record: str, schedule: Sequence[str]) -> tuple[Summary, int]:
    """A run that meets the schedule's faults (an empty name: none), gone on with until it ends; how often it stopped.

    Checks what must hold whatever it meets. Raises AssertionError.
    """
    api.faults = [FAULTS[name]() if name else None for name in schedule]
    api.requests.clear()
    api.answered.clear()
    config, stops = config_of(api), 0
    run_id = None
    while True:
        try:
            summary = await (resume(run_id, record=record) if run_id else align(PROMPTS, config, record=record))
            break
        except (RunInterrupted, ProviderError) as error:
            assert KEY not in f"{error}{error.__cause__}"
            assert error.mend, "one clear error says how to go on"
            stops += 1
            assert stops <= len(schedule), f"stopped by nothing: {error}"
            run_id = _newest(record)
    api.faults = []
    assert summary.finished
    again = {request: times for request, times in api.answered.items() if times > 1}
    assert not again, f"paid twice: {again}"
    opened = Record.open(record)
    try:
        assert audit(opened, summary.run_id).faults == ()
    finally:
        opened.close()
    with connected(record_url(record)) as connection:
        spent = text("SELECT unit, spent, reserved FROM budgets WHERE scope = :scope")
        counters = {row.unit: row for row in connection.execute(spent, {"scope": f"run:{summary.run_id}"})}
    refused = sum(name.startswith(("429", "401")) for name in schedule)  # cannot have been billed
    assert counters["requests"].spent >= len(api.requests) - refused
    assert counters["requests"].reserved == 0
    return summary, stops


def _newest(record: str) -> str:
    opened = Record.open(record)
    try:
        return opened.run().id
    finally:
        opened.close()


def mix(random: Random) -> list[str]:
    """One to eight faults among the first requests of a run; those that take long are rare."""
    names = [name for name in FAULTS for _ in range(1 if name in _SLOW else 8)]
    schedule = ["" for _ in range(random.randint(8, 20))]
    for _ in range(random.randint(1, 8)):
        schedule[random.randrange(len(schedule))] = random.choice(names)
    return schedule
