"""Causal language models small enough to tune in seconds: random weights, the built-in tokenizer or one of bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from gguf import GGUFWriter
from peft import IA3Config, LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, MistralConfig
from transformers.convert_slow_tokenizer import bytes_to_unicode

from scoring.embedded import model_dir
from scoring.settings import WeakSettings


def save_tiny_model(folder: Path, *, sliding: bool = False, seed: int = 7, **shape: int) -> Path:
    """Save a model into `folder`, as a user's own would be; `sliding`: it attends to 8 tokens only; `shape`: config."""
    tokenizer = AutoTokenizer.from_pretrained(model_dir("embedded"))
    torch.manual_seed(seed)
    kind: Any = partial(MistralConfig, sliding_window=8) if sliding else LlamaConfig
    plain = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1,
    }  # fmt: skip
    config = kind(
        **plain | shape, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_tiny_adapter(folder: Path, reference: Path, *, seed: int = 1, dora: bool = False, ia3: bool = False) -> Path:
    """Save an adapter on a model into `folder`, LoRA or IA3: random, and no small change."""
    torch.manual_seed(seed)
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, use_dora=dora)
    config = IA3Config(target_modules=["q_proj", "v_proj"], feedforward_modules=[]) if ia3 else lora
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(reference), config)
    for name, parameter in model.named_parameters():
        if "ia3_" in name:
            torch.nn.init.normal_(parameter, mean=1.0)
    model.save_pretrained(str(folder))
    return folder


def save_tiny_pair(folder: Path) -> WeakSettings:
    """A tiny model with a tiny adapter on it, as a pair in float32."""
    model = save_tiny_model(folder / "model")
    adapter = save_tiny_adapter(folder / "adapter", model)
    return WeakSettings(reference=str(model), adapter=str(adapter), device="cpu", number_format="float32")


def save_tiny_gguf(file: Path, *, seed: int = 7) -> Path:
    """Save a model that reads bytes as one GGUF file, weights and tokenizer."""
    readable: Any = bytes_to_unicode
    tokens = [*readable().values(), "<|endoftext|>", "<|im_end|>", "Ġt", "he"]
    writer = GGUFWriter(file, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])  # 3: special
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    layer = {
        "attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32),
        "ffn_gate": (64, 32), "ffn_up": (64, 32), "ffn_down": (32, 64), "attn_norm": (32,), "ffn_norm": (32,),
    }  # fmt: skip
    shapes = {"token_embd": (len(tokens), 32), "output_norm": (32,)}
    shapes |= {f"blk.{i}.{name}": shape for i in range(2) for name, shape in layer.items()}
    torch.manual_seed(seed)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", (torch.randn(shape) * 0.2 + (len(shape) == 1)).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
