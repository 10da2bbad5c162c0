"""A loopback API that answers by formula, a pure function of text, seed and choice; it counts requests.

It speaks OpenAI's completions and chat, and Anthropic's messages; the same text is continued the same by each. Its
model "judge" says a number of a text, in chat or completions.

Where the record, Prefect or timing is tested, this stands for a strong model; where models matter, real ones run.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from providers.probe import CASES

MODEL, JUDGE = "formula", "judge"
PROBED = len(CASES) + 2
"""Requests of a probe."""
WORDS = " good", " bad", " kind", " cold", " and", " the", " sea", ", so", " is", " not"


@dataclass
class Fault:
    """What to answer instead, once: status, body and headers."""

    status: int
    body: bytes = b'{"error": {"message": "no"}}'
    headers: Mapping[str, str] = field(default_factory=dict)

    def meet(self, handler: Any, answer: Callable[[], dict[str, Any]]) -> None:
        """Answer in this way instead of with `answer()`."""
        handler.reply(self.status, self.body, self.headers)


class FormulaAPI:
    """Serves /v1/models, /v1/completions, /v1/chat/completions and /v1/messages on a free port, from threads."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []  # of searches
        self.probes: list[dict[str, Any]] = []
        self.judged: list[dict[str, Any]] = []  # requests to the judge
        self.faults: list[Fault | None] = []  # that the next requests of searches meet
        self.judge_faults: list[Fault | None] = []
        self.says: Callable[[str], list[dict[str, Any]]] = opinion  # the judge, of a text
        self.probe_faults: list[Fault] = []
        self.key: str | None = None
        self.shape: Callable[[list[dict[str, Any]]], dict[str, Any]] = completions_shape
        self.most_choices: int | None = None  # gives no more, whatever n says
        self.slots: int | None = None  # refuses a larger n, as llama.cpp does
        self.usage = True
        self.seeds = True  # else each request is drawn anew
        self.connections = 0
        self.repeats = False  # chat replies begin with the last message, as llama.cpp's do
        self.delay: Callable[[], float] = lambda: 0.0  # seconds from a request to its answer
        self._draws = count()
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: dict[str, Any], path: str = "/v1/completions") -> dict[str, Any]:
        if path.endswith("/messages"):
            return self._message(request)
        chats = path.endswith("/chat/completions")
        text = _continued(request["messages"]) if chats else request["prompt"]
        n = min(request.get("n") or 1, self.most_choices or 1_000_000)
        seed, choices, produced = self._seed(request), list[dict[str, Any]](), 0
        for j in range(n):
            says = request.get("model") == JUDGE
            tokens, finish = (self.says(text), "stop") if says else continuation(text, seed, j, request["max_tokens"])
            produced += len(tokens)
            words = "".join(t["token"] for t in tokens)
            choice: dict[str, Any] = {"index": j, "finish_reason": finish, "logprobs": None}
            if chats:
                again = request["messages"][-1] if self.repeats else {}
                begun = again["content"] if again.get("role") == "assistant" else ""
                choice["message"] = {"role": "assistant", "content": begun + words}
                choice["logprobs"] = chat_shape(tokens) if request.get("logprobs") else None
            else:
                choice["text"] = words
                choice["logprobs"] = self.shape(tokens) if request.get("logprobs") else None
                if request.get("prompt_logprobs") is not None:
                    choice["prompt_logprobs"] = prompt_log_probs(text)
            choices.append(choice)
        kind = "chat.completion" if chats else "text_completion"
        answer: dict[str, Any] = {"id": "f", "object": kind, "created": 1, "model": MODEL, "choices": choices}
        if self.usage:
            answer["usage"] = {"prompt_tokens": 7, "completion_tokens": produced, "total_tokens": 7 + produced}
        return answer

    def _seed(self, request: dict[str, Any]) -> int:
        return (request.get("seed") or 0) if self.seeds else next(self._draws)

    def _message(self, request: dict[str, Any]) -> dict[str, Any]:
        tokens, finish = continuation(_continued(request["messages"]), self._seed(request), 0, request["max_tokens"])
        return {
            "id": "m", "type": "message", "role": "assistant", "model": MODEL,
            "content": [{"type": "text", "text": "".join(t["token"] for t in tokens)}],
            "stop_reason": {"stop": "end_turn", "length": "max_tokens"}[finish], "stop_sequence": None,
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": len(tokens)},
        }  # fmt: skip

    def meet(self, request: dict[str, Any]) -> Fault | None:
        """A request as it comes in: counted, and what it is to meet instead of an answer."""
        if request.get("model") == JUDGE:
            with self._lock:
                self.judged.append(request)
                return self.judge_faults.pop(0) if self.judge_faults else None
        if not _is_probe(request):
            return self.take(request)
        with self._lock:
            self.probes.append(request)
            return self._refusal(request) or (self.probe_faults.pop(0) if self.probe_faults else None)

    def take(self, request: dict[str, Any]) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            return self._refusal(request) or (self.faults.pop(0) if self.faults else None)

    def _refusal(self, request: dict[str, Any]) -> Fault | None:
        if self.slots is None or (request.get("n") or 1) <= self.slots:
            return None
        return Fault(400, b'{"error": {"code": 400, "message": "n is above the number of slots"}}')


def _is_probe(request: dict[str, Any]) -> bool:
    text = _continued(request["messages"]) if "messages" in request else request["prompt"]
    return any(case.prompt in text for case in CASES)


def _continued(messages: list[dict[str, Any]]) -> str:
    """A conversation as the text that it is to be continued from."""
    contents = [message["content"] for message in messages if message["role"] != "system"]
    return "".join(c if isinstance(c, str) else "".join(block["text"] for block in c) for c in contents)


def prompt_log_probs(text: str) -> list[dict[str, Any] | None]:
    """Of a text's words, as vLLM tells them: null for the first."""
    words = re.findall(r"\s*\S+|\s+$", text)
    told: list[dict[str, Any] | None] = [None]
    for number, word in enumerate(words[1:]):
        digest = hashlib.sha256(f"{words[: number + 1]}|{word}".encode()).digest()
        entry = {"logprob": math.log(0.3 + 0.7 * digest[0] / 255), "rank": 1, "decoded_token": word}
        told.append({str(number): entry})
    return told


def continuation(text: str, seed: int, choice: int, max_tokens: int) -> tuple[list[dict[str, Any]], str]:
    """Tokens with their log-probabilities, and the finish reason; the first ten words share one distribution."""
    tokens: list[dict[str, Any]] = []
    for i in range(max_tokens):
        digest = hashlib.sha256(f"{text}|{seed}|{choice}|{i}".encode()).digest()
        if i and digest[1] < 25:
            return tokens, "stop"
        top = [{"token": w, "logprob": -1.0 - 0.5 * k} for k, w in enumerate(WORDS[:5])]
        tokens.append({"token": WORDS[digest[0] % 10], "logprob": -0.1 * (1 + digest[2] % 30), "top_logprobs": top})
    return tokens, "length"


def opinion(text: str) -> list[dict[str, Any]]:
    """A judge's integer from 2 to 9, by a hash of the text, and the next one half as likely."""
    score = 2 + hashlib.sha256(text.encode()).digest()[0] % 8
    top = [{"token": str(score), "logprob": math.log(0.6)}, {"token": str(score + 1), "logprob": math.log(0.3)}]
    return [{"token": str(score), "logprob": math.log(0.6), "top_logprobs": top}]


def completions_shape(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    """OpenAI's completions: parallel lists, top lists as dicts keyed by token."""
    return {
        "tokens": [t["token"] for t in tokens],
        "token_logprobs": [t["logprob"] for t in tokens],
        "top_logprobs": [{o["token"]: o["logprob"] for o in t["top_logprobs"]} for t in tokens],
        "text_offset": [0] * len(tokens),
    }


def chat_shape(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    """What llama.cpp sends on completions."""
    return {"content": tokens}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed resets its connection: that is what some tests do."""


def _handler(api: FormulaAPI) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers

        def setup(self) -> None:
            super().setup()
            api.connections += 1

        def parse_request(self) -> bool:
            self.arrived = time.monotonic()
            return super().parse_request()

        def do_GET(self) -> None:
            if self._key_is_wrong():
                return
            self.reply(
                200,
                json.dumps(
                    {"object": "list", "data": [{"id": name, "object": "model"} for name in (MODEL, JUDGE)]}
                ).encode(),
            )

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self._key_is_wrong():
                return
            self.asked = request
            fault = api.meet(request)
            if fault is not None:
                fault.meet(self, lambda: api.answer(request, self.path))
            else:
                until = self.arrived + api.delay()
                body = json.dumps(api.answer(request, self.path)).encode()
                time.sleep(max(0.0, until - time.monotonic()))
                self.reply(200, body)

        def _key_is_wrong(self) -> bool:
            given = self.headers.get("authorization", "").removeprefix("Bearer ")
            if api.key is None or given == api.key:
                return False
            self.reply(401, json.dumps({"error": {"message": f"Incorrect API key provided: {given}"}}).encode())
            return True

        def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in ({"content-type": "application/json"} | dict(headers or {})).items():
                self.send_header(name, value)
            if "content-length" not in (headers or {}):
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = (headers or {}).get("connection") == "close"

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
