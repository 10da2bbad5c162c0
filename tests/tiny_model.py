"""A causal language model small enough to tune in seconds: the built-in tokenizer, random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from scoring.embedded import weak_model_dir


def save_tiny_model(folder: Path) -> Path:
    """Save the model into `folder`, as a user's own reference would be."""
    tokenizer = AutoTokenizer.from_pretrained(weak_model_dir("embedded"))
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
