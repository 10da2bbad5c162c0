"""What the tuned model of a weak pair would answer itself, greedily: the draft of weak-to-strong decoding."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from transformers import DynamicCache

from scoring.backbone import Reader
from scoring.base import Drafted


@torch.inference_mode()
def draft(tuned: Any, reader: Reader, device: torch.device, prompt: str, max_tokens: int) -> Drafted:
    """The likeliest token after the likeliest, up to an end of its own or the limit."""
    tokenizer = reader.tokenizer
    ids = reader.prompt(prompt) or [tokenizer.eos_token_id]
    own = tuned.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or ())}
    cache, new, following = DynamicCache(config=tuned.config), list[int](), ids
    while len(new) < max_tokens:
        logits = tuned(
            input_ids=torch.tensor([following], device=device), past_key_values=cache, use_cache=True, logits_to_keep=1
        ).logits
        following = [int(logits[0, -1].argmax())]
        if following[0] in ends:
            return Drafted(_texts(tokenizer, ids, new), True)
        new += following
    return Drafted(_texts(tokenizer, ids, new), False)


def _texts(tokenizer: Any, before: list[int], new: list[int]) -> tuple[str, ...]:
    """What each token adds to the text: nothing where it leaves a character unfinished."""
    tail = before[-8:]  # some tokenizers drop the space that a text begins with
    whole = [
        tokenizer.decode(tail + new[:end], skip_special_tokens=True).rstrip("\ufffd") for end in range(len(new) + 1)
    ]
    return tuple(after[len(text) :] for text, after in pairwise(whole))
