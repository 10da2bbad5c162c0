"""A causal language model small enough to tune in seconds: the built-in tokenizer, random weights."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, MistralConfig

from scoring.embedded import weak_model_dir


def save_tiny_model(folder: Path, *, sliding: bool = False) -> Path:
    """Save the model into `folder`, as a user's own reference would be; `sliding`: it attends to 8 tokens only."""
    tokenizer = AutoTokenizer.from_pretrained(weak_model_dir("embedded"))
    torch.manual_seed(7)
    kind: Any = partial(MistralConfig, sliding_window=8) if sliding else LlamaConfig
    config = kind(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
