"""A loopback server that answers as vLLM does, by running a tiny model: with its adapter under one name, as it is under
another.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.formula_api import Fault, Server

TUNED, REFERENCE = "kinder", "tiny"


class ServedAPI:
    """Serves /v1/models and /v1/completions on a free port, from threads."""

    def __init__(self, reference: Path, adapter: Path) -> None:
        plain: Any = AutoModelForCausalLM.from_pretrained(reference)
        adapted: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(reference), str(adapter))
        self.models = {TUNED: adapted.eval(), REFERENCE: plain.eval()}
        self.tokenizer: Any = AutoTokenizer.from_pretrained(reference)
        self.context = 2048
        self._running, self._counting = threading.Lock(), threading.Lock()
        self._server = Server(("127.0.0.1", 0), _handler(self))
        self.reset()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def reset(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Fault] = []  # that the next requests meet
        self.key: str | None = None
        self.held: threading.Event | threading.Barrier | None = None  # what answers wait for
        self.holds = threading.Event()  # an answer waits
        self.at_once = self.peak = 0
        self.change: Callable[[dict[str, Any]], None] = lambda choice: None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def counted(self, request: dict[str, Any]) -> Iterator[None]:
        with self._counting:
            self.requests.append(request)
            self.at_once += 1
            self.peak = max(self.peak, self.at_once)
        yield
        with self._counting:
            self.at_once -= 1

    @torch.inference_mode()
    def choice(self, request: dict[str, Any]) -> dict[str, Any]:
        prompt = request["prompt"]
        ids = self.tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt
        with self._running:
            logits = self.models[request["model"]](input_ids=torch.tensor([ids])).logits[0].float()
        entries: list[Any] = [None]
        for of, token in zip(logits.log_softmax(-1), ids[1:], strict=False):
            top = of.topk(request["prompt_logprobs"]).indices.tolist()
            entries.append({str(i): self._entry(of, i) for i in dict.fromkeys([token, *top])})
        return {
            "index": 0, "text": "", "logprobs": None, "finish_reason": "length", "stop_reason": None,
            "token_ids": None, "prompt_logprobs": entries, "prompt_token_ids": None,
        }  # fmt: skip

    def _entry(self, log_probs: torch.Tensor, token: int) -> dict[str, Any]:
        value = log_probs[token].item()
        rank = int((log_probs >= value).sum())
        return {"logprob": value, "rank": rank, "decoded_token": self.tokenizer.decode([token])}

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        if request["model"] not in self.models:
            message = f"The model `{request['model']}` does not exist."
            return 404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}}
        if len(request["prompt"]) + request["max_tokens"] > self.context:
            message = f"This model's maximum context length is {self.context} tokens."
            return 400, {"error": {"message": message, "type": "BadRequestError", "param": "input_tokens", "code": 400}}
        choice = self.choice(request)
        self.change(choice)
        return 200, {"id": "cmpl-1", "object": "text_completion", "model": request["model"], "choices": [choice]}


def _handler(api: ServedAPI) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers

        def do_GET(self) -> None:
            if not self._refused():
                self.reply(200, json.dumps({"object": "list", "data": [{"id": name} for name in api.models]}).encode())

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self._refused():
                return
            with api.counted(request):
                if api.held is not None:
                    api.holds.set()
                    api.held.wait(10)
                if api.faults:
                    api.faults.pop(0).meet(self, dict)
                    return
                status, body = api.answer(request)
            self.reply(status, json.dumps(body).encode())

        def _refused(self) -> bool:
            given = self.headers.get("authorization")
            if self.path not in ("/v1/models", "/v1/completions"):
                self.reply(404, b'{"detail":"Not Found"}')
            elif api.key is not None and given != f"Bearer {api.key}":
                self.reply(401, json.dumps({"error": f"Unauthorized: {given}"}).encode())
            else:
                return False
            return True

        def reply(self, status: int, body: bytes, headers: Any = None) -> None:
            self.send_response(status)
            for name, value in {"content-type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
