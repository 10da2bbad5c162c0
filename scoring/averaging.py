"""The mean of LoRA adapters, as one adapter: those trained apart err apart, and their mean errs less than any of them.

Averaging the weights of models tuned from one start is that of model soups (Wortsman et al. 2022, arXiv 2203.05482).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from scoring.errors import AveragingFailed
from scoring.preferences import write_whole

CONFIG, WEIGHTS, TUNING = "adapter_config.json", "adapter_model.safetensors", "tuning.json"
"""An adapter's files: PEFT's two, and what it was made of."""

Weights = Mapping[str, torch.Tensor]
"""An adapter as PEFT stores it: matrices NAME.lora_A.weight (rank x in) and NAME.lora_B.weight (out x rank)."""


def average_adapters(adapters: Sequence[Path], target: Path, rank: int | None = None) -> dict[str, Any]:
    """Write the mean of adapters, of which one may be given several times, to the new folder `target`.

    `rank` None: the highest among theirs. Returns what `tuning.json` says then: of each how it was tuned, but for the
    log. Raises AveragingFailed, before anything is written, where they do not adapt the same projections.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AveragingFailed("holds something already", where=f"folder {target}", mend="Give another folder with -o")
    configs = [_config(folder) for folder in adapters]
    for folder, config in zip(adapters, configs, strict=True):
        for what, value in _alike(config).items():
            if value != _alike(configs[0])[what]:
                raise AveragingFailed(
                    f"its {what} is another than that of {adapters[0]}", where=f"adapter {folder}",
                    mend="Average adapters of one reference and of the same projections",
                )  # fmt: skip
    found = rank or max(config["r"] for config in configs)
    told = {"mean_of": [_tuning(folder) for folder in adapters], "rank": found}
    target.mkdir(parents=True, exist_ok=True)
    write_mean(adapters, target, found)
    write_whole(target / TUNING, json.dumps(told, indent=1) + "\n")  # last: it says that the adapter is finished
    return told


def write_mean(adapters: Sequence[Path], target: Path, rank: int, *, base: str | None = None) -> None:
    """The mean as an adapter of `rank` in bfloat16, which halves it. `base`: what it calls the model it is on."""
    mean = average([_weights(folder) for folder in adapters], rank)
    config = _config(adapters[0])
    config |= {"r": rank, "lora_alpha": config["lora_alpha"] / config["r"] * rank}
    scratch = target / f"{WEIGHTS}.new"
    save_file({name: matrix.to(torch.bfloat16) for name, matrix in mean.items()}, scratch, {"format": "pt"})
    scratch.replace(target / WEIGHTS)
    write_whole(
        target / CONFIG, json.dumps(config | ({"base_model_name_or_path": base} if base else {}), indent=1) + "\n"
    )


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    if not {"r", "lora_alpha", "target_modules"} <= config.keys():
        raise AveragingFailed(
            "holds no LoRA adapter", where=f"folder {folder}", mend="Give folders that aligntree tune or PEFT wrote"
        )
    return config


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise AveragingFailed(f"{WEIGHTS} cannot be read", where=f"folder {folder}", mend="Tune it anew") from error


def _tuning(folder: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads((folder / TUNING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # another program's
    return {name: value for name, value in told.items() if name != "log"}


def _alike(config: Mapping[str, Any]) -> dict[str, Any]:
    """What adapters that are averaged have in common."""
    return {
        "base model": config.get("base_model_name_or_path"),
        "scaling": round(config["lora_alpha"] / config["r"], 9),
        "set of projections": sorted(config["target_modules"]),
    }


def average(adapters: Sequence[Weights], rank: int) -> dict[str, torch.Tensor]:
    """Of adapters that adapt the same projections, scaled alike: the adapter of `rank` nearest to their mean.

    What an adapter adds to a weight is the product B A; the nearest in least squares to the mean of those products is
    its truncated singular value decomposition. Float32, whatever the adapters are stored in.
    """
    found: dict[str, torch.Tensor] = {}
    for name_a in sorted(name for name in adapters[0] if ".lora_A." in name):
        name_b = name_a.replace(".lora_A.", ".lora_B.")
        left = torch.cat([adapter[name_b].double() for adapter in adapters], dim=1) / len(adapters)
        right = torch.cat([adapter[name_a].double() for adapter in adapters], dim=0)
        # left @ right is the mean; between orthonormal bases the matrix to decompose is as small as the ranks.
        base_left, small_left = torch.linalg.qr(left)
        base_right, small_right = torch.linalg.qr(right.T)
        u, s, v = torch.linalg.svd(small_left @ small_right.T, full_matrices=False)
        kept = min(rank, len(s))
        found[name_a], found[name_b] = torch.zeros(rank, right.shape[1]), torch.zeros(left.shape[0], rank)
        found[name_a][:kept] = s[:kept, None].sqrt() * (v[:kept] @ base_right.T)
        found[name_b][:, :kept] = base_left @ u[:, :kept] * s[:kept].sqrt()
    return found
