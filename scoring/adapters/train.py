"""Train the built-in `sentiment` adapter: `make adapter` (about ten minutes on 2 cores; needs the extra `tune`).

The built-in weak model continues short openings several times; VADER's compound score of opening + continuation says
which continuation is preferred; DPO (TRL) trains a LoRA (PEFT) on these pairs. Every draw is seeded.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import DPOConfig, DPOTrainer
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from scoring.embedded import EMBEDDED, weak_model_dir

SEED = 20251114
SAMPLES, TOKENS, MARGIN = 8, 32, 0.4

SUBJECTS = (
    "the film", "the hotel", "the restaurant", "my new phone", "the concert", "the book", "our trip to the coast",
    "the train ride", "the new teacher", "the football match", "the exhibition", "the apartment", "this game",
    "the coffee shop", "the wedding", "the doctor", "the lecture", "my neighbour", "the bakery", "the city",
    "the album", "her speech", "the garden", "the team meeting", "the documentary", "the acting",
)  # fmt: skip
FRAMES = (
    "I have to say that {} was", "When we arrived, {} seemed", "In my opinion, {} is", "To be honest, {} left me",
    "Everybody told us that {} would be", "Last week I wrote a review: {} was", "What I remember most about {} is",
    "After an hour, I thought that {} had", "My sister called {}", "If you ask me about {}, I would say",
)  # fmt: skip


def openings() -> list[str]:
    """The training prompts: every subject in every frame, none of them in a recipe or a test."""
    return [frame.format(subject) for frame, subject in itertools.product(FRAMES, SUBJECTS)]


@torch.inference_mode()
def continuations(model: Any, tokenizer: Any, prompts: list[str]) -> list[tuple[str, list[list[int]]]]:
    """`SAMPLES` continuations (token ids) of at most `TOKENS` tokens for each prompt, sampled at temperature 1."""
    tokenizer.padding_side = "left"
    found: list[tuple[str, list[list[int]]]] = []
    for at in range(0, len(prompts), 8):
        batch = prompts[at : at + 8]
        inputs = tokenizer(batch, return_tensors="pt", padding=True)
        out = model.generate(
            **inputs, do_sample=True, top_k=0, temperature=1.0, max_new_tokens=TOKENS, num_return_sequences=SAMPLES
        )
        new = out[:, inputs["input_ids"].shape[1] :].tolist()
        for i, prompt in enumerate(batch):
            rows = new[i * SAMPLES : (i + 1) * SAMPLES]
            found.append((prompt, [_until_eos(row, tokenizer.eos_token_id) for row in rows]))
        print(f"sampled {at + len(batch)} of {len(prompts)} prompts", flush=True)
    return found


def _until_eos(ids: list[int], eos: int) -> list[int]:
    return ids[: ids.index(eos) + 1] if eos in ids else ids


def preferences(sampled: list[tuple[str, list[list[int]]]], tokenizer: Any) -> list[dict[str, list[int]]]:
    """Best against worst, second best against second worst by VADER, where they differ by `MARGIN` at least."""
    vader = SentimentIntensityAnalyzer()
    pairs = []
    for prompt, rows in sampled:
        gold = [
            vader.polarity_scores(prompt + tokenizer.decode(row, skip_special_tokens=True))["compound"] for row in rows
        ]
        order = sorted(range(len(rows)), key=gold.__getitem__)
        for worst, best in zip(order[: SAMPLES // 2 - 1], reversed(order), strict=False):
            if gold[best] - gold[worst] >= MARGIN:
                prompt_ids = tokenizer(prompt)["input_ids"]
                pairs.append({"prompt_ids": prompt_ids, "chosen_ids": rows[best], "rejected_ids": rows[worst]})
    return pairs


class _TokenPairs(DPOTrainer):
    """TRL would append EOS to every text; ours are cut by length, and only some of them ended by themselves."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any, **__: Any) -> Dataset:
        return dataset


def train(target: Path, steps: int, likelihood: float) -> dict[str, float]:
    """Write the adapter to `target`; returns TRL's last figures (nats)."""
    set_seed(SEED)
    base = weak_model_dir(EMBEDDED)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    pairs = preferences(continuations(model, tokenizer, openings()), tokenizer)
    print(f"{len(pairs)} pairs", flush=True)
    settings = DPOConfig(
        output_dir=tempfile.gettempdir(), max_steps=steps, per_device_train_batch_size=8, learning_rate=5e-4, beta=0.1,
        loss_type=["sigmoid", "sft"], loss_weights=[1.0, likelihood],
        lr_scheduler_type="cosine", warmup_steps=10, logging_steps=10, save_strategy="no", seed=SEED, report_to="none",
        gradient_checkpointing=False, use_cpu=True, bf16=False, remove_unused_columns=False,
    )  # fmt: skip
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "o_proj"], task_type="CAUSAL_LM")
    trainer = _TokenPairs(
        model=model, args=settings, train_dataset=Dataset.from_list(pairs), processing_class=tokenizer, peft_config=lora
    )
    trainer.train()
    tuned: Any = trainer.model
    tuned.peft_config["default"].base_model_name_or_path = "SmolLM2-135M-Instruct"  # not a path of this machine
    with tempfile.TemporaryDirectory() as scratch:  # PEFT would write a README over the model card
        tuned.save_pretrained(scratch)
        target.mkdir(parents=True, exist_ok=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(Path(scratch) / name, target / name)
    (target / "training.json").write_text(json.dumps(trainer.state.log_history, indent=1) + "\n")
    return dict(trainer.state.log_history[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "sentiment")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--likelihood", type=float, default=0.1, help="weight of a likelihood term on preferred text")
    given = parser.parse_args()
    print(train(given.output, given.steps, given.likelihood))
